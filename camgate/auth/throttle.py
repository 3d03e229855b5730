"""Slows down whoever guesses passwords: by the network they come from, and by the account that they try.

Whoever has to wait is told so at once, and holds nothing meanwhile. An attacker who knows a user's name cannot lock
that user out: the account's delay does not count for networks from which the user has signed in before.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from camgate.auth.errors import TooManyLogins
from camgate.base.network import network_of

K = TypeVar("K")
V = TypeVar("V")

FREE_FAILURES = 5
"""Logins may fail so often before anybody waits: people mistype."""
FIRST_DELAY_S = 2.0
MAX_DELAY_S = 300.0
ACCOUNT_FREE_FAILURES = 20
"""The same for an account, tried from anywhere."""
FORGET_S = 3600.0
"""Without a failure for so long, all is forgotten."""
MAX_ENTRIES = 10_000
"""Networks and accounts that are remembered; the oldest are forgotten first."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_s: float = 0.0
    until_s: float = 0.0


class Throttle:
    """What is known of logins that failed. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, _Failures] = OrderedDict()
        self._accounts: OrderedDict[str, _Failures] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.refused = 0

    def check(self, address: str, account: str, now_s: float) -> None:
        """Raise TooManyLogins where a login has to wait."""
        network = network_of(address)
        waits = [_wait_s(self._networks.get(network), now_s)]
        if (network, account) not in self._familiar:
            waits.append(_wait_s(self._accounts.get(account), now_s))
        if max(waits) > 0:
            self.refused += 1
            raise TooManyLogins(max(waits))

    def failed(self, address: str, account: str, now_s: float) -> None:
        """Take note of a wrong login."""
        _count(self._networks, network_of(address), FREE_FAILURES, now_s)
        _count(self._accounts, account, ACCOUNT_FREE_FAILURES, now_s)

    def succeeded(self, address: str, account: str) -> None:
        """Take note of a right one."""
        network = network_of(address)
        self._networks.pop(network, None)
        _remember(self._familiar, (network, account), None)


def _wait_s(failures: _Failures | None, now_s: float) -> float:
    return 0.0 if failures is None else failures.until_s - now_s


def _count(table: OrderedDict[str, _Failures], key: str, free: int, now_s: float) -> None:
    failures = table.get(key)
    if failures is None or now_s - failures.last_s > FORGET_S:
        failures = _Failures()
    failures.count += 1
    failures.last_s = now_s
    if failures.count >= free:
        failures.until_s = now_s + min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(failures.count - free, 16))
    _remember(table, key, failures)


def _remember(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_ENTRIES:
        table.popitem(last=False)
