"""Viewers who come, see a whole key frame, and leave: the benchmark's, one at a time or many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import trio
import trio.lowlevel

from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate
from camgate.wire.rtp.sequence import sequence_delta

HANG_S = 60.0
CONSENT_S = 2.5


class Watcher(Viewer):
    """A viewer that notes which packets of video come, and when."""

    def __init__(self, settings: ViewerSettings) -> None:
        super().__init__(settings)
        self.packets: list[tuple[int, float]] = []
        """Sequence number and time of arrival in seconds, of each as it came."""
        self.shown: dict[int, float] = {}
        """When the first packet of each RTP timestamp came."""
        self._take = self.reception.receive_packet
        self.reception.receive_packet = self._note  # type: ignore[method-assign]

    def _note(self, packet: bytes, arrival_s: float) -> None:
        self.packets.append((packet[2] << 8 | packet[3], arrival_s))
        self.shown.setdefault(int.from_bytes(packet[4:8], "big"), arrival_s)
        self._take(packet, arrival_s)

    @property
    def gaps(self) -> int:
        """How often a packet did not follow the one before it."""
        return sum((later[0] - earlier[0]) & 0xFFFF != 1 for earlier, later in pairwise(self.packets))

    @property
    def missing(self) -> list[int]:
        """Sequence numbers between the first and the newest one that did not come, not even late."""
        first = self.packets[0][0]
        came = {sequence_delta(sequence, first) for sequence, _ in self.packets}
        return [first + ahead & 0xFFFF for ahead in range(max(came)) if ahead not in came]

    @property
    def longest_pause_s(self) -> float:
        """The longest time between two packets."""
        return max((later[1] - earlier[1] for earlier, later in pairwise(self.packets)), default=0.0)


class Visitors:
    """All visitors of one camera, who share a certificate."""

    def __init__(self, url: str) -> None:
        self.count = 0
        self._url = url
        self._certificate = Certificate()

    def viewer(self, kind: type[Viewer] = Viewer, *, full: bool = False) -> Viewer:
        """Make a viewer with a socket of its own, who has asked for nothing yet. full: it reads every frame."""
        self.count += 1
        return kind(
            ViewerSettings(url=self._url, camera=0, number=self.count, full=full, certificate=self._certificate)
        )

    async def visit(self) -> None:
        """Come, see a key frame, and leave."""
        async with reading(self.viewer()) as (viewer, seen):
            await viewer.join()
            await seen.wait()

    async def visit_together(self, count: int, *, at_a_time: int = 20) -> None:
        """Let `count` visitors come and leave, so many of them at a time."""
        with trio.fail_after(HANG_S + count):
            async with trio.open_nursery() as nursery:
                for _ in range(at_a_time):
                    nursery.start_soon(self._visit_again, count // at_a_time)

    async def _visit_again(self, times: int) -> None:
        for _ in range(times):
            await self.visit()


@asynccontextmanager
async def reading(viewer: Viewer) -> AsyncIterator[tuple[Viewer, trio.Event]]:
    """Read what a viewer is sent, and close it in the end. Its event is set once it has seen a whole key frame."""
    seen = trio.Event()

    async def read() -> None:
        while True:
            # It may change its socket for another one.
            with suppress(trio.ClosedResourceError):
                await trio.lowlevel.wait_readable(viewer.sock)
            viewer.drain()
            if viewer.reception.key_frame_s is not None:
                seen.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            yield viewer, seen
            nursery.cancel_scope.cancel()
    finally:
        viewer.close()


@asynccontextmanager
async def staying(viewer: Viewer) -> AsyncIterator[tuple[Viewer, trio.Event]]:
    """As `reading`, of a viewer who says that it still watches, however long the test takes."""

    async def stay() -> None:
        while True:
            viewer.check_consent()
            viewer.report()
            await trio.sleep(CONSENT_S)

    async with reading(viewer) as found, trio.open_nursery() as nursery:
        nursery.start_soon(stay)
        yield found
        nursery.cancel_scope.cancel()
