"""A whole camgate in this process, run from a config file that a test changes, on RTSP cameras that always film."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import trio

from camgate import app
from camgate.config.load import load
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.reload.reloader import ConfigSource
from camgate.serve.rtsp.guests import Guests
from camgate.serve.rtsp.listener import serve_rtsp
from camgate.serve.rtsp.service import RtspService
from tests.fakes.frames import VIDEO_FORMAT, film_frame
from tests.fakes.visitors import Visitors

HOST = "127.0.0.1"
FPS = 25
GOP = 5
HANG_S = 60.0
"""Not a measurement: what has not happened by then has failed."""


class FilmingCameras:
    """RTSP cameras by name, which film from the start on."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.registry = Registry()
        self.guests = Guests(max_clients=100, max_clients_per_address=100)
        self.port = 0
        for name in names:
            self.registry.add(Source(name))

    def url(self, name: str) -> str:
        return f"rtsp://{HOST}:{self.port}/{name}"

    def playing(self) -> dict[str, str]:
        """By camera, the address from which it is played: another one after each new connection."""
        return {client.camera: client.address for client in self.guests.clients()}

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            for source in self.registry.sources():
                nursery.start_soon(_film, source)
            service = RtspService(registry=self.registry, guests=self.guests)
            await nursery.start(partial(serve_rtsp, listeners, service))
            task_status.started()


async def _film(source: Source) -> None:
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    began_s, number = trio.current_time(), 0
    while True:
        is_key = number % GOP == 0
        source.publish(film_frame(number, key=is_key, size=2_000 if is_key else 500))
        number += 1
        await trio.sleep_until(began_s + number / FPS)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds that sockets, or other processes, bring about."""
    with trio.fail_after(HANG_S):
        while not await condition():  # noqa: ASYNC110 (the network)
            await trio.sleep(0.02)


@dataclass(frozen=True)
class Site:
    """The running camgate. file: its config; api: asks it; filming: its cameras."""

    url: str
    file: Path
    api: httpx.AsyncClient
    filming: FilmingCameras

    def write(self, cameras: str, more: str = "") -> None:
        """Replace the config, as editors do: in one step. cameras: their tables, `{url}` before a camera's name."""
        write_config(self.file, self.filming, cameras, more)

    async def cameras(self) -> dict[str, dict[str, object]]:
        """What the API tells of all cameras, by name."""
        listed = (await self.api.get("/api/v1/cameras")).json()
        return {camera["name"]: camera for camera in listed}

    async def wait_live(self, *names: str) -> None:
        """Wait until exactly these cameras are there, and live."""

        wanted = dict.fromkeys(names, "live")

        async def are_live() -> bool:
            return {name: facts["state"] for name, facts in (await self.cameras()).items()} == wanted

        await eventually(are_live)

    def visitors(self, camera: str) -> Visitors:
        return Visitors(f"{self.url}whep/{camera}")


def write_config(file: Path, filming: FilmingCameras, cameras: str, more: str = "") -> None:
    listen = f'[server]\nlisten = "{HOST}:0"\nstate_directory = "{file.parent}/state"\nunix_socket = "c"\n'
    listen += f'[webrtc]\nport = 0\nadvertise = ["{HOST}"]\n[limits]\nmax_load = 2\nmax_lag_s = 60\nmax_delay_s = 60\n'
    new = file.with_suffix(".new")
    new.write_text(listen + more + cameras.replace("{url}", filming.url("")))
    new.replace(file)


@asynccontextmanager
async def running_site(
    directory: Path,
    cameras: str,
    more: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    names: tuple[str, ...] = ("one", "two", "three"),
) -> AsyncIterator[Site]:
    """Run camgate with these cameras for the time of the block; those called `names` are there to be named."""
    filming = FilmingCameras(names)
    file = directory / "camgate.toml"
    with trio.fail_after(2 * HANG_S):
        async with trio.open_nursery() as outside:
            await outside.start(filming.run)
            write_config(file, filming, cameras, more)
            async with trio.open_nursery() as nursery:
                source = ConfigSource.of(file, {}, load(file, {}, needs_cameras=False))
                settings, saved = source.begin()
                url = await nursery.start(partial(app.run, settings, source=source, saved=saved))
                async with httpx.AsyncClient(base_url=url, timeout=HANG_S, trust_env=False, headers=headers) as api:
                    yield Site(url, file, api, filming)
                nursery.cancel_scope.cancel()
            outside.cancel_scope.cancel()
