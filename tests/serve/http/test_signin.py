"""Signing in and out over real sockets: cookies, throttling, and sessions that end when they should."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from camgate.auth.access import REVOKED, TAKEN_AWAY, Access, Credentials
from camgate.config.model import UserSettings
from tests.fakes.accounts import CHEAP, ROLES, access_for, auth_settings
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Reply, Server, running_server

JSON = {"Content-Type": "application/json"}


class Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def access(tmp_path: Path, clock: Clock) -> Access:
    return access_for({"anna": "viewer", "ben": "front"}, tmp_path, clock, session_days=2)


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, access: Access) -> AsyncIterator[Server]:
    (web / "signin.html").write_text("<!doctype html><title>Sign in</title>")
    async with running_server(engine, web, access=access) as server:
        yield server


async def sign_in(server: Server, name: str, password: str, **headers: str) -> Reply:
    body = json.dumps({"name": name, "password": password}).encode()
    return await server.request("POST", "/signin", body, {**JSON, **headers})


def cookie_of(reply: Reply) -> dict[str, str]:
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


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


@pytest.mark.parametrize("change", ["removed", "password", "role"])
async def test_a_user_who_may_no_more_is_cut_at_once(guarded: Server, access: Access, change: str) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    settings = auth_settings({"anna": "front" if change == "role" else "viewer", "ben": "front"})
    if change == "removed":
        settings = replace(settings, users={"ben": settings.users["ben"]})
    elif change == "role":
        old = access.settings.users["anna"]
        settings = replace(settings, users={"anna": replace(old, roles=("front",))})
    async with guarded.websocket(headers=cookie) as socket:
        await socket.get_message()
        assert access.apply(settings) == 1
        with trio.fail_after(10):
            message = json.loads(await socket.get_message())
        assert message["type"] == "signed-out"
        assert "taken away" in message["reason"]
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
        access.end_session(session)
    ended: list[str] = []
    access.leases.take(found, ended.append)
    assert len(access.leases) == (change == "none")
    assert ended == {"none": [], "removed": [TAKEN_AWAY], "signed out": [REVOKED]}[change]


async def test_signing_out_closes_that_sessions_sockets_only(guarded: Server) -> None:
    cookie = cookie_of(await sign_in(guarded, "anna", "anna"[::-1]))
    other = cookie_of(await sign_in(guarded, "ben", "ben"[::-1]))
    async with guarded.websocket(headers=cookie) as socket, guarded.websocket(headers=other) as others:
        await socket.get_message()
        await others.get_message()
        await guarded.request("POST", "/signout", headers=cookie)
        with trio.fail_after(10):
            assert "signed-out" in await socket.get_message()
            await others.send_message('{"type":"ping"}')
            assert json.loads(await others.get_message()) == {"type": "pong"}


async def test_where_there_are_no_users_nobody_signs_in(server: Server, web: Path) -> None:
    assert (await sign_in(server, "anna", "x")).status == 401
    assert (await server.request("GET", "/api/v1/session")).json()["way"] == "open"
    assert (await server.request("POST", "/signout")).status == 204


def test_the_fakes_passwords_are_right() -> None:
    user = UserSettings(name="anna", password_hash=CHEAP.hash("anna"[::-1]), roles=("viewer",))
    assert CHEAP.verify(user.password_hash, "anna"[::-1])
    assert "viewer" in ROLES
