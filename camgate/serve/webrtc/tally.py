"""What came of all viewers since the start: how long joins took, and what was sent, also to those who have left.

Looked at when somebody asks and when a viewer leaves, so that it costs nothing meanwhile. Runs no task.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from itertools import islice

from camgate.serve.webrtc.peer import Peer
from camgate.serve.webrtc.viewer import ViewerStatistics

JOIN_BOUNDS_S = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A join on a LAN takes 10-50 ms, 150 ms is what is aimed at, and pages give up after 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What all viewers of a camera were sent, and asked for again."""

    packets_sent: int = 0
    bytes_sent: int = 0
    frames_sent: int = 0
    frames_dropped: int = 0
    packets_retransmitted: int = 0
    nacks_received: int = 0
    key_frame_requests: int = 0

    def plus(self, viewer: ViewerStatistics) -> "Sent":
        """Add what one viewer has."""
        return Sent(**{each.name: getattr(self, each.name) + getattr(viewer, each.name) for each in fields(Sent)})


class Histogram:
    """Counts durations by upper bounds, in seconds, as Prometheus wants them."""

    def __init__(self, bounds_s: tuple[float, ...] = JOIN_BOUNDS_S) -> None:
        self._bounds_s = bounds_s
        self._counts = Counter[int]()
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        # A bound counts what is at most as long.
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many took at most each bound, and at last how many there were."""
        total, buckets = 0, []
        for place, bound in enumerate((*self._bounds_s, float("inf"))):
            total += self._counts[place]
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
        return buckets


class Tally:
    """Of one endpoint's viewers.

    connected: from the offer to the end of the DTLS handshake. first_frame: from the offer to the first frame that is
    on its way.
    """

    def __init__(self) -> None:
        self.connected = Histogram()
        self.first_frame = Histogram()
        self._gone: dict[str, Sent] = {}
        """By camera, of viewers who have left."""

    def look(self, peer: Peer) -> None:
        """Count what a viewer has come to since the last look."""
        reached_s = peer.milestones_s()
        both = zip((self.connected, self.first_frame), reached_s, strict=False)
        for histogram, seconds in islice(both, peer.tallied, None):
            histogram.observe(seconds)
        peer.tallied = len(reached_s)

    def say_goodbye(self, peer: Peer) -> None:
        """Keep what a viewer was sent, as it leaves."""
        self.look(peer)
        if peer.viewer is not None:
            self._gone[peer.camera] = self._gone.get(peer.camera, Sent()).plus(peer.viewer.statistics())

    def sent(self, peers: Iterable[Peer], cameras: Collection[str]) -> dict[str, Sent]:
        """Return what viewers were sent, by camera; other cameras are forgotten."""
        self._gone = {camera: sent for camera, sent in self._gone.items() if camera in cameras}
        sent = dict(self._gone)
        for peer in peers:
            if peer.viewer is not None and peer.camera in cameras:
                sent[peer.camera] = sent.get(peer.camera, Sent()).plus(peer.viewer.statistics())
        return sent
