"""Signaling over WebSocket, with a real client on a real server."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, WebSocketConnection

from camgate.config.model import ServerSettings
from camgate.relay.errors import CameraOffline, UnprocessableFragment
from camgate.serve.http import connection, signaling
from camgate.serve.http.connection import MAX_MESSAGE_BYTES
from camgate.serve.http.signaling import MAX_VIEWERS_PER_SOCKET
from camgate.wire.ice.servers import IceServer
from tests.fakes.engine import ANSWER_SDP, FakeEngine
from tests.fakes.http import PATIENCE_S, Server, running_server

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Speaker:
    """A WebSocket client that speaks JSON."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: object) -> None:
        await self.socket.send_message(json.dumps({"type": kind, **fields}))

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these kinds; figures of cameras come at any time."""
        with trio.fail_after(PATIENCE_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.get_message())
                if message["type"] in kinds:
                    return message

    async def problem(self, status: int, viewer_id: str | None = None) -> dict[str, Any]:
        message = await self.hear("error")
        assert message.get("id") == viewer_id
        problem: dict[str, Any] = message["problem"]
        assert problem["status"] == status, problem
        assert len(problem["detail"].split()) >= 5
        return problem

    async def offer(self, viewer_id: str = "v1", **fields: object) -> None:
        await self.say("offer", **({"id": viewer_id, "camera": "front", "sdp": "v=0\r\n"} | fields))


@asynccontextmanager
async def speaking(server: Server) -> AsyncIterator[Speaker]:
    async with server.websocket() as socket:
        yield Speaker(socket)


def frame(text: str) -> bytes:
    """A short text message as a client's WebSocket frame, masked with zeros (RFC 6455 section 5.2)."""
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


async def test_an_offer_is_answered(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        await client.offer(wait=5)
        answer = await client.hear("answer")
        assert answer == {
            "type": "answer",
            "id": "v1",
            "session": "session-1",
            "sdp": ANSWER_SDP,
            "codec": "H264",
            "why": "",
        }
        viewer = engine.viewers["session-1"]
        assert (viewer.camera, viewer.host, viewer.wait_s) == ("front", "127.0.0.1", 5)


async def test_a_page_hears_of_the_cameras_that_it_names(server: Server, engine: FakeEngine) -> None:
    async with server.websocket("/ws?camera=yard&camera=garage") as socket:
        client = Speaker(socket)
        assert [camera["name"] for camera in (await client.hear("cameras"))["cameras"]] == ["yard"]
        engine.change("front", state="stalled")
        engine.change("yard", state="stalled")
        assert (await client.hear("camera"))["camera"]["name"] == "yard"


async def test_many_cameras_share_a_socket(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        await client.offer("a")
        await client.offer("b", camera="yard")
        assert {(await client.hear("answer"))["id"] for _ in range(2)} == {"a", "b"}
        engine.end_viewer("session-1", "The camera was removed.")
        closed = await client.hear("closed")
        assert closed["reason"] == "The camera was removed."
        assert len(engine.viewers) == 1


async def test_a_viewer_waits_for_its_camera_without_holding_up_others(server: Server, engine: FakeEngine) -> None:
    engine.answering = trio.Event()
    async with speaking(server) as client:
        await client.offer()
        await client.say("ping")
        await client.hear("pong")
        engine.answering.set()
        await client.hear("answer")


async def test_a_viewer_is_closed_and_its_id_is_free_again(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        for _ in range(2):
            await client.offer()
            await client.hear("answer")
            await client.say("close", id="v1")
            assert (await client.hear("closed"))["id"] == "v1"
        assert not engine.viewers


async def test_a_viewer_is_closed_before_its_answer(server: Server, engine: FakeEngine) -> None:
    engine.answering = trio.Event()
    async with speaking(server) as client:
        await client.offer()
        await client.say("close", id="v1")
        assert (await client.hear("closed", "answer"))["type"] == "closed"
    assert not engine.viewers


async def test_candidates_reach_the_engine_early_and_late(server: Server, engine: FakeEngine) -> None:
    engine.answering = trio.Event()
    async with speaking(server) as client:
        await client.offer()
        await client.say("candidate", id="v1", candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host")
        await client.say("ping")
        await client.hear("pong")
        engine.answering.set()
        await client.hear("answer")
        await client.say("candidate", id="v1", candidate="")
        await client.say("ping")
        await client.hear("pong")
    fragments = engine.viewers["session-1"].fragments
    assert fragments == ["a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "a=end-of-candidates\r\n"]


async def test_viewers_outlive_their_socket(server: Server, engine: FakeEngine, patient_clock: MockClock) -> None:
    async with speaking(server) as client:
        await client.offer()
        await client.hear("answer")
    await trio.sleep(0.05)
    assert "session-1" in engine.viewers
    # The session is one as any other: WHEP ends it.
    assert (await server.request("DELETE", "/whep/front/session-1")).status == 200


async def test_what_the_engine_refuses_is_a_problem(server: Server, engine: FakeEngine) -> None:
    engine.refusal = CameraOffline("front", None, retry_after_s=3)
    async with speaking(server) as client:
        await client.offer()
        problem = await client.problem(503, "v1")
        assert problem["type"] == "urn:camgate:problem:camera-offline"
        assert problem["retry_after"] == 3
        engine.refusal = None
        await client.offer(camera="garage")
        await client.problem(404, "v1")
        await client.offer()
        await client.hear("answer")


async def test_a_bug_is_logged_and_tells_nothing(
    server: Server, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with speaking(server) as client:
        await client.hear("cameras")
        engine.bug = ZeroDivisionError("the password is hunter2")
        await client.offer()
        assert "hunter2" not in str(await client.problem(500, "v1"))
        engine.bug = None
        await client.offer()
        await client.hear("answer")
    assert "answering an offer failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("text", "viewer_id"),
    [
        ("", None),
        ("hello", None),
        ("[" * 60_000, None),
        ("[]", None),
        ("null", None),
        ('{"type":"dance","id":"v9"}', "v9"),
        ('{"type":["offer"]}', None),
        ('{"type":"offer"}', None),
        ('{"type":"offer","id":"v9"}', "v9"),
        ('{"type":"offer","id":"v9","camera":"front","sdp":"\\ud800"}', "v9"),
        ('{"type":"offer","id":"v9","camera":"front","sdp":"v=0","wait":NaN}', "v9"),
        ('{"type":"offer","id":"v9","camera":"front","sdp":"v=0","wait":true}', "v9"),
        ('{"type":"candidate","id":"v9","candidate":"candidate:1\\r\\na=x"}', "v9"),
        ('{"type":"candidate","id":"v9","candidate":"candidate:1"}', "v9"),
        ('{"type":"close","id":"v9"}', "v9"),
    ],
)
async def test_a_bad_message_is_refused_and_the_socket_lives(server: Server, text: str, viewer_id: str | None) -> None:
    async with speaking(server) as client:
        await client.socket.send_message(text)
        await client.problem(400, viewer_id)
        await client.say("ping")
        await client.hear("pong")


@pytest.mark.parametrize("data", [b"", b'{"type":"ping"}'])
async def test_a_binary_message_is_refused(server: Server, data: bytes) -> None:
    async with speaking(server) as client:
        await client.socket.send_message(data)
        assert "binary" in (await client.problem(400))["detail"]


async def test_an_id_in_use_is_refused(server: Server) -> None:
    async with speaking(server) as client:
        await client.offer()
        await client.offer()
        await client.problem(400, "v1")


async def test_a_candidate_that_the_engine_refuses_is_a_problem(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        await client.offer()
        await client.hear("answer")
        engine.bug = UnprocessableFragment("a port above 65535")
        await client.say("candidate", id="v1", candidate="candidate:1 1 udp 1 192.0.2.1 99999 typ host")
        await client.problem(422, "v1")


async def test_a_socket_has_so_many_viewers_and_no_more(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        for number in range(MAX_VIEWERS_PER_SOCKET + 1):
            await client.offer(f"v{number}")
        await client.problem(429, f"v{MAX_VIEWERS_PER_SOCKET}")
        assert len(engine.viewers) == MAX_VIEWERS_PER_SOCKET


async def test_a_message_too_large_closes_the_socket(server: Server) -> None:
    async with speaking(server) as client:
        await client.socket.send_message('"' + "x" * (MAX_MESSAGE_BYTES - 2) + '"')
        await client.problem(400)
        await client.socket.send_message("x" * (MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear("error")
        assert closed.value.reason.code == 1009


async def test_states_are_pushed_as_they_change(server: Server, engine: FakeEngine) -> None:
    async with speaking(server) as client:
        first = await client.hear("cameras")
        assert [camera["name"] for camera in first["cameras"]] == ["front", "yard"]
        engine.change("front", state="backoff", last_error="no route to host")
        camera = (await client.hear("camera"))["camera"]
        assert (camera["name"], camera["state"], camera["last_error"]) == ("front", "backoff", "no route to host")
        engine.change("garage")
        assert (await client.hear("camera"))["camera"]["name"] == "garage"
        engine.remove("yard")
        assert (await client.hear("camera-removed"))["name"] == "yard"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://localhost:1"])
async def test_a_foreign_page_gets_no_socket(server: Server, origin: str) -> None:
    reply = await server.request("GET", "/ws", headers=UPGRADE | {"Origin": origin})
    assert reply.status == 403
    assert "server.cors_origins" in reply.problem()["detail"]


async def test_our_own_page_and_named_origins_get_a_socket(engine: FakeEngine, web: Path) -> None:
    named = "https://elsewhere.example"
    async with running_server(engine, web, ServerSettings(cors_origins=(named,))) as server:
        for origin in (named, f"http://127.0.0.1:{server.port}"):
            async with server.websocket(headers={"Origin": origin}) as socket:
                await socket.get_message()


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/nowhere", {}, 404),
        ("/", {}, 400),
        ("/ws", {"Host": "evil.example"}, 421),
        ("/ws", {"Sec-WebSocket-Version": "8"}, 400),
        ("?", {}, 400),
    ],
)
async def test_failed_handshakes_are_problems(
    server: Server, target: str, headers: dict[str, str], status: int
) -> None:
    async with server.client() as client:
        await client.send_request("GET", target, headers=UPGRADE | headers)
        reply = await client.reply()
        assert reply.status == status
        reply.problem()
        # Hypercorn leaves a connection open for ever whose handshake it refused.
        with trio.fail_after(PATIENCE_S):
            assert await client.stream.receive_some(1) == b""


async def test_no_compression_is_offered(server: Server) -> None:
    """64 KiB of compressed zeros would become 64 MiB before any limit sees them."""
    async with server.client() as client:
        await client.send_request("GET", "/ws", headers=UPGRADE | {"Sec-WebSocket-Extensions": "permessage-deflate"})
        head = await client.stream.receive_some(4096)
    assert head.startswith(b"HTTP/1.1 101")
    assert b"sec-websocket-extensions" not in head.lower()


async def test_a_bug_under_a_flood_of_messages_ends_the_connection(
    server: Server, engine: FakeEngine, patient_clock: MockClock
) -> None:
    """Full queues must not keep a connection from hearing that its application has ended."""
    async with server.client() as client:
        await client.send_request("GET", "/ws", headers=UPGRADE)
        await client.stream.send_all(frame('{"type":"offer","id":"v1","camera":"front","sdp":"v=0"}'))
        await trio.sleep(0.1)
        engine.bug = ZeroDivisionError()
        with trio.fail_after(PATIENCE_S), suppress(trio.BrokenResourceError):
            await client.stream.send_all(frame('{"type":"candidate","id":"v1","candidate":""}') * 10_000)
            while await client.stream.receive_some(65536):
                pass
        engine.bug = None


async def test_a_client_that_talks_without_listening_is_dropped(
    engine: FakeEngine,
    web: Path,
    patient_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answers fill the socket and its messages fill the queues; no task may be left behind."""
    # At the pace at which floods are read it would take hours to come so far.
    monkeypatch.setattr(signaling, "MESSAGE_BURST", 1e12)
    monkeypatch.setattr(connection, "RECEIVE_BURST_BYTES", 1e12)
    caplog.set_level(logging.INFO)
    # Each is answered by a problem of many times its size.
    nonsense = frame("{}")
    async with running_server(engine, web) as server, server.client() as client:
        await client.send_request("GET", "/ws", headers=UPGRADE)
        with suppress(trio.BrokenResourceError):
            while True:
                await client.stream.send_all(nonsense * 1000)
    assert "stopped reading" in caplog.text


async def test_a_socket_is_told_of_turn_servers_and_again_before_their_credentials_end(
    engine: FakeEngine, web: Path, patient_clock: MockClock
) -> None:
    engine.turn = (IceServer(("turn:t.example",), "anna", "c", 600.0), IceServer(("stun:s.example",)))
    told = {
        "type": "ice-servers",
        "servers": [
            {"urls": ["turn:t.example"], "username": "5:everybody", "credential": "c"},
            {"urls": ["stun:s.example"]},
        ],
        "max_age": 600.0,
    }
    async with running_server(engine, web) as server, speaking(server) as client:
        assert await client.hear("ice-servers") == told
        patient_clock.jump(300)
        assert await client.hear("ice-servers") == told


async def test_a_socket_hears_nothing_of_turn_where_there_is_none(server: Server) -> None:
    async with speaking(server) as client:
        await client.say("ping")
        assert (await client.hear("ice-servers", "pong"))["type"] == "pong"
