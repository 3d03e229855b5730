"""Rude clients: each is bounded, gets words where HTTP can still carry them, and harms nobody else."""

import gc
import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.http.connection import KEEP_ALIVE_S, LINGER_S, WRITE_TIMEOUT_S, Connection, hypercorn_config
from tests.fakes.engine import FakeEngine
from tests.fakes.http import PATIENCE_S, Client, Server, running_server

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
MORE_THAN_SOCKETS_HOLD = "x" * 20_000_000


async def read_until_closed(client: Client) -> bytes:
    received = b""
    with trio.fail_after(PATIENCE_S):
        while data := await client.stream.receive_some(65536):
            received += data
    return received


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS to a port without it.
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # No Host.
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: no\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000, 431),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 400),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", 404),
    ],
)
async def test_broken_requests_are_answered_with_problems(server: Server, data: bytes, status: int) -> None:
    reply = await server.raw(data)
    assert reply.status == status
    reply.problem()


async def test_no_upgrade_to_http2_is_offered(server: Server) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    assert (await server.request("GET", "/healthz", headers=headers)).status == 200


async def test_requests_in_one_segment_are_answered_in_order(server: Server) -> None:
    async with server.client() as client:
        await client.stream.send_all(GET * 3 + GET.replace(b"healthz", b"nowhere"))
        assert [(await client.reply()).status for _ in range(4)] == [200, 200, 200, 404]


async def test_connections_that_have_ended_leave_nothing_to_the_collector(server: Server) -> None:
    def connections() -> int:
        return sum(isinstance(each, Connection) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = connections()
        for _ in range(5):
            assert (await server.request("GET", "/healthz")).status == 200
        with trio.fail_after(PATIENCE_S):
            while connections() > before:  # noqa: ASYNC110 (nobody tells of garbage)
                await trio.sleep(0.01)
    finally:
        gc.enable()


async def test_bytes_one_by_one_are_understood(server: Server) -> None:
    async with server.client() as client:
        for byte in GET:
            await client.stream.send_all(bytes([byte]))
        assert (await client.reply()).status == 200


async def test_a_client_that_wants_no_more_sees_the_end_at_once(server: Server, patient_clock: MockClock) -> None:
    for request in (GET, b"POST /whep/front HTTP/1.1\r\nContent-Length: 0\r\nHost: localhost\r\n\r\n"):
        started = trio.current_time()
        async with server.client() as client:
            await client.stream.send_all(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert await read_until_closed(client)
        assert trio.current_time() - started < LINGER_S / 2


@pytest.mark.parametrize("sent", [b"", GET[:-2], GET])
async def test_a_silent_connection_is_closed(server: Server, patient_clock: MockClock, sent: bytes) -> None:
    started = trio.current_time()
    async with server.client() as client:
        await client.stream.send_all(sent)
        if sent == GET:
            await client.reply()
        assert await read_until_closed(client) == b""
    assert trio.current_time() - started == pytest.approx(KEEP_ALIVE_S, abs=1)


async def test_a_body_that_does_not_come_is_given_up(server: Server, patient_clock: MockClock) -> None:
    async with server.client() as client:
        headers = {"Content-Type": "application/sdp", "Content-Length": "10"}
        await client.send_request("POST", "/whep/front", headers=headers)
        reply = await client.reply()
    assert reply.status == 408
    reply.problem()


async def test_a_client_that_leaves_while_it_waits_is_forgotten(
    server: Server, engine: FakeEngine, patient_clock: MockClock
) -> None:
    engine.answering = trio.Event()
    async with server.client() as client:
        await client.send_request("POST", "/whep/front", b"v=0\r\n", {"Content-Type": "application/sdp"})
        await trio.sleep(0.05)
    assert (await server.request("GET", "/healthz")).status == 200
    engine.answering.set()
    await trio.sleep(0.05)
    assert not engine.viewers


async def test_a_client_that_stops_reading_is_dropped(
    engine: FakeEngine, web: Path, patient_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a bound on the write, the server would also never stop."""
    engine.change("front", title=MORE_THAN_SOCKETS_HOLD)
    caplog.set_level(logging.INFO)
    async with running_server(engine, web) as server, server.client() as client:
        await client.send_request("GET", "/api/v1/cameras")
        await trio.sleep(WRITE_TIMEOUT_S - 1)
        assert "stopped reading" not in caplog.text
        await trio.sleep(2)
        assert "stopped reading" in caplog.text


async def test_a_stuck_client_does_not_hold_up_the_shutdown(
    engine: FakeEngine, web: Path, patient_clock: MockClock
) -> None:
    engine.change("front", title=MORE_THAN_SOCKETS_HOLD)
    async with running_server(engine, web) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await Client(stream).send_request("GET", "/api/v1/cameras")
        await trio.sleep(0.5)
        stopped = trio.current_time()
    assert trio.current_time() - stopped <= 1.1
    await stream.aclose()


async def test_a_bug_below_the_application_ends_one_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, patient_clock: MockClock
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("camgate.serve.http.connection._without", explode)
        async with server.client() as client:
            await client.send_request("GET", "/healthz")
            assert await read_until_closed(client) == b""
        await trio.sleep(0.05)
    assert "serving an HTTP connection failed" in caplog.text
    assert (await server.request("GET", "/healthz")).status == 200


def test_the_settings_are_names_that_hypercorn_has() -> None:
    """Hypercorn keeps misspelt settings without a word."""
    config = hypercorn_config()
    assert all(hasattr(type(config), name) for name in vars(config))
