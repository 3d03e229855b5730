"""Floods of HTTP beside a viewer who must miss nothing: no packet is skipped, and none is long in coming.

The whole server in this process, with the limits that it has by default; the flood comes from 127.0.0.1, whoever
else asks from 127.0.0.2.
"""

import json
import resource
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from camgate.auth.access import Access
from camgate.bench.viewer import Viewer, ViewerSettings
from camgate.config.model import CameraSettings, LimitSettings, Settings, WebRtcSettings
from camgate.engine import Engine
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.wire.codec.frame import Frame
from tests.fakes.accounts import access_for, basic
from tests.fakes.frames import VIDEO_FORMAT, make_frame
from tests.fakes.h264 import PPS, SPS
from tests.fakes.http import Server, running_server
from tests.fakes.visitors import Visitors, reading

pytestmark = pytest.mark.interop

HOST, OTHER_HOST = "127.0.0.1", "127.0.0.2"
PATIENCE_S = 60.0
FLOOD_S = 1.0
FPS = 25
LONGEST_PAUSE_S = 2.5
"""Ten times what the queues bound."""
IDLE_CONNECTIONS = 10_000
PING = b"\x89\x80\x00\x00\x00\x00"
"""The shortest WebSocket frame that is answered (RFC 6455 section 5.5.2)."""
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Watcher(Viewer):
    """A viewer that takes every packet, and notes which and when."""

    def __init__(self, settings: ViewerSettings) -> None:
        super().__init__(replace(settings, full=True))
        self.packets: list[tuple[int, float]] = []
        self._take = self.reception.receive_packet
        self.reception.receive_packet = self._note  # type: ignore[method-assign]

    def _note(self, packet: bytes, arrival_s: float) -> None:
        self.packets.append((packet[2] << 8 | packet[3], arrival_s))
        self._take(packet, arrival_s)

    @property
    def gaps(self) -> int:
        return sum((later[0] - earlier[0]) & 0xFFFF != 1 for earlier, later in pairwise(self.packets))

    @property
    def longest_pause_s(self) -> float:
        return max((later[1] - earlier[1] for earlier, later in pairwise(self.packets)), default=0.0)


@dataclass
class House:
    """The server, and the one who watches its camera."""

    http: Server
    watcher: Watcher
    refused: list[str] = field(default_factory=list)

    async def ask_from_elsewhere(self) -> int:
        """Return the status that somebody else is answered."""
        stream = await trio.open_tcp_stream(HOST, self.http.port, local_address=OTHER_HOST)
        async with stream:
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return int((await stream.receive_some(1000)).split()[1])


@asynccontextmanager
async def open_house(web: Path, access: Access | None = None) -> AsyncIterator[House]:
    source, registry, endpoint = Source("front"), Registry(), Endpoint()
    registry.add(source)
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    settings = Settings(
        cameras={"front": CameraSettings(name="front", url="rtsp://192.0.2.1/")},
        webrtc=WebRtcSettings(advertise=(HOST,)),
        limits=LimitSettings(max_load=2, max_lag_s=60, max_delay_s=60),
    )

    async def film() -> None:
        number, began_s = 0, trio.current_time()
        while True:
            is_key = number % FPS == 0
            frame = make_frame(number, key=is_key, size=20_000 if is_key else 2_000)
            nals = (SPS, PPS, *frame.nals) if is_key else frame.nals
            source.publish(Frame(nals, frame.rtp_time, trio.current_time(), is_key))
            number += 1
            await trio.sleep_until(began_s + number / FPS)

    endpoint.bind(0)
    try:
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                await nursery.start(endpoint.run)
                nursery.start_soon(film)
                engine = Engine(settings, registry, endpoint)
                async with running_server(engine, web, access=access, limits=settings.limits) as http:
                    authorization = basic("victor")["Authorization"] if access else None
                    visitors = Visitors(f"http://{HOST}:{http.port}/whep/front")
                    watcher = visitors.viewer(Watcher)
                    assert isinstance(watcher, Watcher)
                    watcher.settings = replace(watcher.settings, authorization=authorization)
                    async with reading(watcher):
                        await watcher.join()
                        yield House(http, watcher)
                nursery.cancel_scope.cancel()
    finally:
        endpoint.close()


async def stays_undisturbed(house: House, flood: Callable[[], Awaitable[object]]) -> None:
    """Run a flood for a while; nothing may be missing, before, amid or behind it."""
    await trio.sleep(0.5)
    began_s = time.monotonic()
    await flood()
    await trio.sleep(max(0.0, FLOOD_S - (time.monotonic() - began_s)))
    assert await house.ask_from_elsewhere() == 200
    await trio.sleep(0.5)
    watcher = house.watcher
    assert len(watcher.packets) > FPS
    assert watcher.gaps == 0
    assert watcher.longest_pause_s < LONGEST_PAUSE_S


async def test_ten_thousand_idle_connections(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held: list[socket.socket] = []

    async def flood() -> None:
        for number in range(IDLE_CONNECTIONS):
            sock = socket.socket()
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect((HOST, house.http.port))
            held.append(sock)
            if number % 50 == 0:
                await trio.lowlevel.checkpoint()

    try:
        async with open_house(tmp_path) as house:
            await stays_undisturbed(house, flood)
    finally:
        for sock in held:
            sock.close()
    assert len(held) == IDLE_CONNECTIONS


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /whep/front HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
        b"Content-Length: 60000\r\n\r\nv=0",
    ],
    ids=["half a head", "half a body"],
)
async def test_requests_that_never_end(tmp_path: Path, said: bytes) -> None:
    async with open_house(tmp_path) as house, trio.open_nursery() as nursery:

        async def speak_slowly() -> None:
            stream = await trio.open_tcp_stream(HOST, house.http.port)
            async with stream:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(said)
                    while True:
                        await trio.sleep(0.2)
                        await stream.send_all(b"a")

        async def flood() -> None:
            for _ in range(300):
                nursery.start_soon(speak_slowly)
            await trio.sleep(FLOOD_S)

        await stays_undisturbed(house, flood)
        nursery.cancel_scope.cancel()


async def test_a_flood_of_pings(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:

        async def flood() -> None:
            stream = await trio.open_tcp_stream(HOST, house.http.port)
            async with stream, trio.open_nursery() as nursery:
                await stream.send_all(UPGRADE)

                async def drain() -> None:
                    with suppress(trio.BrokenResourceError):
                        while await stream.receive_some(65536):
                            pass

                nursery.start_soon(drain)
                with trio.move_on_after(FLOOD_S), suppress(trio.BrokenResourceError):
                    while True:
                        await stream.send_all(PING * 2000)
                nursery.cancel_scope.cancel()

        await stays_undisturbed(house, flood)


async def test_a_flood_of_logins(tmp_path: Path) -> None:
    access = access_for({"victor": "viewer"}, tmp_path)
    async with open_house(tmp_path, access) as house:
        statuses: list[int] = []

        async def guess(number: int) -> None:
            body = json.dumps({"name": f"user{number}", "password": "guess"}).encode()
            reply = await house.http.request("POST", "/signin", body, {"Content-Type": "application/json"})
            statuses.append(reply.status)

        async def flood() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(guess, number)

        await stays_undisturbed(house, flood)
        assert len(statuses) == 200
        assert set(statuses) <= {401, 429, 503}
        assert statuses.count(401) < 50, "most are not even looked at"


BOMBS = {
    "sections": b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 1900,
    "payload types": b"v=0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF" + b" 96" * 20_000 + b"\r\n",
    "attributes": b"v=0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + b"a=rtpmap:96 H264/90000\r\n" * 2500,
    "one line": b"v=0\r\ns=-\r\nt=0 0\r\na=fmtp:96 " + b"a=b;" * 15_000 + b"\r\n",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
async def test_offers_that_are_bombs(tmp_path: Path, bomb: bytes) -> None:
    assert 50_000 < len(bomb) <= 64 * 1024
    async with open_house(tmp_path) as house:
        statuses: list[int] = []

        async def throw() -> None:
            reply = await house.http.request("POST", "/whep/front", bomb, {"Content-Type": "application/sdp"})
            statuses.append(reply.status)

        async def flood() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(60):
                    nursery.start_soon(throw)

        await stays_undisturbed(house, flood)
        assert len(statuses) == 60
        assert set(statuses) <= {400, 406}
