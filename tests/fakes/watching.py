"""camgate's supervisor on a real RTSP server, and what a reader of its stream sees."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from camgate.config.model import CameraSettings
from camgate.demo.blocks import Blocks
from camgate.ingest.intake import OpenUdp, open_intake
from camgate.ingest.supervisor import run_camera
from camgate.ingest.udp import UdpMedia
from camgate.relay.source import CameraState, Source
from camgate.wire.codec.frame import Frame
from tests.fakes.decode import BlocksDecoder
from tests.fakes.gst import GstCamera

PATIENCE_S = 20
"""Generous, for machines that do much else; a failure shows as a message, not as a hang."""


@asynccontextmanager
async def watching(
    camera: GstCamera, *, password: str | None = None, open_udp: OpenUdp = UdpMedia.beside, **options: Any
) -> AsyncIterator["Viewing"]:
    """Run camgate's supervisor on a camera and read its stream for the time of the block.

    options: more of `CameraSettings`. A machine that does much else stalls a camera for seconds, so that one counts as
    stalled only after `PATIENCE_S`, where a test does not say otherwise.
    """
    username = None if password is None else "admin"
    login = {"username": username, "password": password}
    settings = CameraSettings(name="gst", url=camera.url, **login, **{"stall_timeout_s": PATIENCE_S, **options})
    viewing = Viewing(Source("gst"))
    with trio.fail_after(3 * PATIENCE_S):
        async with open_intake(open_udp=open_udp) as intake, trio.open_nursery() as nursery:
            nursery.start_soon(viewing.read)
            nursery.start_soon(run_camera, settings, viewing.source, intake)
            yield viewing
            nursery.cancel_scope.cancel()


class Viewing:
    """A source, and the frames that one reader got from its stream."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames: list[Frame] = []
        self._arrived = trio.Event()

    async def read(self) -> None:
        with self.source.stream.subscribe() as subscription:
            while True:
                self.frames.append(await subscription.receive())
                self._arrived.set()
                self._arrived = trio.Event()

    async def wait_frames(self, count: int) -> list[Frame]:
        """Return `count` frames that arrive from now on."""
        start = len(self.frames)
        with trio.fail_after(PATIENCE_S):
            while len(self.frames) < start + count:
                await self._arrived.wait()
        return self.frames[start : start + count]

    async def wait_state(self, state: CameraState) -> None:
        with trio.fail_after(PATIENCE_S):
            while self.source.state is not state:
                await self.source.changes.wait_changed(self.source.changes.revision)

    async def wait_error(self, words: str) -> None:
        with trio.fail_after(PATIENCE_S):
            while words not in str(self.source.last_error):
                await self.source.changes.wait_changed(self.source.changes.revision)


def assert_counter_rises(frames: list[Frame], *, codec: str = "H264") -> list[Blocks]:
    """Decode frames, the first of which is a key frame, and return what their blocks say."""
    decoder = BlocksDecoder(codec)
    blocks = decoder.decode_all(frames)
    assert decoder.broken == 0
    assert decoder.pictures == len(frames)
    sound = [block for block in blocks if block is not None]
    assert len(sound) == len(blocks), f"{len(blocks) - len(sound)} of {len(blocks)} pictures are damaged"
    assert all(later.frame > earlier.frame for earlier, later in itertools.pairwise(sound))
    return sound


def assert_time_rises(frames: list[Frame]) -> None:
    assert all(later.rtp_time > earlier.rtp_time for earlier, later in itertools.pairwise(frames))
