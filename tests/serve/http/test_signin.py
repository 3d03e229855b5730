"""Signing in and out over real sockets: cookies, throttling, and sessions that end when they should."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import trio
from trio_websocket import WebSocketConnection

from camgate.auth.access import REVOKED, Access, Credentials
from camgate.auth.renewal import TAKEN_AWAY
from camgate.config.model import CallbackSettings, ServerSettings, UserSettings
from camgate.serve.http.pages import web_directory
from camgate.serve.http.signin import next_path_untrusted
from tests.fakes.accounts import CHEAP, ROLES, Clock, access_for, auth_settings, basic
from tests.fakes.backend import Backend
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Reply, Server, running_server
from tests.fakes.web_server import Answer, web_server

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def access(tmp_path: Path, clock: Clock) -> Access:
    return access_for({"anna": "viewer", "ben": "front"}, tmp_path, clock, session_days=2)


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, access: Access) -> AsyncIterator[Server]:
    shutil.copy(web_directory() / "signin.html", web)
    async with running_server(engine, web, access=access) as server:
        yield server


async def sign_in(server: Server, name: str, password: str, **headers: str) -> Reply:
    body = json.dumps({"name": name, "password": password}).encode()
    return await server.request("POST", "/signin", body, {**JSON, **headers})


def cookie_of(reply: Reply) -> dict[str, str]:
    """What a browser sends with a request of ours."""
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0], "Origin": "http://localhost"}


def open_socket(server: Server, cookie: dict[str, str]) -> AbstractAsyncContextManager[WebSocketConnection]:
    """As one of our pages does."""
    return server.websocket(headers={**cookie, "Origin": f"http://{LOOPBACK}:{server.port}"})


async def test_who_signs_in_gets_a_session(guarded: Server) -> None:
    reply = await sign_in(guarded, "anna", "anna"[::-1])
    assert reply.status == 200
    assert reply.json()["name"] == "anna"
    parts = [part.strip() for part in reply.headers["set-cookie"].split(";")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=172800"} <= set(parts)
    assert "Secure" not in parts  # over plain HTTP the browser would not send it back
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie_of(reply))).status == 200
    who = (await guarded.request("GET", "/api/v1/session", headers=cookie_of(reply))).json()
    assert who == {
        "name": "anna",
        "way": "session",
        "can_sign_out": True,
        "is_admin": False,
        "grants": {"view": ["*"], "playback": ["*"], "control": [], "admin": []},
        "expires_at": 1_000_000 + 2 * 86_400,
    }


async def test_nobody_is_no_error(guarded: Server) -> None:
    assert (await guarded.request("GET", "/api/v1/session")).json() is None
    assert (await guarded.request("GET", "/signin")).status == 200


async def test_who_signs_out_is_out_with_every_copy_of_the_cookie(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    other = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    reply = await guarded.request("POST", "/signout", headers=cookie)
    assert reply.status == 204
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 401
    assert (await guarded.request("GET", "/api/v1/cameras", headers=other)).status == 200


async def test_wrong_name_and_wrong_password_are_answered_alike(guarded: Server) -> None:
    wrong, unknown = await sign_in(guarded, "anna", "x"), await sign_in(guarded, "nobody", "x")
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body


async def test_whoever_guesses_has_to_wait(guarded: Server, access: Access) -> None:
    for _ in range(5):
        assert (await sign_in(guarded, "anna", "guess")).status == 401
    reply = await sign_in(guarded, "anna", "anna"[::-1])
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 2
    assert access.throttle.refused == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"name":1,"password":"x"}', b'{"name":"","password":"x"}', b"[" * 50_000, b"\xff"]
)
async def test_what_is_no_login_is_a_bad_request(guarded: Server, body: bytes) -> None:
    reply = await guarded.request("POST", "/signin", body, JSON)
    assert reply.status == 400
    assert reply.problem()["type"] == "urn:camgate:problem:bad-login"


async def test_forms_and_pages_of_other_sites_cannot_sign_in_or_out(guarded: Server) -> None:
    body = json.dumps({"name": "anna", "password": "anna"[::-1]}).encode()
    form = await guarded.request("POST", "/signin", body, {"Content-Type": "text/plain"})
    assert form.status == 400
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    for target in ("/signin", "/signout"):
        headers = {**JSON, **cookie, "Origin": "https://evil.example"}
        assert (await guarded.request("POST", target, body, headers)).status == 403
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 200


async def test_a_session_ends_at_its_time(guarded: Server, clock: Clock) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    clock.now_s += 2 * 86_400 - 1
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 200
    clock.now_s += 1
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 401


async def test_what_is_open_by_a_session_lasts_as_long_as_it_is_renewed(
    guarded: Server, access: Access, engine: FakeEngine, clock: Clock
) -> None:
    old = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    async with open_socket(guarded, old) as socket, open_socket(guarded, old) as early:
        await socket.get_message()
        await early.get_message()
        clock.now_s += 1.5 * 86_400
        renewed = await guarded.request("GET", "/api/v1/session", headers=old)
        new = cookie_of(renewed)
        ends_s = renewed.json()["expires_at"]
        assert ends_s == clock.now_s + 2 * 86_400
        async with open_socket(guarded, old) as late:  # whose handshake was under way
            await late.get_message()
            assert "set-cookie" not in (await guarded.request("GET", "/api/v1/session", headers=new)).headers
            assert [lease.identity.expires_at for lease in access.leases.held()] == [ends_s] * 3
        await socket.send_message(json.dumps({"type": "offer", "id": "a", "camera": "front", "sdp": "v=0"}))
        with trio.fail_after(30):
            assert json.loads(await socket.get_message())["type"] == "answer"
        (viewer,) = engine.viewers.values()
        assert viewer.identity.expires_at == ends_s
        await guarded.request("POST", "/signout", headers=new)
        with trio.fail_after(30):
            assert "signed-out" in await early.get_message()


async def test_a_session_survives_a_restart(engine: FakeEngine, web: Path, tmp_path: Path, clock: Clock) -> None:
    (web / "signin.html").touch()
    cookie = {}
    for _ in range(2):
        async with running_server(engine, web, access=access_for({"anna": "viewer"}, tmp_path, clock)) as server:
            cookie = cookie or cookie_of(await sign_in(server, "anna", "anna"[::-1]))
            # The users' hashes differ from start to start here, so this is another password.
            status = (await server.request("GET", "/api/v1/cameras", headers=cookie)).status
    assert status == 401
    settings = auth_settings({"anna": "viewer"})
    statuses = []
    for attempt in range(2):
        async with running_server(engine, web, access=Access(settings, tmp_path, clock=clock)) as server:
            if not attempt:
                cookie = cookie_of(await sign_in(server, "anna", "anna"[::-1]))
            statuses.append((await server.request("GET", "/api/v1/cameras", headers=cookie)).status)
    assert statuses == [200, 200]


async def test_who_has_signed_out_is_not_back_when_sessions_have_become_shorter(access: Access, clock: Clock) -> None:
    session, other = [
        access.start_session(await access.sign_in(name, name[::-1], "192.0.2.1"))[0] for name in ("anna", "ben")
    ]
    access.apply(replace(access.settings, session_days=1))
    await access.end_session(session)
    clock.now_s += 1.5 * 86_400
    await access.end_session(other)  # which forgets all that is over
    assert await access.identify(Credentials(session=session)) is None


@pytest.mark.parametrize("change", ["removed", "password", "role"])
async def test_a_user_who_may_no_more_is_cut_at_once(guarded: Server, access: Access, change: str) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    settings = auth_settings({"anna": "front" if change == "role" else "viewer", "ben": "front"})
    if change == "removed":
        settings = replace(settings, users={"ben": settings.users["ben"]})
    elif change == "role":
        old = access.settings.users["anna"]
        settings = replace(settings, users={"anna": replace(old, roles=("front",))})
    async with open_socket(guarded, cookie) as socket:
        await socket.get_message()
        assert access.apply(settings) == 1
        with trio.fail_after(10):
            message = json.loads(await socket.get_message())
        # Who may see others now is not signed out: the page connects again, and hears of those.
        assert message["type"] == ("bye" if change == "role" else "signed-out")
        assert ("changed" if change == "role" else "taken away") in message["reason"]
    status = (await guarded.request("GET", "/api/v1/cameras/yard", headers=cookie)).status
    assert status == (404 if change == "role" else 401)


@pytest.mark.parametrize("change", ["none", "removed", "signed out"])
async def test_what_ended_since_somebody_asked_is_not_held(access: Access, change: str) -> None:
    identity = await access.sign_in("anna", "anna"[::-1], "192.0.2.1")
    session, _ = access.start_session(identity)
    found = await access.identify(Credentials(session=session))
    assert found is not None
    if change == "removed":
        access.apply(replace(access.settings, users={}))
    elif change == "signed out":
        await access.end_session(session)
    ended: list[str] = []
    access.leases.take(found, ended.append)
    assert len(access.leases) == (change == "none")
    assert ended == {"none": [], "removed": [TAKEN_AWAY], "signed out": [REVOKED]}[change]


async def test_signing_out_closes_that_sessions_sockets_only(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    other = cookie_of(await sign_in(guarded, "ben", "ben"[::-1]))
    async with open_socket(guarded, cookie) as socket, open_socket(guarded, other) as others:
        await socket.get_message()
        await others.get_message()
        await guarded.request("POST", "/signout", headers=cookie)
        with trio.fail_after(10):
            assert "signed-out" in await socket.get_message()
            await others.send_message('{"type":"ping"}')
            assert json.loads(await others.get_message()) == {"type": "pong"}


FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://localhost"}


async def post_form(server: Server, fields: str, target: str = "/signin", **headers: str) -> Reply:
    return await server.request("POST", target, fields.encode(), {**FORM, **headers})


async def test_a_form_signs_in_without_javascript(guarded: Server) -> None:
    reply = await post_form(guarded, "name=ben&password=neb")
    assert (reply.status, reply.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in reply.headers["set-cookie"].split(";")}
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie_of(reply))).status == 200


@pytest.mark.parametrize(
    "fields", ["name=ben&password=x", "name=nobody&password=neb", "name=ben", "", "name=&password="]
)
async def test_a_form_that_is_wrong_is_answered_by_the_page_with_the_reason(guarded: Server, fields: str) -> None:
    reply = await post_form(guarded, fields)
    assert reply.status == 401
    assert "set-cookie" not in reply.headers
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b'role="alert">The login was refused: the user name or the password is wrong.</p>' in reply.body
    assert "script-src 'self'" in reply.headers["content-security-policy"]


async def test_a_form_that_has_to_wait_says_for_how_long(guarded: Server) -> None:
    for _ in range(5):
        assert (await post_form(guarded, "name=ben&password=guess")).status == 401
    reply = await post_form(guarded, "name=ben&password=neb")
    assert reply.status == 429
    assert int(reply.headers["retry-after"]) == 2
    assert b">Too many logins have failed; try again in 2 s.</p>" in reply.body


@pytest.mark.parametrize("fields", ["name=%00&" * 9, "\xff", "name=ben&password=" + "x" * 1025])
async def test_a_form_that_is_none_is_a_bad_request(guarded: Server, fields: str) -> None:
    reply = await guarded.request("POST", "/signin", fields.encode("latin-1"), FORM)
    assert reply.status == 400
    assert b'role="alert">Send {' in reply.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
async def test_a_form_of_another_site_signs_nobody_in_or_out(guarded: Server, headers: dict[str, str]) -> None:
    form = {"Content-Type": FORM["Content-Type"], **headers}
    reply = await guarded.request("POST", "/signin", b"name=ben&password=neb", form)
    assert reply.status == 403
    assert "set-cookie" not in reply.headers
    reply.problem()
    mine = cookie_of(await sign_in(guarded, "ben", "neb"))
    theirs = {**form, "Cookie": mine["Cookie"]}
    assert (await guarded.request("POST", "/signout", b"", theirs)).status == 403
    assert (await guarded.request("GET", "/api/v1/session", headers=mine)).json()["name"] == "ben"


@pytest.mark.parametrize("shown", [{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
async def test_a_page_of_ours_may_use_the_cookie_for_all(guarded: Server, shown: dict[str, str]) -> None:
    cookie = {"Cookie": cookie_of(await sign_in(guarded, "ben", "neb"))["Cookie"]}
    assert (await guarded.request("DELETE", "/whep/front/nothing", headers={**cookie, **shown})).status == 404
    assert (await guarded.request("POST", "/signout", headers={**cookie, **shown})).status == 204


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_cookie_alone_changes_nothing(guarded: Server, method: str) -> None:
    cookie = {"Cookie": cookie_of(await sign_in(guarded, "ben", "neb"))["Cookie"]}
    target = "/whep/front" if method == "POST" else "/whep/front/nothing"
    headers = {**cookie, "Content-Type": "application/sdp"}
    reply = await guarded.request(method, target, b"v=0", headers)
    assert (reply.status, reply.problem()["type"]) == (403, "urn:camgate:problem:foreign-page")
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 200
    # Programs say who they are with each request, and no browser does that for a page of another site.
    reply = await guarded.request(method, target, b"v=0", {"Content-Type": "application/sdp", **basic("ben")})
    assert reply.status not in (401, 403)


async def test_a_socket_wants_the_origin_with_a_cookie(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "ben", "neb"))
    async with open_socket(guarded, cookie) as socket:
        assert json.loads(await socket.get_message())["type"] == "cameras"
    handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    handshake |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Cookie": cookie["Cookie"]}
    assert (await guarded.request("GET", "/ws", headers=handshake)).status == 403


async def test_a_foreign_page_gets_no_use_of_a_cookie_from_a_star(
    engine: FakeEngine, web: Path, access: Access
) -> None:
    (web / "signin.html").touch()
    settings = ServerSettings(cors_origins=("*",))
    async with running_server(engine, web, settings, access) as server:
        cookie = cookie_of(await sign_in(server, "ben", "neb")) | {"Origin": "http://localhost:81"}
        assert (await server.request("DELETE", "/whep/front/nothing", headers=cookie)).status == 403
    settings = ServerSettings(cors_origins=("http://localhost:81",))
    async with running_server(engine, web, settings, access) as server:
        assert (await server.request("DELETE", "/whep/front/nothing", headers=cookie)).status == 404


async def test_a_form_signs_out_and_leads_to_the_sign_in_page(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "ben", "neb"))
    reply = await guarded.request("POST", "/signout", b"", {**FORM, **cookie})
    assert (reply.status, reply.headers["location"]) == (303, "/signin")
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 401


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/camera/front?x=1", "/camera/front?x=1"),
        ("/", "/"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\/evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/signout", "/"),
        ("/signin?next=/x", "/"),
        ("/signings", "/signings"),
    ],
)
async def test_one_goes_on_to_places_of_this_site_only(guarded: Server, wanted: str, path: str) -> None:
    reply = await post_form(guarded, "name=ben&password=neb", f"/signin?next={quote(wanted, safe='')}")
    assert (reply.status, reply.headers["location"]) == (303, path)


@pytest.mark.parametrize("text", ["/a\r\nSet-Cookie: x", "/a b", "/\u2215evil", "/" + "a" * 2048, "/caf\u00e9", " /"])
def test_what_no_path_looks_like_is_nowhere_to_go(text: str) -> None:
    assert next_path_untrusted(text) is None


def test_below_a_proxys_prefix_one_stays_there() -> None:
    assert next_path_untrusted("/cams/camera/front", "/cams") == "/cams/camera/front"
    assert next_path_untrusted("/other/", "/cams") is None
    assert next_path_untrusted("/cams/signout", "/cams") is None


async def test_people_are_sent_to_sign_in_and_back(guarded: Server) -> None:
    html = {"Accept": "text/html"}
    reply = await guarded.request("GET", "/camera/front?a=b", headers=html)
    assert (reply.status, reply.headers["location"]) == (303, "/signin?next=%2Fcamera%2Ffront%3Fa%3Db")
    framed = {**html, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}
    assert (await guarded.request("GET", "/embed/front", headers=framed)).status == 401
    framed["Sec-Fetch-Site"] = "same-origin"
    assert (await guarded.request("GET", "/embed/front", headers=framed)).status == 303


async def test_a_session_that_is_half_over_is_prolonged(guarded: Server, clock: Clock) -> None:
    cookie = cookie_of(await sign_in(guarded, "ben", "neb"))
    clock.now_s += 86_400 - 1
    assert "set-cookie" not in (await guarded.request("GET", "/api/v1/session", headers=cookie)).headers
    clock.now_s += 1
    reply = await guarded.request("GET", "/api/v1/session", headers=cookie)
    assert reply.json()["expires_at"] == clock.now_s + 2 * 86_400
    renewed = cookie_of(reply)
    clock.now_s += 86_400
    assert (await guarded.request("GET", "/api/v1/cameras", headers=cookie)).status == 401
    assert (await guarded.request("GET", "/api/v1/cameras", headers=renewed)).status == 200


async def test_signing_out_ends_what_was_prolonged_too(guarded: Server, clock: Clock) -> None:
    cookie = cookie_of(await sign_in(guarded, "ben", "neb"))
    clock.now_s += 1.5 * 86_400
    renewed = cookie_of(await guarded.request("GET", "/api/v1/session", headers=cookie))
    assert (await guarded.request("POST", "/signout", headers=cookie)).status == 204
    clock.now_s += 86_400  # the older cookie's own time is over, and what is known of it may be forgotten
    other = cookie_of(await sign_in(guarded, "anna", "anna"))
    await guarded.request("POST", "/signout", headers=other)
    assert (await guarded.request("GET", "/api/v1/cameras", headers=renewed)).status == 401


async def test_who_is_signed_in_already_is_led_on(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "ben", "neb"))
    reply = await guarded.request("GET", "/signin?next=/camera/front", headers=cookie)
    assert (reply.status, reply.headers["location"]) == (303, "/camera/front")
    await guarded.request("POST", "/signout", headers=cookie)
    assert (await guarded.request("GET", "/signin", headers=cookie)).status == 200


async def test_who_may_not_see_a_page_can_sign_in_as_somebody_else(guarded: Server) -> None:
    cookie = {**cookie_of(await sign_in(guarded, "anna", "anna"[::-1])), "Accept": "text/html"}
    sent = await guarded.request("GET", "/admin", headers=cookie)
    assert (sent.status, sent.headers["location"]) == (303, "/signin?next=%2Fadmin&why=not-permitted")
    page = await guarded.request("GET", sent.headers["location"], headers=cookie)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_where_everybody_is_let_in_the_page_leads_on(server: Server, web: Path) -> None:
    reply = await server.request("GET", "/signin?next=/camera/front")
    assert (reply.status, reply.headers["location"]) == (303, "/camera/front")


async def test_where_there_are_no_users_nobody_signs_in(server: Server, web: Path) -> None:
    assert (await sign_in(server, "anna", "x")).status == 401
    assert (await server.request("GET", "/api/v1/session")).json()["way"] == "open"
    assert (await server.request("POST", "/signout")).status == 204


def test_the_fakes_passwords_are_right() -> None:
    user = UserSettings(name="anna", password_hash=CHEAP.hash("anna"[::-1]), roles=("viewer",))
    assert CHEAP.verify(user.password_hash, "anna"[::-1])
    assert "viewer" in ROLES


async def test_while_the_callback_is_down_there_is_a_way_in_for_users_of_the_config(
    engine: FakeEngine, web: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(web_directory() / "signin.html", web)
    backend = Backend()
    html = {"Accept": "text/html"}
    async with web_server(backend) as callback:
        by_callback = CallbackSettings(url=callback.url(), cache_s=0.0)
        settings = replace(auth_settings({"ben": "front"}), callback=by_callback)
        access = Access(settings, tmp_path, cameras={"front": (), "yard": ()})
        async with running_server(engine, web, access=access) as server:
            anna = cookie_of(await sign_in(server, "anna", "hush"))
            backend.instead = Answer(500)
            for shown in ({}, anna):
                reply = await server.request("GET", "/camera/front?a=1", headers={**html, **shown})
                assert (reply.status, reply.headers["location"]) == (303, "/signin?next=%2Fcamera%2Ffront%3Fa%3D1")
                # Programs and pages' scripts ask again; and a token would be lost on the way.
                for target, accept in (("/api/v1/cameras", {}), ("/api/v1/session", {}), ("/?token=x.y.z", html)):
                    assert (await server.request("GET", target, headers={**accept, **shown})).status == 503
                page = await server.request("GET", "/signin?next=/camera/front", headers={**html, **shown})
                assert page.status == 200
                words = b"You are still signed in, but logins cannot be checked" if shown else b"Nobody can be let in"
                assert b'role="alert">' + words + b" at present" in page.body
            ben = cookie_of(await sign_in(server, "ben", "neb"))
            assert (await server.request("GET", "/api/v1/cameras", headers=ben)).status == 200
            backend.instead = None
            assert (await server.request("GET", "/api/v1/cameras", headers=anna)).status == 200
            page = await server.request("GET", "/signin?next=/camera/front", headers={**html, **anna})
            assert (page.status, page.headers["location"]) == (303, "/camera/front")
        await access.aclose()
    errors = {record.message for record in caplog.records if record.levelname == "ERROR"}
    assert errors == {"the callback for logins has failed; nobody is let in by it status=500"}
    caplog.clear()
