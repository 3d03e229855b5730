"""The whole server on loopback in this process, and a camera in it that films when it is told to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from camgate.auth.access import Access
from camgate.config.model import CameraSettings, LimitSettings, Settings, WebRtcSettings
from camgate.engine import Engine
from camgate.metrics.page import Metrics
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.http.metrics import ForMachines
from camgate.serve.http.server import NO_LIMITS
from camgate.serve.webrtc.endpoint import Endpoint
from tests.fakes.endpoint import running_endpoint
from tests.fakes.frames import VIDEO_FORMAT, film_frame
from tests.fakes.http import Server, running_server
from tests.fakes.visitors import Visitors

HOST = "127.0.0.1"
GOP = 25


class House:
    """The server's parts, its camera `front`, and who visits that."""

    def __init__(self, source: Source, endpoint: Endpoint, http: Server, registry: Registry, metrics: Metrics) -> None:
        self.source = source
        self.metrics = metrics
        self._registry = registry
        self.endpoint = endpoint
        self.http = http
        self.visitors = Visitors(f"http://{HOST}:{http.port}/whep/front")
        self.number = 0
        """Of the next frame."""

    def add_cameras(self, count: int) -> None:
        """Add cameras that are away."""
        for number in range(count):
            self._registry.add(Source(f"other{number}"))

    def film(self, frames: int, size: int = 2_000) -> None:
        """Film so many frames of so many bytes now; every 25th is a key frame, ten times as large."""
        for _ in range(frames):
            is_key = self.number % GOP == 0
            self.source.publish(film_frame(self.number, key=is_key, size=10 * size if is_key else size))
            self.number += 1


@asynccontextmanager
async def open_house(
    web: Path, *, tcp: bool = False, access: Access | None = None, limits: LimitSettings = NO_LIMITS
) -> AsyncIterator[House]:
    """Run the server until the end. `access` None: everybody may do everything."""
    source, registry = Source("front"), Registry()
    registry.add(source)
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    settings = Settings(
        cameras={"front": CameraSettings(name="front", url="rtsp://192.0.2.1/")},
        webrtc=WebRtcSettings(advertise=(HOST,)),
        limits=limits,
    )
    async with running_endpoint(tcp=tcp) as endpoint:
        engine = Engine(settings, registry, endpoint)
        metrics = Metrics(registry, endpoint, engine.load, access or Access())
        machines = ForMachines(metrics)
        async with running_server(engine, web, access=access, limits=limits, machines=machines) as http:
            yield House(source, endpoint, http, registry, metrics)
