"""Viewers by ICE-TCP on the whole server: pictures come, a slow one disturbs nobody, and who leaves is gone at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.config.model import CameraSettings, Settings, WebRtcSettings
from camgate.engine import Engine
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import VIDEO_FORMAT, make_frame
from tests.fakes.h264 import PPS, SPS
from tests.fakes.http import running_server
from tests.fakes.tcp_viewer import TcpViewer
from tests.fakes.visitors import Visitors, reading

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
PATIENCE_S = 30.0


class House:
    """The server's parts, and a camera that films when it is told to."""

    def __init__(self, source: Source, endpoint: Endpoint, visitors: Visitors) -> None:
        self.source = source
        self.endpoint = endpoint
        self.visitors = visitors
        self.number = 0

    async def film_until(self, seen: trio.Event) -> None:
        """Film at 50 fps until a viewer has seen a key frame."""
        while not seen.is_set():
            self.film(1)
            await trio.sleep(0.02)

    def film(self, frames: int, size: int = 2_000) -> None:
        for _ in range(frames):
            is_key = self.number % 25 == 0
            frame = make_frame(self.number, key=is_key, size=10 * size if is_key else size)
            nals = (SPS, PPS, *frame.nals) if is_key else frame.nals
            self.source.publish(Frame(nals, frame.rtp_time, trio.current_time(), is_key))
            self.number += 1


@asynccontextmanager
async def open_house(web: Path) -> AsyncIterator[House]:
    source, registry, endpoint = Source("front"), Registry(), Endpoint()
    registry.add(source)
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    settings = Settings(
        cameras={"front": CameraSettings(name="front", url="rtsp://192.0.2.1/")},
        webrtc=WebRtcSettings(advertise=(HOST,)),
    )
    endpoint.bind(0, tcp=True)
    TcpViewer.port = endpoint.port
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(endpoint.run)
            async with running_server(Engine(settings, registry, endpoint), web) as http:
                house = House(source, endpoint, Visitors(f"http://{HOST}:{http.port}/whep/front"))
                house.film(10)
                yield house
            nursery.cancel_scope.cancel()
    finally:
        endpoint.close()


async def test_pictures_come_from_the_cached_one_on_and_none_is_missing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, reading(house.visitors.viewer(TcpViewer)) as (viewer, seen):
        with trio.fail_after(PATIENCE_S):
            await viewer.join()
            await house.film_until(seen)
            peer = next(house.endpoint.peers())
            assert peer.transport == "tcp"
            for _ in range(40):
                house.film(1)
                await trio.sleep(0.005)
            await trio.sleep(0.2)
        assert viewer.gaps == 0
        assert peer.viewer is not None
        assert peer.viewer.frames_sent == house.number
        assert peer.viewer.frames_dropped == 0


async def test_who_leaves_is_gone_at_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        async with reading(house.visitors.viewer(TcpViewer)) as (viewer, seen):
            with trio.fail_after(PATIENCE_S):
                await viewer.join()
                await house.film_until(seen)
            viewer._dtls = None  # so that it says no goodbye, as a browser that is killed
        with trio.fail_after(PATIENCE_S / 3):
            while house.endpoint.viewer_count:  # noqa: ASYNC110 (a real connection's end)
                await trio.sleep(0.01)
        assert house.endpoint.statistics().tcp_connections == 0


async def test_one_that_takes_nothing_costs_the_others_nothing(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        reading(house.visitors.viewer(TcpViewer)) as (watcher, seen),
    ):
        with trio.fail_after(PATIENCE_S):
            await watcher.join()
            await house.film_until(seen)
            stuck = house.visitors.viewer(TcpViewer)
            async with reading(stuck) as (_, also_seen):
                await stuck.join()
                await house.film_until(also_seen)
            # That one has left; another one stays, and reads no more.
            deaf = house.visitors.viewer(TcpViewer)
            async with trio.open_nursery() as nursery:

                async def read_until_joined() -> None:
                    while True:
                        await trio.lowlevel.wait_readable(deaf.sock)
                        deaf.drain()

                nursery.start_soon(read_until_joined)
                await deaf.join()
                nursery.cancel_scope.cancel()
            for _ in range(100):
                house.film(1, size=60_000)
                await trio.sleep(0.01)
            await trio.sleep(0.3)
        peers = list(house.endpoint.peers())
        dropped = sorted(peer.viewer.frames_dropped for peer in peers if peer.viewer is not None)
        assert watcher.gaps == 0
        assert dropped[0] == 0, "the watcher got all"
        assert dropped[-1] > 0, "what the deaf one does not take is left out"
        deaf.close()
