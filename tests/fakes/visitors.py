"""Viewers who come, see a whole key frame, and leave: the benchmark's, one at a time or many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.lowlevel

from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate

HANG_S = 60.0


class Visitors:
    """All visitors of one camera, who share a certificate."""

    def __init__(self, url: str) -> None:
        self.count = 0
        self._url = url
        self._certificate = Certificate()

    def viewer(self, kind: type[Viewer] = Viewer) -> Viewer:
        """Make a viewer with a socket of its own, who has asked for nothing yet."""
        self.count += 1
        return kind(
            ViewerSettings(url=self._url, camera=0, number=self.count, full=False, certificate=self._certificate)
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
