"""What one viewer may cause: token buckets, so that a viewer who asks for more costs only its own.

See docs/design/abuse.md for what each bound is against, and what it costs us.
"""

from dataclasses import dataclass

from camgate.base.budget import Budget

CHECK_BURST = 400
CHECKS_PER_S = 200
"""Checks that one viewer may send: a browser pings a path every 48 ms until it is sure of it, and has a few paths."""
NEW_PATH_CHECKS = 4
"""What a check from a new address is charged as: finding the way back costs us that much more."""
REPORT_BURST_BYTES = 120_000
REPORT_BYTES_PER_S = 60_000
MIN_REPORT_BYTES = 100
"""RTCP that one viewer may send, each datagram charged as this at the least: 600 short ones a second. A browser sends
1 to 20; one that loses a tenth of 25 Mbit/s sends 290: a NACK at each gap, and one each 20 ms for what is missing."""
RECORD_BURST = 100
RECORDS_PER_S = 20
"""DTLS datagrams from a viewer's addresses: a handshake takes up to ten, each repeated a few times on a bad network."""
GARBAGE_BURST = 500
GARBAGE_PER_S = 100
"""RTCP from a viewer's addresses that its key does not open, looked at before the rest is dropped unseen."""
MAX_REPORTERS = 16
"""SSRCs in whose name one viewer may send RTCP, of a browser's two or three. libsrtp keeps a stream for each that was
ever authentic, and looks through all of them at each packet."""
PATIENCE = 4_000
PATIENCE_PER_S = 200
"""Checks and reports above their budgets that we put up with before the viewer is cut off."""
MAX_EXCESS_IDS = 8_192
"""Transaction ids of checks above the budget that are remembered: more than PATIENCE, so that it takes hours of
listening to a browser's checks, one each 2.5 s, to make a flood of their repetitions."""


@dataclass(frozen=True, slots=True)
class Refused:
    """How many datagrams of one viewer, or under its addresses, went beyond its budgets and were dropped."""

    checks: int
    reports: int
    records: int
    garbage: int


class Allowance:
    """What one viewer may send us, all kinds of datagrams.

    Excess is of two kinds. What only the viewer can have made just now: reports that its key opens, which cannot be
    replayed, and checks with its password that we have not seen before. Who goes on with too many of these
    `is_flooding`, and can be sent away. All else may come from anybody who forges the viewer's address or repeats what
    he overheard. It is dropped and counts for nothing, or a stranger could end the viewer.
    """

    __slots__ = ("_checks", "_excess_ids", "_garbage", "_patience", "_records", "_reporters", "_reports")

    def __init__(self) -> None:
        self._checks = Budget(CHECK_BURST, CHECKS_PER_S)
        self._reports = Budget(REPORT_BURST_BYTES, REPORT_BYTES_PER_S)
        self._records = Budget(RECORD_BURST, RECORDS_PER_S)
        self._garbage = Budget(GARBAGE_BURST, GARBAGE_PER_S)
        self._patience = Budget(PATIENCE, PATIENCE_PER_S)
        self._excess_ids: set[bytes] = set()
        self._reporters: set[bytes] = set()

    def take_check(self, now: float, *, is_new_path: bool) -> bool:
        """Say whether a check may be answered."""
        return self._checks.take(now, NEW_PATH_CHECKS if is_new_path else 1)

    def mind_check(self, now: float, transaction_id: bytes) -> bool:
        """Take note of a check with the viewer's password that was one too many; False when it is a repetition."""
        if transaction_id in self._excess_ids:
            return False
        if len(self._excess_ids) >= MAX_EXCESS_IDS:
            self._excess_ids.clear()
        self._excess_ids.add(transaction_id)
        self._patience.take(now)
        return True

    def may_report(self, ssrc: bytes) -> bool:
        """Say whether RTCP of this sender may be opened: one that is known, or one more of so many."""
        if len(self._reporters) < MAX_REPORTERS or ssrc in self._reporters:
            return True
        self._garbage.refused += 1
        return False

    def take_reporter(self, ssrc: bytes) -> None:
        """Take note of a sender whose RTCP the viewer's key opened."""
        self._reporters.add(ssrc)

    def take_report(self, now: float, size_bytes: int) -> bool:
        """Say whether RTCP that the viewer's key opened may be read."""
        if self._reports.take(now, max(size_bytes, MIN_REPORT_BYTES)):
            return True
        self._patience.take(now)
        return False

    def take_record(self, now: float) -> bool:
        """Say whether a DTLS datagram may be looked at."""
        return self._records.take(now)

    def may_try_key(self, now: float) -> bool:
        """Say whether we can still afford to try the viewer's key on a datagram."""
        if self._garbage.has(now):
            return True
        self._garbage.refused += 1
        return False

    def take_garbage(self, now: float) -> None:
        """Take note of a datagram that the viewer's key did not open."""
        self._garbage.take(now)

    @property
    def is_flooding(self) -> bool:
        """Whether the viewer itself asked for too much for too long."""
        return self._patience.refused > 0

    def refused(self) -> Refused:
        """Take a snapshot of what was dropped."""
        return Refused(self._checks.refused, self._reports.refused, self._records.refused, self._garbage.refused)
