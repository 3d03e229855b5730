"""WHEP: every status of docs/http.md, on a real server."""

from collections.abc import Mapping

import pytest
import trio

from camgate.relay.errors import BadOffer, CameraOffline, NoCommonCodec, TooManyViewers, ViewerError
from camgate.serve.http.whep import IfMatchRequired, host_name, if_match_untrusted
from camgate.wire.ice.servers import IceServer
from tests.fakes.engine import ANSWER_SDP, RESTART_FRAGMENT, FakeEngine
from tests.fakes.http import Reply, Server

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
OLD_CREDENTIALS = b"a=ice-ufrag:old1\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"
NEW_CREDENTIALS = b"a=ice-ufrag:new1\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"
CANDIDATE = b"a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"


async def post(
    server: Server, target: str = "/whep/front", body: bytes = OFFER, headers: Mapping[str, str] = SDP
) -> Reply:
    return await server.request("POST", target, body, headers)


async def patch(server: Server, body: bytes, if_match: str | None = "*", target: str | None = None) -> Reply:
    headers = FRAGMENT if if_match is None else FRAGMENT | {"If-Match": if_match}
    location = target or (await post(server)).headers["location"]
    return await server.request("PATCH", location, body, headers)


async def test_an_offer_is_answered_with_a_session(server: Server, engine: FakeEngine) -> None:
    reply = await post(server, headers={"Content-Type": "Application/SDP; charset=utf-8"})
    assert (reply.status, reply.body.decode()) == (201, ANSWER_SDP)
    assert reply.headers["content-type"] == "application/sdp"
    assert reply.headers["location"] == "/whep/front/session-1"
    assert reply.headers["etag"] == '"etag-1"'
    assert reply.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    viewer = engine.viewers["session-1"]
    assert (viewer.camera, viewer.offer_sdp, viewer.wait_s) == ("front", OFFER.decode(), None)


TURN = (IceServer(("stun:s.example",)), IceServer(("turn:t.example", "turns:t.example"), "anna", 'qu"ote', 600))
LINKS = (
    '<stun:s.example>; rel="ice-server", '
    '<turn:t.example>; rel="ice-server"; username="5:everybody"; credential="qu\\"ote"; credential-type="password"; '
    'max-age=600, <turns:t.example>; rel="ice-server"; username="5:everybody"; credential="qu\\"ote"; '
    'credential-type="password"; max-age=600'
)


async def test_players_are_told_of_turn_servers_before_their_offer_and_with_the_answer(
    server: Server, engine: FakeEngine
) -> None:
    engine.turn = TURN
    asked = await server.request("OPTIONS", "/whep/front")
    assert (asked.status, asked.headers["link"], asked.headers["cache-control"]) == (204, LINKS, "no-store")
    answered = await post(server)
    assert (answered.status, answered.headers["link"]) == (201, LINKS)


async def test_where_there_are_no_turn_servers_there_are_no_links(server: Server) -> None:
    assert "link" not in (await server.request("OPTIONS", "/whep/front")).headers
    assert "link" not in (await post(server)).headers


async def test_credentials_are_for_viewers_of_a_camera_that_is_there(server: Server, engine: FakeEngine) -> None:
    engine.turn = TURN
    assert "link" not in (await server.request("OPTIONS", "/whep/nobody")).headers
    preflight = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert "link" not in (await server.request("OPTIONS", "/whep/front", headers=preflight)).headers
    engine.refusal = TooManyViewers(9, retry_after_s=4)
    assert "link" not in (await post(server)).headers


async def test_a_join_costs_the_same_beside_many_cameras(server: Server, engine: FakeEngine) -> None:
    before = engine.described
    assert (await post(server)).status == 201
    assert (await server.request("GET", "/whep/front")).status == 200
    assert engine.described == before, "all cameras were described to find one"


@pytest.mark.parametrize(
    ("sent", "host"),
    [("localhost:8107", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]:8107", "::1"), ("LocalHost.", "localhost")],
)
async def test_the_engine_learns_which_host_the_browser_used(
    server: Server, engine: FakeEngine, sent: str, host: str
) -> None:
    assert (await post(server, headers=SDP | {"Host": sent})).status == 201
    assert engine.viewers["session-1"].host == host


@pytest.mark.parametrize(("query", "wait_s"), [("wait=7.5", 7.5), ("wait=10", 10), ("wait=0", 0), ("other=1", None)])
async def test_the_engine_learns_how_long_the_viewer_waits(
    server: Server, engine: FakeEngine, query: str, wait_s: float | None
) -> None:
    assert (await post(server, f"/whep/front?{query}")).status == 201
    assert engine.viewers["session-1"].wait_s == wait_s


@pytest.mark.parametrize("wait", ["11", "-1", "nan", "inf", "soon", ""])
async def test_a_wait_out_of_bounds_is_refused(server: Server, wait: str) -> None:
    reply = await post(server, f"/whep/front?wait={wait}")
    assert reply.status == 400
    assert reply.problem()["type"] == "urn:camgate:problem:bad-wait"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/sdpx", ""])
async def test_an_offer_of_another_type_is_refused(server: Server, content_type: str) -> None:
    reply = await post(server, headers={"Content-Type": content_type})
    assert reply.status == 415
    assert reply.headers["accept-post"] == "application/sdp"
    assert "application/sdp" in reply.problem()["detail"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"v=1\r\n", b"hello", b"[" * 60_000, b"v=0\r\n\0", b"v=0\r\n\xc3"])
async def test_what_is_no_sdp_is_refused(server: Server, engine: FakeEngine, body: bytes) -> None:
    reply = await post(server, body=body)
    assert reply.status == 400
    assert reply.problem()["title"] == "Bad offer"
    assert not engine.viewers


@pytest.mark.parametrize("body", [OFFER, b"no offer"])
async def test_an_unknown_camera_is_named(server: Server, body: bytes) -> None:
    reply = await post(server, "/whep/garage", body=body)
    assert reply.status == 404
    assert "'garage'" in reply.problem()["detail"]


@pytest.mark.parametrize(
    ("refusal", "status", "retry_after"),
    [
        (CameraOffline("front", "no route to host", retry_after_s=4.2), 503, "5"),
        (TooManyViewers(1000, retry_after_s=10), 503, "10"),
        (NoCommonCodec("H264", ["VP8"]), 406, None),
        (BadOffer("no media section"), 400, None),
    ],
)
async def test_what_the_engine_refuses_is_a_problem(
    server: Server, engine: FakeEngine, refusal: ViewerError, status: int, retry_after: str | None
) -> None:
    engine.refusal = refusal
    reply = await post(server)
    assert reply.status == status
    assert reply.headers.get("retry-after") == retry_after
    problem = reply.problem()
    assert (problem["detail"], problem["title"]) == (str(refusal), refusal.title)
    assert problem.get("retry_after") == (retry_after and int(retry_after))


async def test_a_body_with_too_great_a_length_is_refused_unread(server: Server) -> None:
    async with server.client() as client:
        await client.send_request("POST", "/whep/front", headers=SDP | {"Content-Length": str(64 * 1024 + 1)})
        reply = await client.reply()
    assert reply.status == 413
    assert "64 KiB" in reply.problem()["detail"]


async def test_a_client_that_sends_all_before_it_reads_gets_the_answer(server: Server) -> None:
    """RFC 9112 section 9.6: closing with unread data resets the connection, and the reset overtakes the answer."""
    reply = await post(server, body=b"v=0\r\n" + b"a" * 3_000_000)
    assert reply.status == 413
    reply.problem()


async def test_a_body_in_endless_chunks_is_cut_off(server: Server) -> None:
    """Without a Content-Length, the reading stops at the limit, and the answer still reaches the client."""
    async with server.client() as client:
        await client.send_request("POST", "/whep/front", headers=SDP | {"Transfer-Encoding": "chunked"})

        async def send_for_ever() -> None:
            while True:
                await client.stream.send_all(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_for_ever)
            reply = await client.reply()
            nursery.cancel_scope.cancel()
    assert reply.status == 413
    reply.problem()


async def test_a_body_of_just_64_kib_is_read(server: Server) -> None:
    body = OFFER + b"a=" + b"x" * (64 * 1024 - len(OFFER) - 2)
    assert (await post(server, body=body)).status == 201


async def test_delete_ends_the_session_once(server: Server, engine: FakeEngine) -> None:
    location = (await post(server)).headers["location"]
    # Draft section 4.5.1: entity tags are ignored where no ICE session is meant.
    reply = await server.request("DELETE", location, headers={"If-Match": '"wrong"'})
    assert (reply.status, reply.body, engine.viewers) == (200, b"", {})
    again = await server.request("DELETE", location)
    assert again.status == 404
    again.problem()


@pytest.mark.parametrize("if_match", ["*", '"etag-1"'])
@pytest.mark.parametrize("credentials", [b"", OLD_CREDENTIALS])
async def test_trickled_candidates_are_taken(
    server: Server, engine: FakeEngine, if_match: str, credentials: bytes
) -> None:
    reply = await patch(server, credentials + CANDIDATE, if_match)
    assert (reply.status, reply.body) == (204, b"")
    assert "etag" not in reply.headers  # Draft section 4.5.2.
    assert engine.viewers["session-1"].fragments == [(credentials + CANDIDATE).decode()]


async def test_new_credentials_restart_ice(server: Server, engine: FakeEngine) -> None:
    reply = await patch(server, NEW_CREDENTIALS + CANDIDATE)
    assert (reply.status, reply.body.decode()) == (200, RESTART_FRAGMENT)
    assert reply.headers["content-type"] == "application/trickle-ice-sdpfrag"
    assert reply.headers["etag"] == '"etag-2"'


@pytest.mark.parametrize(
    ("if_match", "body", "status"),
    [
        (None, CANDIDATE, 428),
        ('"a", "b"', CANDIDATE, 428),
        ('W/"etag-1"', CANDIDATE, 428),
        ('"other"', CANDIDATE, 412),
        ("*", b"", 422),
        ("*", b"candidate\r\n", 422),
        ("*", b"a=candidate:\xff\r\n", 422),
    ],
)
async def test_a_patch_that_cannot_be_applied_is_refused(
    server: Server, if_match: str | None, body: bytes, status: int
) -> None:
    reply = await patch(server, body, if_match)
    assert reply.status == status
    reply.problem()


async def test_a_patch_of_another_type_is_refused(server: Server) -> None:
    location = (await post(server)).headers["location"]
    reply = await server.request("PATCH", location, CANDIDATE, SDP | {"If-Match": "*"})
    assert reply.status == 415
    assert reply.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    reply.problem()


async def test_a_patch_of_an_unknown_session_is_refused(server: Server) -> None:
    reply = await patch(server, CANDIDATE, target="/whep/front/none")
    assert reply.status == 404
    reply.problem()


async def test_options_tell_what_is_taken(server: Server) -> None:
    endpoint = await server.request("OPTIONS", "/whep/front")
    assert (endpoint.status, endpoint.headers["accept-post"]) == (204, "application/sdp")
    session = await server.request("OPTIONS", "/whep/front/x")
    assert (session.status, session.headers["accept-patch"]) == (204, "application/trickle-ice-sdpfrag")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_players_can_find_out_that_this_is_whep(server: Server, method: str) -> None:
    """Draft section 4.2."""
    reply = await server.request(method, "/whep/front")
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/sdp", b"")
    assert (await server.request(method, "/whep/garage")).status == 404
    assert (await server.request(method, "/whep/front/x")).status == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "BREW"])
async def test_other_methods_are_refused_with_those_that_work(server: Server, method: str) -> None:
    reply = await server.request(method, "/whep/front")
    assert reply.status == 405
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    reply.problem()


def test_an_if_match_names_one_session() -> None:
    assert if_match_untrusted("*") is None
    assert if_match_untrusted('"a"') == "a"
    with pytest.raises(IfMatchRequired):
        if_match_untrusted("")


def test_a_host_that_is_none_is_not_passed_on() -> None:
    assert host_name(None) is None
    assert host_name("a b") is None
