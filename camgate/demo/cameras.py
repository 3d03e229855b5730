"""The two built-in cameras: what they look like, and the RTSP server on loopback that they stand behind."""

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import trio

from camgate.config.model import CameraSettings
from camgate.demo.encoder import EncodedPicture, Encoder
from camgate.demo.film import film
from camgate.demo.picture import Picture
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.serve.rtsp.listener import serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.wire.rtsp.server_login import Users, hash_password

HOST = "127.0.0.1"
USERNAME = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCamera:
    """One camera. `hue` is the background's (Cb, Cr); `asks_for_password` makes it want a Digest login."""

    name: str
    title: str
    number: int
    width: int
    height: int
    fps: int
    hue: tuple[int, int]
    asks_for_password: bool = False


CAMERAS = (
    DemoCamera(
        name="front-door",
        title="Front door (demo)",
        number=1,
        width=1280,
        height=720,
        fps=25,
        hue=(140, 118),
        asks_for_password=True,
    ),
    DemoCamera(name="garden", title="Garden (demo)", number=2, width=640, height=360, fps=15, hue=(112, 116)),
)


@asynccontextmanager
async def open_demo_cameras() -> AsyncIterator[dict[str, CameraSettings]]:
    """Run the cameras for the time of the block; gives their settings, with which camgate reaches them, by name.

    They outlast a cancelled block to its very end, so that camgate can hang up in good order.
    """
    users = {camera.name: {USERNAME: secrets.token_urlsafe(12)} for camera in CAMERAS if camera.asks_for_password}
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    port = listeners[0].socket.getsockname()[1]
    studio = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        await nursery.start(_run_cameras, studio, listeners, users)
        studio.shield = True
        try:
            yield {camera.name: _settings(camera, port, users) for camera in CAMERAS}
        finally:
            studio.cancel()


async def _run_cameras(
    studio: trio.CancelScope,
    listeners: list[trio.SocketListener],
    users: Mapping[str, Mapping[str, str]],
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    registry = Registry()
    with studio:
        async with trio.open_nursery() as nursery:
            for camera in CAMERAS:
                source = Source(camera.name, title=camera.title)
                registry.add(source)
                nursery.start_soon(_run_camera, camera, source)
            service = RtspService(registry=registry, access=_kept(users).get)
            await nursery.start(partial(serve_rtsp, listeners, service))
            task_status.started()


async def _run_camera(camera: DemoCamera, source: Source) -> None:
    studio = await trio.to_thread.run_sync(_Studio, camera)

    async def take(frame: int, slot: int) -> EncodedPicture:
        return await trio.to_thread.run_sync(studio.take, frame, slot)

    await film(source, camera.fps, take)


def _kept(users: Mapping[str, Mapping[str, str]]) -> dict[str, Users]:
    return {
        camera: {name: hash_password(name, password) for name, password in logins.items()}
        for camera, logins in users.items()
    }


class _Studio:
    """Draws and encodes one camera's pictures; lives in worker threads, one call at a time."""

    def __init__(self, camera: DemoCamera) -> None:
        self._fps = camera.fps
        self._encoder = Encoder(width=camera.width, height=camera.height, fps=camera.fps)
        self._picture = Picture(self._encoder.canvas, name=camera.name, number=camera.number, hue=camera.hue)

    def take(self, frame: int, slot: int) -> EncodedPicture:
        self._picture.draw(frame, slot / self._fps, time.time())
        return self._encoder.encode(slot)


def _settings(camera: DemoCamera, port: int, users: Mapping[str, Mapping[str, str]]) -> CameraSettings:
    login = users.get(camera.name, {})
    return CameraSettings(
        name=camera.name,
        title=camera.title,
        url=f"rtsp://{HOST}:{port}/{camera.name}",
        username=USERNAME if login else None,
        password=login.get(USERNAME),
    )
