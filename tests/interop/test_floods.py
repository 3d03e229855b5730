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
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from camgate.auth.access import Access
from camgate.config.model import LimitSettings
from tests.fakes.accounts import access_for, basic
from tests.fakes.house import HOST, open_house
from tests.fakes.http import Server
from tests.fakes.visitors import Watcher, reading

pytestmark = pytest.mark.interop

OTHER_HOST = "127.0.0.2"
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


@dataclass
class WatchedHouse:
    """The server, and the one who watches its camera."""

    http: Server
    watcher: Watcher

    async def ask_from_elsewhere(self) -> int:
        """Return the status that somebody else is answered."""
        stream = await trio.open_tcp_stream(HOST, self.http.port, local_address=OTHER_HOST)
        async with stream:
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return int((await stream.receive_some(1000)).split()[1])


@asynccontextmanager
async def open_watched_house(web: Path, access: Access | None = None) -> AsyncIterator[WatchedHouse]:
    limits = LimitSettings(max_load=2, max_lag_s=60, max_delay_s=60)
    with trio.fail_after(PATIENCE_S):
        async with open_house(web, access=access, limits=limits) as house, trio.open_nursery() as nursery:

            async def film() -> None:
                began_s = trio.current_time()
                while True:
                    house.film(1)
                    await trio.sleep_until(began_s + house.number / FPS)

            nursery.start_soon(film)
            watcher = house.visitors.viewer(Watcher, full=True)
            assert isinstance(watcher, Watcher)
            authorization = basic("victor")["Authorization"] if access else None
            watcher.settings = replace(watcher.settings, authorization=authorization)
            async with reading(watcher):
                await watcher.join()
                yield WatchedHouse(house.http, watcher)
            nursery.cancel_scope.cancel()


async def stays_undisturbed(house: WatchedHouse, flood: Callable[[], Awaitable[object]]) -> None:
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
        async with open_watched_house(tmp_path) as house:
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
    async with open_watched_house(tmp_path) as house, trio.open_nursery() as nursery:

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
    async with open_watched_house(tmp_path) as house:

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
    async with open_watched_house(tmp_path, access) as house:
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
    async with open_watched_house(tmp_path) as house:
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
