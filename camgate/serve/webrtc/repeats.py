"""What one viewer asked for again, and when it was sent: no packet twice within a round trip, and how bad its path is.

Browsers that only receive know no round trip: they ask each 100 ms, also where an answer takes 300 ms.
"""

DEFAULT_ROUND_TRIP_S = 0.1
"""Until a report has told it: how often browsers ask."""
KEPT_S = 2.0
"""No round trip that can be watched over is longer."""
EARLY = 0.9
"""Of a round trip: the reports that tell it are up to a second old."""
BAD_SHARE = 0.01
"""Of the packets sent: at 25 frames a second of 8 packets, a browser without delay stutters twice a second."""
BAD_SECONDS = 3
"""In a row; one alone passes."""


class Repeats:
    """The memory of one viewer's NACKs; next to nothing while it sends none."""

    __slots__ = ("_asked", "_bad_seconds", "_newest", "_sent_before", "_sent_s")

    def __init__(self) -> None:
        self._asked = self._bad_seconds = 0
        self._newest = -1
        self._sent_before = 0
        self._sent_s: dict[int, float] = {}

    def is_on_its_way(self, index: int, now: float, round_trip_s: float | None) -> bool:
        """Say whether a packet was sent again so lately that the viewer asked before it could arrive."""
        sent_s = self._sent_s.get(index)
        # A step of the wall clock makes a report tell any round trip.
        round_trip_s = min(round_trip_s or DEFAULT_ROUND_TRIP_S, KEPT_S)
        return sent_s is not None and now - sent_s < EARLY * round_trip_s

    def note_sent(self, index: int, now: float) -> None:
        """A packet is sent again."""
        sent_s = self._sent_s
        sent_s.pop(index, None)
        sent_s[index] = now
        # Ordered by time, as each goes to the end.
        while sent_s[first := next(iter(sent_s))] < now - KEPT_S:
            del sent_s[first]

    def count_new(self, indices: list[int]) -> int:
        """Return how many packets are asked for that are newer than all asked for before: lost just now."""
        new = [index for index in indices if index > self._newest]
        if new:
            self._newest = max(new)
            self._asked += len(new)
        return len(new)

    def is_path_bad(self, packets_sent: int, loss_fraction: float) -> bool:
        """Say, once a second, whether much is lost.

        packets_sent: since the beginning. loss_fraction: of the viewer's last report. Either alone proves nothing:
        what comes out of order is asked for, too, and reports may count what was never asked for.
        """
        sent, self._sent_before = packets_sent - self._sent_before, packets_sent
        asked, self._asked = self._asked, 0
        is_bad = asked > BAD_SHARE * sent and loss_fraction > BAD_SHARE / 2
        self._bad_seconds = self._bad_seconds + 1 if is_bad else 0
        return self._bad_seconds >= BAD_SECONDS
