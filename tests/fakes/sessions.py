"""A session against a `FakeCamera`, as tests run it: for a while, or until it fails."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from camgate.base.errors import RemoteError
from camgate.config.model import CameraSettings, Transport
from camgate.ingest.intake import open_intake
from camgate.ingest.play import play_camera
from camgate.ingest.transports import Transports
from camgate.ingest.udp import UdpMedia
from camgate.relay.source import Reception
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.track import Track
from tests.fakes.camera import FakeCamera

VIRTUAL_LIMIT_S = 1000
"""Virtual time for ever is real time for ever: what should have ended by then has failed."""


class Sink:
    """A session's listener that keeps what it is told."""

    def __init__(self) -> None:
        self.described: list[Described] = []
        self.playing: list[Track] = []
        self.formats: list[VideoFormat] = []
        self.frames: list[Frame] = []
        self.audio: list[AudioFormat | None] = []
        self.audio_frames: list[Frame] = []
        self.reception: Callable[[], Reception] = Reception
        self.reports: list[tuple[str, SenderReport]] = []

    def on_described(self, camera: Described) -> None:
        self.described.append(camera)

    def on_playing(self, track: Track, audio: AudioFormat | None) -> None:
        self.playing.append(track)
        self.audio.append(audio)

    def on_reception(self, read: Callable[[], Reception]) -> None:
        self.reception = read

    def on_format(self, video: VideoFormat) -> None:
        self.formats.append(video)

    def on_frames(self, frames: list[Frame]) -> None:
        self.frames += frames

    def on_audio_frames(self, frames: list[Frame]) -> None:
        self.audio_frames += frames

    def on_video_report(self, report: SenderReport) -> None:
        self.reports.append(("video", report))

    def on_audio_report(self, report: SenderReport) -> None:
        self.reports.append(("audio", report))


def settings(
    camera: FakeCamera, password: str | None = None, *, audio: bool = True, transport: Transport = Transport.AUTO
) -> CameraSettings:
    username = None if password is None else "admin"
    url = "rtsp://192.0.2.7/stream"
    return CameraSettings(name="front", url=url, username=username, password=password, audio=audio, transport=transport)


@asynccontextmanager
async def serving(camera: FakeCamera) -> AsyncIterator[None]:
    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(camera.run)
            yield
            nursery.cancel_scope.cancel()


async def play(
    camera: FakeCamera,
    *,
    sink: Sink | None = None,
    password: str | None = None,
    audio: bool = True,
    transport: Transport = Transport.AUTO,
    transports: Transports | None = None,
) -> None:
    connection = await camera.dial("192.0.2.7", 554, 5)
    open_udp = camera.udp.open_udp if camera.udp is not None else UdpMedia.beside
    async with open_intake(camera.dial, open_udp) as intake:
        options = settings(camera, password, audio=audio, transport=transport)
        await play_camera(options, connection, sink or Sink(), intake, transports)


async def play_for(camera: FakeCamera, seconds: float, **kwargs: Any) -> None:
    with trio.move_on_after(seconds):
        await play(camera, **kwargs)


async def error_of(
    camera: FakeCamera, password: str | None = None, *, transport: Transport = Transport.AUTO
) -> RemoteError:
    async with serving(camera):
        try:
            await play(camera, password=password, transport=transport)
        except RemoteError as error:
            return error
