"""What strangers are allowed: how fast they may connect, ask and guess. Runs no task; the time is an argument."""

import ipaddress
from collections import OrderedDict

GUESS_PAUSE_S = 1.0
"""Nobody who mistyped a password minds; a guesser gets 86,400 tries a day, however many connections he has."""

MAX_GUESSERS = 4096
"""Addresses remembered; beyond it the one that guessed the longest ago is forgotten."""

IPV6_NETWORK_BITS = 64
"""A household has at least so large a network, and all its addresses for itself (RFC 6177)."""


def network_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))


class GuessingBrake:
    """When the next wrong login of each address may be answered."""

    def __init__(self) -> None:
        self._free_at_s: OrderedDict[str, float] = OrderedDict()

    def pause_s(self, network: str, now: float) -> float:
        """Note a wrong login, and return for how long its answer has to wait."""
        free_at_s = max(self._free_at_s.pop(network, now), now) + GUESS_PAUSE_S
        self._free_at_s[network] = free_at_s
        if len(self._free_at_s) > MAX_GUESSERS:
            self._free_at_s.popitem(last=False)
        return free_at_s - now


class Pace:
    """So many things a second, and so many at once before that counts."""

    __slots__ = ("_burst", "_per_s", "_room", "_since_s")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = self._room = burst
        self._since_s = now

    def pause_s(self, count: float, now: float) -> float:
        """Note that `count` of them were done, and return for how long to pause before the next."""
        self._room = min(self._burst, self._room + (now - self._since_s) * self._per_s) - count
        self._since_s = now
        return max(0.0, -self._room / self._per_s)
