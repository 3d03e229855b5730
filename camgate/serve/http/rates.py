"""How much one address, and one user, may ask for: token buckets, so that whoever asks for more has to wait alone.

An address counts for its network (IPv6: /64). Buckets are bounded in number: a flood of addresses makes the oldest ones
full again, and costs us no memory.
"""

from collections import OrderedDict
from http import HTTPStatus

import trio

from camgate.base.budget import Budget
from camgate.base.network import network_of
from camgate.config.model import LimitSettings
from camgate.relay.errors import ViewerError

MAX_BUCKETS = 10_000
SHORTEST_WAIT_S = 1.0
"""Retry-After counts whole seconds."""


class TooManyRequests(ViewerError):
    """Somebody asks faster than they may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"

    def __init__(self, what: str, retry_after_s: float) -> None:
        super().__init__(what, retry_after_s)
        self.what = what
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"Too many {self.what} come from you; try again in {self.retry_after_s:.0f} s."


class Rates:
    """What has been asked for lately, and by whom. Times are monotonic."""

    def __init__(self, limits: LimitSettings) -> None:
        self.limits = limits
        """Those of now."""
        self._requests = _Buckets("requests", limits.requests_burst, limits.requests_per_s)
        self._offers = _Buckets("offers", limits.offers_burst, limits.offers_per_s)

    def apply(self, limits: LimitSettings) -> None:
        """Take other limits; where they are others, everybody begins anew."""
        before, self.limits = self.limits, limits
        if (before.requests_burst, before.requests_per_s) != (limits.requests_burst, limits.requests_per_s):
            self._requests.limit(limits.requests_burst, limits.requests_per_s)
        if (before.offers_burst, before.offers_per_s) != (limits.offers_burst, limits.offers_per_s):
            self._offers.limit(limits.offers_burst, limits.offers_per_s)

    def take_request(self, address: str) -> None:
        """Count a request, or a WebSocket's handshake. Raises TooManyRequests."""
        self._requests.take(network_of(address))

    def take_offer(self, address: str, account: str) -> None:
        """Count an offer, by its address and by the user, if there is one. Raises TooManyRequests."""
        self._offers.take(network_of(address))
        if account:
            self._offers.take(account)

    @property
    def refused(self) -> dict[str, int]:
        """How many were refused, by what they asked for."""
        return {"requests": self._requests.refused, "offers": self._offers.refused}


class _Buckets:
    def __init__(self, what: str, burst: int, per_s: float) -> None:
        self._what = what
        self._burst = burst
        self._per_s = per_s
        self._by_key: OrderedDict[str, Budget] = OrderedDict()
        self.refused = 0

    def limit(self, burst: int, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._by_key.clear()

    def take(self, key: str) -> None:
        if not self._per_s:
            return
        bucket = self._by_key.get(key)
        if bucket is None:
            bucket = self._by_key[key] = Budget(self._burst, self._per_s)
            if len(self._by_key) > MAX_BUCKETS:
                self._by_key.popitem(last=False)
        if not bucket.take(trio.current_time()):
            self.refused += 1
            raise TooManyRequests(self._what, max(SHORTEST_WAIT_S, bucket.wait_s()))
