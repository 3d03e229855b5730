"""Whoever asks for more than their part waits alone: addresses, users, sockets and connections."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import h11
import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import LimitSettings
from camgate.serve.http.connection import RECEIVE_BURST_BYTES, RECEIVE_BYTES_PER_S
from camgate.serve.http.rates import MAX_BUCKETS, Rates, TooManyRequests
from camgate.serve.http.signaling import MESSAGE_BURST
from tests.fakes.accounts import access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Server, running_server

SDP = {"Content-Type": "application/sdp"}
LIMITS = LimitSettings(requests_per_s=2, requests_burst=10, offers_per_s=1, offers_burst=3)


@pytest.fixture
async def limited(engine: FakeEngine, web: Path, patient_clock: MockClock) -> AsyncIterator[Server]:
    async with running_server(engine, web, limits=LIMITS) as server:
        yield server


async def test_an_address_may_ask_so_often(limited: Server) -> None:
    statuses = [(await limited.request("GET", "/healthz")).status for _ in range(10)]
    reply = await limited.request("GET", "/healthz")
    assert statuses == [200] * 10
    assert reply.status == 429
    assert reply.problem()["type"] == "urn:camgate:problem:too-many-requests"
    assert reply.headers["retry-after"] == "1"
    await trio.sleep(1)
    assert (await limited.request("GET", "/healthz")).status == 200


@pytest.mark.parametrize("target", ["/whep/front", "/whep/front?wait=0"])
async def test_offers_have_a_limit_of_their_own_on_either_way(limited: Server, target: str) -> None:
    statuses = [(await limited.request("POST", target, b"v=0\r\n", SDP)).status for _ in range(4)]
    assert statuses == [201, 201, 201, 429]
    assert (await limited.request("GET", "/healthz")).status == 200


async def test_offers_by_websocket_count_too(limited: Server) -> None:
    async with limited.websocket() as socket:
        await socket.get_message()
        kinds = []
        for number in range(4):
            await socket.send_message(json.dumps({"type": "offer", "id": str(number), "camera": "front", "sdp": "v=0"}))
            kinds.append(json.loads(await socket.get_message()))
    assert [kind["type"] for kind in kinds] == ["answer", "answer", "answer", "error"]
    assert kinds[-1]["problem"]["status"] == 429


async def test_a_user_is_limited_wherever_from(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    access = access_for({"anna": "viewer", "ben": "viewer"}, tmp_path)
    limits = LimitSettings(offers_per_s=1, offers_burst=3)
    async with running_server(engine, web, access=access, limits=limits) as server:
        statuses = [
            (await server.request("POST", "/whep/front", b"v=0\r\n", {**SDP, **basic("anna")})).status for _ in range(4)
        ]
    assert statuses == [201, 201, 201, 429]
    rates = Rates(limits)
    for number in range(3):
        rates.take_offer(f"192.0.2.{number}", "user:anna")
    with pytest.raises(TooManyRequests):
        rates.take_offer("192.0.2.9", "user:anna")
    rates.take_offer("192.0.2.9", "user:ben")


async def test_a_flood_of_addresses_is_bounded(autojump_clock: MockClock) -> None:
    rates = Rates(LIMITS)
    for number in range(MAX_BUCKETS + 500):
        rates.take_request(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(rates._requests._by_key) == MAX_BUCKETS
    for number in range(10):
        rates.take_request(f"2001:db8::{number}")
    with pytest.raises(TooManyRequests):
        rates.take_request("2001:db8::ffff")


async def test_zero_is_no_limit(autojump_clock: MockClock) -> None:
    rates = Rates(LimitSettings(requests_per_s=0, offers_per_s=0))
    for _ in range(10_000):
        rates.take_request("192.0.2.1")
        rates.take_offer("192.0.2.1", "user:anna")
    assert rates.refused == {"requests": 0, "offers": 0}


async def test_one_address_holds_so_many_connections(engine: FakeEngine, web: Path) -> None:
    async with running_server(engine, web, limits=LimitSettings(max_connections_per_address=3)) as server:
        held = [await trio.open_tcp_stream(LOOPBACK, server.port) for _ in range(3)]
        with trio.fail_after(30):
            for stream in held:
                await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert b"200" in await stream.receive_some(1000)
            more = await trio.open_tcp_stream(LOOPBACK, server.port)
            async with more:
                with suppress(trio.BrokenResourceError):
                    assert await more.receive_some(10) == b""
            await held.pop().aclose()
            while (await _status(server)) != 200:  # noqa: ASYNC110 (a real connection's end)
                await trio.sleep(0.01)
        for stream in held:
            await stream.aclose()


async def _status(server: Server) -> int:
    try:
        return (await server.request("GET", "/healthz")).status
    except (trio.BrokenResourceError, h11.RemoteProtocolError):
        return 0


async def test_a_socket_that_floods_is_read_more_slowly_and_others_are_not(
    server: Server, patient_clock: MockClock
) -> None:
    async with server.websocket() as flooder, server.websocket() as watcher:
        await flooder.get_message()
        await watcher.get_message()
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                for _ in range(MESSAGE_BURST + 100):
                    await flooder.send_message('{"type":"ping"}')

            async def hear() -> None:
                for _ in range(MESSAGE_BURST + 100):
                    await flooder.get_message()

            nursery.start_soon(flood)
            nursery.start_soon(hear)
            await watcher.send_message('{"type":"ping"}')
            assert json.loads(await watcher.get_message()) == {"type": "pong"}
            assert trio.current_time() - began_s < 1
        assert trio.current_time() - began_s == pytest.approx(2, abs=1)


async def test_a_client_that_sends_much_is_read_more_slowly(server: Server, patient_clock: MockClock) -> None:
    seconds, body = 3, bytes(32 * 1024)
    count = (RECEIVE_BURST_BYTES + seconds * RECEIVE_BYTES_PER_S) // len(body)
    began_s = trio.current_time()
    async with server.client() as client:
        for _ in range(count):
            await client.send_request("POST", "/whep/front", body, SDP)
            assert (await client.reply()).status == 400
    assert trio.current_time() - began_s == pytest.approx(seconds, abs=1)
