"""A pace for a viewer whose path does not take a large frame at once; most viewers have none.

A key frame is ten to thirty times as large as other frames. Sent in one go it overflows the queue before a slow link.
What is lost is asked for again, sent at once again and lost again, together with live frames: the link carries three
times the stream, and the viewer sees nothing (docs/design/loss.md). So when a viewer misses many packets at once, its
large frames, bursts and repeats leave at a multiple of the stream's own rate from then on.

Knows numbers only; `recovery` sends.
"""

import heapq

from camgate.serve.webrtc.packets import PacketizedFrame

FIRST_FACTOR = 4.0
"""Times the stream's rate: a link that takes join bursts, but not the largest frame, need not be slowed down more."""
BURST_FACTOR = 1.5
"""After a join burst was lost: that is as long as many frames, and would overflow a slow link at each higher factor."""
LEAST_FACTOR = 1.25
"""With less, what was queued would hardly be caught up with."""
SLOWER = 0.65
FASTER = 1.15
"""Each key frame: in twelve of them from BURST_FACTOR to FAST_ENOUGH, if nothing is lost."""
SAFE = 0.8
"""Times the factor that was too much, for as long as that is remembered."""
REMEMBERED_S = 60.0
MAX_REMEMBERED_S = 960.0
"""A limit is remembered for twice as long each time that it is found again: to find it costs a freeze."""
FAST_ENOUGH = 8.0
"""A key frame of 80 kB and 2 Mbit/s leaves within 40 ms: the pace can go."""
LEAST_BYTES_PER_S = 32_000.0
"""For streams whose rate is not known yet."""

Found = tuple[PacketizedFrame, int, int]
"""A packet that was sent: its frame, its place in it, and the offset that it was numbered under."""


class Pace:
    """How fast one viewer is sent to, and what waits to be sent to it again.

    bytes_per_s: follows the stream's rate. since_index: losses of packets before this viewer index are not its fault.
    """

    __slots__ = (
        "_factor",
        "_free_s",
        "_limit",
        "_limit_until_s",
        "_order",
        "_remembered_s",
        "_repeats",
        "bytes_per_s",
        "since_index",
    )

    def __init__(self, next_index: int, stream_bytes_per_s: float, *, in_burst: bool) -> None:
        self._factor = BURST_FACTOR if in_burst else FIRST_FACTOR
        self._limit = float("inf")
        self._limit_until_s = float("-inf")
        self._remembered_s = REMEMBERED_S
        self._free_s = float("-inf")
        self._repeats: dict[int, Found] = {}
        self._order: list[int] = []
        self.since_index = next_index
        self.follow(stream_bytes_per_s)

    def follow(self, stream_bytes_per_s: float) -> None:
        """Go with the stream's rate: a scene that moves takes more than a still one."""
        self.bytes_per_s = max(LEAST_BYTES_PER_S, self._factor * stream_bytes_per_s)

    def slow_down(self, now: float, next_index: int, stream_bytes_per_s: float) -> None:
        """The path lost much again of what was sent at this pace."""
        self._limit, self._limit_until_s = self._factor, now + self._remembered_s
        self._remembered_s = min(MAX_REMEMBERED_S, 2 * self._remembered_s)
        self._factor = max(LEAST_FACTOR, SLOWER * self._factor)
        self.since_index = next_index
        self.follow(stream_bytes_per_s)

    def speed_up(self, now: float, stream_bytes_per_s: float) -> bool:
        """Go a little faster with each key frame; False when no pace is needed any more."""
        limit = SAFE * self._limit if now < self._limit_until_s else float("inf")
        self._factor = max(self._factor, min(FASTER * self._factor, limit))
        self.follow(stream_bytes_per_s)
        return self._factor < FAST_ENOUGH

    def rest_s(self, octets: int, now: float) -> float:
        """Take note of what was sent; returns when the next may follow, in seconds from now."""
        self._free_s = max(self._free_s, now) + octets / self.bytes_per_s
        return self._free_s - now

    def repeat(self, index: int, found: Found) -> None:
        """Send a packet again when its turn comes."""
        if index not in self._repeats:
            heapq.heappush(self._order, index)
            self._repeats[index] = found

    def next_repeat(self) -> tuple[int, Found] | None:
        """Return the oldest packet that is to be sent again, as decoding waits for it; None when there is none."""
        if not self._order:
            return None
        index = heapq.heappop(self._order)
        return index, self._repeats.pop(index)

    def will_repeat(self, index: int) -> bool:
        """Say whether a packet waits to be sent again."""
        return index in self._repeats

    @property
    def repeats(self) -> int:
        """How many packets wait to be sent again."""
        return len(self._order)

    def forget_repeats(self) -> None:
        """A key frame makes them useless."""
        self._order.clear()
        self._repeats.clear()
