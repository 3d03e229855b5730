"""The server as a whole: its start, its bounds and its order of stopping."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

from camgate.config.model import ServerSettings
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Client, Server, running_server

SDP = {"Content-Type": "application/sdp"}


async def test_idle_connections_are_closed_at_once(engine: FakeEngine, web: Path, patient_clock: MockClock) -> None:
    async with running_server(engine, web) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await server.request("GET", "/healthz")
        stopped = trio.current_time()
    assert trio.current_time() - stopped < 0.5
    assert await stream.receive_some(1) == b""
    await stream.aclose()


async def test_an_answer_under_way_is_finished(engine: FakeEngine, web: Path, patient_clock: MockClock) -> None:
    engine.answering = trio.Event()
    async with running_server(engine, web) as server, server.client() as client:
        await client.send_request("POST", "/whep/front", b"v=0\r\n", SDP)
        await trio.sleep(0.1)
        server.stopping.set()
        await trio.sleep(0.5)
        engine.answering.set()
        reply = await client.reply()
        assert reply.status == 201
        assert await client.stream.receive_some(1) == b""


async def test_an_answer_that_takes_too_long_is_cut_off(
    engine: FakeEngine, web: Path, patient_clock: MockClock
) -> None:
    engine.answering = trio.Event()
    async with running_server(engine, web, ServerSettings(shutdown_deadline_s=3)) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await Client(stream).send_request("POST", "/whep/front", b"v=0\r\n", SDP)
        await trio.sleep(0.1)
        stopped = trio.current_time()
    assert trio.current_time() - stopped == pytest.approx(1, abs=0.1)
    await stream.aclose()


async def test_a_websocket_is_told_goodbye(engine: FakeEngine, web: Path) -> None:
    async with running_server(engine, web) as server, server.websocket() as socket:
        await socket.get_message()
        server.stopping.set()
        assert '"bye"' in await socket.get_message()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.get_message()
        assert closed.value.reason.code == 1001


async def test_no_new_connection_is_accepted_while_stopping(
    engine: FakeEngine, web: Path, patient_clock: MockClock
) -> None:
    engine.answering = trio.Event()
    async with running_server(engine, web) as server, server.client() as client:
        await client.send_request("POST", "/whep/front", b"v=0\r\n", SDP)
        await trio.sleep(0.05)
        server.stopping.set()
        await trio.sleep(0.05)
        with pytest.raises(OSError, match="connect"):
            await trio.open_tcp_stream("127.0.0.1", server.port)
        engine.answering.set()


async def test_one_connection_too_many_is_refused_in_words(
    engine: FakeEngine, web: Path, patient_clock: MockClock
) -> None:
    engine.max_viewers = 0
    async with running_server(engine, web) as server:
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(hold, server)
            await trio.sleep(0.2)
            async with server.client() as client:
                reply = await client.reply()
            assert reply.status == 503
            reply.problem()
            engine.max_viewers = 1  # as a reload has it
            assert (await server.request("GET", "/healthz")).status == 200
            nursery.cancel_scope.cancel()
        await trio.sleep(0.05)
        assert (await server.request("GET", "/healthz")).status == 200


async def test_cancellation_stops_it_as_well(engine: FakeEngine, web: Path) -> None:
    with trio.move_on_after(0.1) as scope:
        async with running_server(engine, web) as server, server.client():
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def hold(server: Server) -> None:
    async with server.client():
        await trio.sleep_forever()
