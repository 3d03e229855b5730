"""The short way for offers answers as the routes do, takes what players send, and leaves everything else to them."""

from pathlib import Path
from typing import Any

import pytest

from camgate.auth.identity import EVERYBODY
from camgate.config.model import ServerSettings
from camgate.relay.errors import NoCommonCodec, TooManyViewers, ViewerError
from camgate.serve.http.access import AccessRules
from camgate.serve.http.connection import MAX_MESSAGE_BYTES
from camgate.serve.http.identity import IDENTITY
from camgate.serve.http.offers import OfferLane
from camgate.wire.ice.servers import IceServer
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SDP = {"Content-Type": "application/sdp"}
ORIGIN = "https://elsewhere.example"
RULES = AccessRules(cors_origins=(), allowed_hosts=(), loopback_only=True)
HEADERS = {b"host": b"localhost", b"content-type": b"application/sdp", b"content-length": b"40"}


class Routes:
    """Stands for Quart: takes note of what is handed on."""

    def __init__(self) -> None:
        self.is_asked = False

    async def __call__(self, *_: object) -> None:
        self.is_asked = True


def scope(raw_path: bytes = b"/whep/front", headers: dict[bytes, bytes] = HEADERS, **fields: object) -> dict[str, Any]:
    basis = {
        IDENTITY: EVERYBODY,
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "path": raw_path.decode(),
        "raw_path": raw_path,
    }
    return {**basis, "headers": list(headers.items()), **fields}


async def ask(asked: dict[str, Any], *messages: dict[str, Any]) -> tuple[bool, list[dict[str, Any]]]:
    """Return whether the routes were asked, and what the lane answered."""
    routes, sent, coming = Routes(), list[dict[str, Any]](), iter(messages)

    async def receive() -> Any:
        return next(coming)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await OfferLane(routes, FakeEngine(), RULES)(asked, receive, send)
    return routes.is_asked, sent


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_what_players_send_needs_no_routes() -> None:
    is_asked, (start, body) = await ask(scope(), part(OFFER[:9], more=True), part(OFFER[9:], more=False))
    assert (is_asked, start["status"]) == (False, 201)
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


async def test_a_client_that_leaves_amid_its_offer_gets_no_answer() -> None:
    assert await ask(scope(), part(OFFER[:9], more=True), {"type": "http.disconnect"}) == (False, [])


@pytest.mark.parametrize(
    "asked",
    [
        scope(method="GET"),
        scope(type="websocket"),
        scope(query_string=b"wait=1"),
        scope(b"/whep/"),
        scope(b"/whep/front/session"),
        scope(b"/camera/front"),
        scope(b"/whep/fr%6fnt", path="/whep/front"),
        scope(headers=HEADERS | {b"content-type": b"application/sdp; charset=utf-8"}),
        scope(headers=HEADERS | {b"content-length": b"%d" % (MAX_MESSAGE_BYTES + 1)}),
        scope(headers=HEADERS | {b"content-length": b"9" * 5_000}),
        scope(headers={b"content-type": b"application/sdp", b"transfer-encoding": b"chunked"}),
        # RFC 9112 section 6.3: chunks go before the length, which then bounds nothing.
        scope(headers=HEADERS | {b"transfer-encoding": b"chunked"}),
    ],
)
async def test_all_else_is_left_to_the_routes(asked: dict[str, Any]) -> None:
    assert await ask(asked) == (True, [])


@pytest.mark.parametrize("refusal", [None, TooManyViewers(9, retry_after_s=4.2), NoCommonCodec("H264", ["VP8"])])
async def test_both_ways_answer_the_same(engine: FakeEngine, web: Path, refusal: ViewerError | None) -> None:
    engine.refusal = refusal
    async with running_server(engine, web, ServerSettings(cors_origins=(ORIGIN,))) as server:
        for body in (OFFER, b"", b"\xff\xfe", b"hello", b"v=0\r\n\0"):
            await compare(server, body, {"Origin": ORIGIN})
        for headers in ({}, {"Host": "[::1]:8107"}, {"Expect": "100-continue"}, {"Connection": "close"}):
            await compare(server, OFFER, headers)


async def test_both_ways_name_the_same_turn_servers(server: Server, engine: FakeEngine) -> None:
    engine.turn = (IceServer(("turn:a.example", "turns:b.example"), "u", "c", 60),)
    await compare(server, OFFER, {})


async def test_both_ways_know_the_same_cameras(server: Server) -> None:
    await compare(server, OFFER, {}, "/whep/garage")


async def test_both_ways_tell_the_same_of_a_bug(server: Server, engine: FakeEngine) -> None:
    engine.bug = ZeroDivisionError("hunter2")
    await compare(server, OFFER, {})


async def compare(server: Server, body: bytes, headers: dict[str, str], path: str = "/whep/front") -> None:
    short, long = [await server.request("POST", f"{path}{query}", body, SDP | headers) for query in ("", "?x")]
    assert (short.status, short.body) == (long.status, long.body)
    for reply in (short, long):
        del reply.headers["date"]
        if "location" in reply.headers:
            assert reply.headers.pop("location").startswith("/whep/front/session-")
            assert reply.headers.pop("etag").startswith('"etag-')
    assert short.headers == long.headers
