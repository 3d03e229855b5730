"""The real ingest in front of a camera of the zoo: dial, supervisor, session, stream, and one reader who notes all."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from random import Random

import trio

from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.supervisor import run_camera
from camgate.ingest.udp import UdpMedia
from camgate.relay.source import CameraState, Source
from camgate.wire.codec.frame import Frame
from camgate.wire.rtsp.url import split_url_untrusted
from tests.fakes.camera import FakeCamera
from tests.fakes.film import numbers_of

VIRTUAL_LIMIT_S = 1000
"""Virtual time for ever is real time for ever: what should have ended by then has failed."""

CLOCK_HZ = 90_000


class Show:
    """What a viewer of one camera gets: its source, all frames in order, and each state that it went through."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames: list[Frame] = []
        self.states: list[tuple[CameraState, str | None]] = []
        self._arrived = trio.Event()
        source.on_change = self._note

    def _note(self) -> None:
        self.states.append((self.source.state, self.source.last_error))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the film's pictures that came, in the order in which they came."""
        return [number for frame in self.frames for number in numbers_of(frame.nals)]

    @property
    def words(self) -> list[str]:
        """All that was said of why there are no pictures, each once."""
        return list(dict.fromkeys(words for _, words in self.states if words))

    async def read(self) -> None:
        with self.source.stream.subscribe() as subscription:
            while True:
                self.frames.append(await subscription.receive())
                self._arrived.set()
                self._arrived = trio.Event()

    async def wait_frames(self, count: int) -> None:
        """Return once so many frames have come since the beginning."""
        while len(self.frames) < count:
            await self._arrived.wait()

    async def wait(self, state: CameraState) -> None:
        while self.source.state is not state:
            await self.source.changes.wait_changed(self.source.changes.revision)

    def assert_whole(self, count: int, *, first: int = 0) -> None:
        """All pictures from `first` on came whole and in order, at least `count`, on a time that follows real time."""
        assert self.source.state is CameraState.LIVE, self.words
        assert self.words == []
        assert self.numbers[:count] == list(range(first, first + count))
        assert len(self.numbers) == len(self.frames)
        assert self.frames[0].is_key
        self.assert_on_time()

    def assert_on_time(self, within_s: float = 0.045) -> None:
        """Time rises with every frame, and is real time."""
        assert all(later.rtp_time > earlier.rtp_time for earlier, later in pairwise(self.frames))
        apart = [abs(frame.rtp_time / CLOCK_HZ - frame.arrival_s) for frame in self.frames]
        assert max(apart) <= within_s, max(apart)


@asynccontextmanager
async def shown(
    camera: FakeCamera,
    *,
    username: str | None = None,
    password: str | None = None,
    settings: CameraSettings | None = None,
) -> AsyncIterator[Show]:
    """Show a camera to one viewer for the time of the block."""
    if settings is None:
        settings = CameraSettings(name="liar", url="rtsp://192.0.2.7/stream", username=username, password=password)
    async with _shown_all({settings: camera}) as (show,):
        yield show


@asynccontextmanager
async def shown_together(*cameras: FakeCamera) -> AsyncIterator[list[Show]]:
    """Show several cameras, each to a viewer of its own, for the time of the block."""
    named = {
        CameraSettings(name=f"liar-{number}", url=f"rtsp://192.0.2.{number}/stream"): camera
        for number, camera in enumerate(cameras, 7)
    }
    async with _shown_all(named) as shows:
        yield shows


@asynccontextmanager
async def _shown_all(cameras: dict[CameraSettings, FakeCamera]) -> AsyncIterator[list[Show]]:
    by_host = {split_url_untrusted(settings.url).host: camera for settings, camera in cameras.items()}
    shows = {settings: Show(Source(settings.name)) for settings in cameras}

    async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
        return await by_host[host].dial(host, port, timeout_s)

    open_udp = next((camera.udp.open_udp for camera in cameras.values() if camera.udp), UdpMedia.beside)
    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as outside:
            for camera in cameras.values():
                outside.start_soon(camera.run)
            async with open_intake(dial, open_udp) as intake, trio.open_nursery() as inside:
                for settings, show in shows.items():
                    inside.start_soon(show.read)
                    inside.start_soon(partial(run_camera, settings, show.source, intake, random=Random(1)))
                yield list(shows.values())
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()
