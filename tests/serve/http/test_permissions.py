"""Every route and every role: who may use what, over real sockets, from the application's own list of routes."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionRejected

from camgate.auth.access import SESSION, Access
from camgate.auth.identity import EVERYBODY as NOBODY_ASKED
from camgate.auth.identity import Action, Way
from camgate.auth.signing import Signer
from camgate.auth.tokens import TOKEN
from camgate.auth.users import fingerprint, identity_of_user
from camgate.config.model import ServerSettings
from camgate.serve.http.identity import IDENTITY
from camgate.serve.http.permissions import (
    NEEDED,
    NOTHING,
    Need,
    Needed,
    Permissions,
    UndeclaredRoute,
    needs,
    needs_of_routes,
    open_to_all,
)
from camgate.serve.http.whep import FRAGMENT, SDP
from camgate.wire.ice.servers import IceServer
from tests.fakes.accounts import access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, application, running_server

USERS = {
    "alice": "admin",
    "olga": "operator",
    "victor": "viewer",
    "fred": "front",
    "yuri": "yard",
    "olaf": "outside",
    "norbert": "nothing",
    "keith": "keeper",
}

SEES_FRONT = {"alice", "olga", "victor", "fred", "olaf", "keith", "a session", "a token"}
SEES_ANY = SEES_FRONT | {"yuri", "a token for yard"}
CONTROLS_ALL = {"alice", "olga"}
ADMINS = {"alice"}
CONTROLS_FRONT = CONTROLS_ALL | {"keith"}
REFUSED = {"a wrong password", "a stranger", "an expired token", "a revoked token", "a forged token"}
"""Who is told that the login is wrong, but for a session that is over: that is nobody."""
NOBODY = {"nobody", "an expired session"}
EVERYBODY = SEES_ANY | {"norbert"} | REFUSED | NOBODY

EXPECTED = {
    "GET /": SEES_ANY,
    "GET /camera/<name>": SEES_FRONT,
    "GET /embed/<name>": SEES_FRONT,
    "GET /admin": ADMINS,
    "GET /static/<path:name>": EVERYBODY,
    "GET /signin": EVERYBODY,
    "POST /signin": EVERYBODY,
    "POST /signout": EVERYBODY,
    "GET /api/v1/session": EVERYBODY - REFUSED,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /api/v1/openapi.json": EVERYBODY,
    "GET /api/v1/cameras": SEES_ANY,
    "GET /api/v1/cameras/<name>": SEES_FRONT,
    "GET /api/v1/cameras/<name>/snapshot.jpg": SEES_FRONT,
    "GET /api/v1/cameras/<name>/shares": CONTROLS_FRONT,
    "POST /api/v1/cameras/<name>/shares": CONTROLS_FRONT,
    "DELETE /api/v1/cameras/<name>/shares/<share>": CONTROLS_FRONT,
    "GET /share": EVERYBODY,
    "POST /share": EVERYBODY,
    "GET /api/v1/server": CONTROLS_ALL,
    "GET /metrics": CONTROLS_ALL,
    "GET /api/v1/viewers": CONTROLS_FRONT,
    "DELETE /api/v1/cameras/<name>/viewers/<viewer>": CONTROLS_FRONT,
    "GET /api/v1/logs": ADMINS,
    "POST /api/v1/reload": ADMINS,
    "GET /api/v1/config": ADMINS,
    "GET /api/v1/config/cameras": ADMINS,
    "POST /api/v1/config/cameras": ADMINS,
    "POST /api/v1/config/probe": ADMINS,
    "GET /api/v1/config/cameras/<name>": ADMINS,
    "PATCH /api/v1/config/cameras/<name>": ADMINS,
    "DELETE /api/v1/config/cameras/<name>": ADMINS,
    "POST /api/v1/config/cameras/<name>/enable": ADMINS,
    "POST /api/v1/config/cameras/<name>/disable": ADMINS,
    "GET /ws": EVERYBODY,
    "POST /whep/<camera>": SEES_FRONT,
    "GET /whep/<camera>": SEES_FRONT,
    "OPTIONS /whep/<camera>": SEES_FRONT,
    "GET /whep/<camera>/<session>": SEES_FRONT,
    "OPTIONS /whep/<camera>/<session>": SEES_FRONT,
    "PATCH /whep/<camera>/<session>": SEES_FRONT,
    "DELETE /whep/<camera>/<session>": SEES_FRONT,
}
"""Who may, for the camera `front`, which is in the group `outside`. (A GET of /ws is answered 426.)"""


NOW_S = 1_000_000.0


async def shown_by(access: Access, signer: Signer) -> dict[str, dict[str, str]]:
    """The headers with which each one comes."""

    def token(**claims: object) -> dict[str, str]:
        signed = signer.sign(TOKEN, {"jti": "t1", "exp": NOW_S + 60, "grants": {"view": ["front"]}, **claims})
        return {"Authorization": f"Bearer {signed}"}

    await access.revoke_token("t2", NOW_S + 60)
    fred = access.settings.users["fred"]
    session = {"sub": "fred", "jti": "s1", "iat": NOW_S - 9, "exp": NOW_S, "pwd": fingerprint(fred.password_hash)}
    over = signer.sign(SESSION, session)
    forged = Signer(bytes(32)).sign(TOKEN, {"jti": "t1", "exp": NOW_S + 60, "grants": {"admin": ["*"]}})
    return {
        **{name: basic(name) for name in USERS},
        "nobody": {},
        "a session": {"Cookie": f"camgate_session={session_of(access, 'fred')}", "Sec-Fetch-Site": "same-origin"},
        "an expired session": {"Cookie": f"camgate_session={over}", "Sec-Fetch-Site": "same-origin"},
        "a token": token(),
        "a token for yard": token(grants={"view": ["yard"]}),
        "an expired token": token(exp=NOW_S),
        "a revoked token": token(jti="t2"),
        "a forged token": {"Authorization": f"Bearer {forged}"},
        "a wrong password": basic("alice", "wrong"),
        "a stranger": basic("ghost"),
    }


def session_of(access: Access, name: str) -> str:
    identity = identity_of_user(access.settings, name, Way.SESSION)
    assert identity is not None
    return access.start_session(identity)[0]


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return access_for(USERS, tmp_path, clock=lambda: NOW_S)


@pytest.fixture
async def shown(access: Access, tmp_path: Path) -> dict[str, dict[str, str]]:
    return await shown_by(access, Signer((tmp_path / "auth.key").read_bytes()))


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, access: Access) -> AsyncIterator[Server]:
    engine.group_names["front"] = ("outside",)
    (web / "signin.html").write_text("<!doctype html><title>Sign in</title>")
    async with running_server(engine, web, access=access) as server:
        yield server


async def test_every_route_is_in_the_table(engine: FakeEngine, web: Path) -> None:
    found = {
        f"{method} {rule.rule}"
        for rule in application(engine, web).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert found == EXPECTED.keys()


DESIGN = Path(__file__).parents[3] / "docs" / "design" / "access.md"


def in_words(need: Need) -> str:
    if need.action is None:
        return "nothing"
    which = "it" if need.camera else "all cameras" if need.everywhere else "any camera"
    return f"`{need.action.value}` of {which}"


async def test_the_page_about_access_has_the_table_of_needs(engine: FakeEngine, web: Path) -> None:
    app = application(engine, web)
    needs_of = needs_of_routes(app)
    declared = {
        (
            f"{method} {re.sub(r'<(?:path:)?(.+?)>', lambda part: part[1].upper(), rule.rule)}",
            in_words(needs_of[rule.endpoint]),
        )
        for rule in app.url_map.iter_rules()
        for method in (["WebSocket"] if rule.websocket else (rule.methods or set()) - {"HEAD"})
    }
    rows = re.findall(r"^\| (`[A-Z].+) \| (.+) \|$", DESIGN.read_text().partition("## What each route needs")[2], re.M)
    written = [
        (f"{method} {path}", need)
        for routes, need in rows
        for methods, path in re.findall(r"`([A-Za-z, ]+) (/\S*)`", routes)
        for method in methods.split(", ")
    ]
    assert sorted(written) == sorted(declared)


async def test_a_route_that_declares_no_need_keeps_the_server_from_starting(engine: FakeEngine, web: Path) -> None:
    app = application(engine, web)
    Permissions(app)

    @app.get("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(UndeclaredRoute, match="/forgotten needs a declaration"):
        Permissions(app)


async def test_a_route_that_the_gate_has_not_checked_is_a_bug(engine: FakeEngine, web: Path) -> None:
    client = application(engine, web).test_client()
    checked = {IDENTITY: NOBODY_ASKED, NEEDED: Needed(Need(Action.VIEW, "name"), "front")}
    for path, scope, status in (
        ("/api/v1/cameras/front", checked, 200),
        ("/api/v1/cameras/front", {}, 500),  # beside the gate
        ("/api/v1/cameras/yard", checked, 500),  # another camera than it has looked at
        ("/api/v1/server", checked, 500),  # another route
        ("/healthz", {}, 200),
    ):
        assert (await client.get(path, scope_base=scope)).status_code == status


def test_needs_are_found_of_endless_addresses(engine: FakeEngine, web: Path) -> None:
    permissions = Permissions(application(engine, web))

    def of(path: str) -> Needed:
        return permissions.of({"type": "http", "method": "GET", "path": path})

    assert of("/cams/whep/front") == NOTHING
    for name in ("front", "n" * 5000):
        assert of(f"/whep/{name}") == Needed(Need(Action.VIEW, "camera"), name)


def addressed(route: str) -> tuple[str, str]:
    """Return the method and an address of one of the table's routes."""
    method, _, rule = route.partition(" ")
    target = rule.replace("<name>", "front").replace("<camera>", "front").replace("<session>", "session-0")
    return method, target.replace("<path:name>", "app.js")


@pytest.mark.parametrize("route", EXPECTED)
async def test_who_may_use_a_route(guarded: Server, shown: dict[str, dict[str, str]], route: str) -> None:
    method, target = addressed(route)
    passed = set()
    for who, headers in shown.items():
        reply = await guarded.request(method, target, headers=headers)
        if reply.status not in (401, 403) and "unknown-camera" not in reply.body.decode("latin-1"):
            passed.add(who)
            continue
        status, kind = reply.status, reply.problem()["type"].removeprefix("urn:camgate:problem:")
        if who in NOBODY | REFUSED:
            assert (status, kind) == (401, "signed-out" if who in NOBODY else "login-refused")
        else:
            assert (status, kind) in ((403, "not-permitted"), (404, "unknown-camera"))
    assert shown.keys() == EVERYBODY
    # An empty sign-in is a bad request, and refused to nobody for who they are.
    assert passed == EXPECTED[route]


async def test_who_may_open_the_websocket(guarded: Server, shown: dict[str, dict[str, str]]) -> None:
    passed = set()
    for who, headers in shown.items():
        try:
            async with guarded.websocket(headers=headers) as socket:
                await socket.get_message()
            passed.add(who)
        except* ConnectionRejected as group:
            rejected = group.exceptions[0]
            assert isinstance(rejected, ConnectionRejected)
            assert rejected.status_code == (401 if who in NOBODY | REFUSED else 403)
    assert passed == SEES_ANY


async def test_head_is_permitted_as_get_is(guarded: Server, shown: dict[str, dict[str, str]]) -> None:
    for who in (*USERS, "nobody"):
        for target in ("/", "/api/v1/cameras/front", "/api/v1/server", "/whep/front"):
            statuses = [
                (await guarded.request(method, target, headers=shown[who])).status for method in ("HEAD", "GET")
            ]
            assert statuses[0] == statuses[1], (who, target)


async def test_a_camera_that_one_may_not_view_is_as_one_that_is_not_there(guarded: Server) -> None:
    forbidden = await guarded.request("GET", "/api/v1/cameras/yard", headers=basic("fred"))
    missing = await guarded.request("GET", "/api/v1/cameras/nope", headers=basic("alice"))
    assert (forbidden.status, missing.status) == (404, 404)
    assert forbidden.body.replace(b"yard", b"nope") == missing.body
    assert {name: value for name, value in forbidden.headers.items() if name not in ("date", "content-length")} == {
        name: value for name, value in missing.headers.items() if name not in ("date", "content-length")
    }


async def test_turn_credentials_are_for_those_who_may_view(guarded: Server, engine: FakeEngine) -> None:
    engine.turn = (IceServer(("turn:t.example",), "u", "credential-of-turn", 600),)
    for method, who, target, status in (
        ("OPTIONS", "fred", "/whep/front", 204),
        ("OPTIONS", "fred", "/whep/yard", 404),
        ("POST", "fred", "/whep/yard", 404),
        ("OPTIONS", "nobody", "/whep/front", 401),
        ("POST", "nobody", "/whep/front", 401),
    ):
        headers = {"Content-Type": SDP} | ({} if who == "nobody" else basic(who))
        reply = await guarded.request(method, target, b"v=0\r\n" if method == "POST" else b"", headers)
        assert reply.status == status
        assert ("credential-of-turn" in str(reply)) == (status == 204)
        assert ('username="5:fred"' in reply.headers.get("link", "")) == (status == 204)


@pytest.mark.parametrize("page", ["camera", "embed"])
async def test_people_are_shown_the_same_page_for_both(guarded: Server, page: str) -> None:
    headers = {**basic("fred"), "Accept": "text/html"}
    forbidden = await guarded.request("GET", f"/{page}/yard", headers=headers)
    missing = await guarded.request("GET", f"/{page}/nope", headers=headers)
    assert forbidden.status == missing.status == 404
    assert forbidden.headers["content-type"] == missing.headers["content-type"] == "text/html; charset=utf-8"
    assert forbidden.body == missing.body
    assert (await guarded.request("GET", f"/{page}/front", headers=headers)).status == 200


@pytest.mark.parametrize(
    ("who", "may"),
    [("fred", True), ("victor", False), ("olaf", False), ("yuri", False), ("keith", True), ("alice", True)],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_viewers_session_is_for_who_began_it(
    guarded: Server, engine: FakeEngine, method: str, who: str, may: bool
) -> None:
    begun = await guarded.request("POST", "/whep/front", b"v=0\r\n", {**basic("fred"), "Content-Type": SDP})
    headers = {**basic(who), "Content-Type": FRAGMENT, "If-Match": "*"}
    body = b"a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n" if method == "PATCH" else b""
    reply = await guarded.request(method, begun.headers["location"], body, headers)
    if may:
        assert reply.status in (200, 204)
    else:
        assert reply.status == 404
        assert engine.viewers["session-1"].fragments == []
        other = await guarded.request(method, "/whep/front/session-9", body, headers)
        assert reply.body.replace(b"session-1", b"session-9") == other.body


async def test_a_session_is_not_reached_by_another_cameras_address(guarded: Server, engine: FakeEngine) -> None:
    await guarded.request("POST", "/whep/front", b"v=0\r\n", {**basic("fred"), "Content-Type": SDP})
    reply = await guarded.request("DELETE", "/whep/yard/session-1", headers=basic("alice"))
    assert reply.status == 404
    assert reply.problem()["type"] == "urn:camgate:problem:unknown-session"
    assert "session-1" in engine.viewers


@pytest.mark.parametrize("sent", ["Digest username=x", "Negotiate YII=", "Basic !", "Bearer junk"])
async def test_without_users_a_login_is_the_business_of_the_proxy_that_asked_for_it(server: Server, sent: str) -> None:
    for target in ("/api/v1/cameras", "/healthz?verbose", "/api/v1/session", "/api/v1/cameras?token=junk"):
        assert (await server.request("GET", target, headers={"Authorization": sent})).status == 200


@pytest.mark.parametrize(
    ("who", "names"), [("alice", ["front", "yard"]), ("fred", ["front"]), ("yuri", ["yard"]), ("olaf", ["front"])]
)
async def test_lists_hold_what_one_may_view(guarded: Server, who: str, names: list[str]) -> None:
    reply = await guarded.request("GET", "/api/v1/cameras", headers=basic(who))
    assert [camera["name"] for camera in reply.json()] == names
    health = await guarded.request("GET", "/healthz?verbose", headers=basic(who))
    assert health.json()["cameras"]["total"] == len(names)
    async with guarded.websocket(headers=basic(who)) as socket:
        first = await socket.get_message()
        assert [name for name in ("front", "yard") if f'"name":"{name}"' in first] == names


async def test_a_socket_hears_nothing_of_other_cameras(guarded: Server, engine: FakeEngine) -> None:
    async with guarded.websocket(headers=basic("fred")) as socket:
        await socket.get_message()
        engine.change("yard", state="stalled")
        engine.change("front", state="backoff")
        with trio.fail_after(10):
            assert '"front"' in (message := await socket.get_message())
        assert "yard" not in message
        await socket.send_message('{"type":"offer","id":"1","camera":"yard","sdp":"v=0"}')
        with trio.fail_after(10):
            assert "unknown-camera" in await socket.get_message()
    async with guarded.websocket("/ws?camera=yard", headers=basic("fred")) as socket:
        assert '"cameras":[]' in await socket.get_message()
    assert engine.viewers == {}


@pytest.mark.parametrize("target", ["/healthz?verbose", "/api/v1/cameras", "/ws"])
async def test_wrong_logins_are_told_apart_from_none(guarded: Server, target: str) -> None:
    if target != "/ws":
        assert (await guarded.request("GET", target)).status == 401
    for headers in (basic("alice", "wrong"), basic("ghost"), {"Authorization": "Bearer junk"}, {"Authorization": "x"}):
        reply = await guarded.request("GET", target, headers={**headers, "Connection": "close"})
        if target == "/ws":
            continue  # a plain GET is answered 426, whoever asks
        assert reply.status == 401
        assert reply.problem()["type"] == "urn:camgate:problem:login-refused"
        assert reply.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic YWxpY2U",  # not padded
        b"Basic YWxpY2U=",  # no colon
        b"Basic Og==",  # neither name nor password
        b"Basic YWxpY2U6AA==",  # the password is a zero byte
        b"Basic YWxpY2U66Q==",  # Latin-1
        b"Basic " + b64encode("alice:\u00e9\U0001f511".encode()),
        b"Basic " + b64encode(b"alice:" + b"x" * 10_000),
        b"Basic " + b64encode(b"x" * 10_000 + b":x"),
        b"Basic \xff\xfe",
        b"Bearer",
        b"Bearer \xe9",
        b"Bearer ..",
        b"Bearer " + b"x" * 10_000,
        b"Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.",
        b"Digest username=alice",
        b"Basic YWxpY2U6ZWNpbGE=\r\nAuthorization: Bearer x",  # the first one is right
    ],
)
async def test_garbled_logins_are_refused_in_words(guarded: Server, sent: bytes) -> None:
    request = b"GET /api/v1/cameras HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + sent + b"\r\n\r\n"
    reply = await guarded.raw(request)
    assert reply.status == 401
    assert reply.problem()["type"] == "urn:camgate:problem:login-refused"
    assert reply.problem()["detail"].startswith("The login was refused: ")
    assert (await guarded.request("GET", "/api/v1/cameras", headers=basic("alice"))).status == 200


async def test_a_token_among_too_many_parameters_is_refused_in_words(guarded: Server) -> None:
    reply = await guarded.request("GET", "/api/v1/cameras?token=x" + "&a=b" * 100)
    assert reply.status == 401
    assert "more than 64 parameters" in reply.problem()["detail"]


async def test_pages_that_may_use_us_may_read_why_they_are_refused(
    engine: FakeEngine, web: Path, access: Access
) -> None:
    settings = ServerSettings(cors_origins=("https://home.example",))
    async with running_server(engine, web, settings, access=access) as server:
        reply = await server.request("GET", "/api/v1/cameras", headers={"Origin": "https://home.example"})
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == "https://home.example"


FOREIGN = {"Origin": "https://evil.example"}
UNNAMED = "urn:camgate:problem:unnamed-origin"


async def test_a_star_lets_pages_watch_and_no_more(engine: FakeEngine, web: Path) -> None:
    watching = {route for route, who in EXPECTED.items() if who in (SEES_ANY, SEES_FRONT)}
    watching |= {route for route, who in EXPECTED.items() if who >= NOBODY and route.startswith("GET")}
    (web / "signin.html").touch()
    async with running_server(engine, web, ServerSettings(cors_origins=("*", "https://home.example"))) as server:
        for route in EXPECTED:
            method, target = addressed(route)
            # As a page can send it without that its browser asks first.
            headers = {"Content-Type": "text/plain"}
            reply = await server.request(method, target, b"{}" if method == "POST" else b"", headers | FOREIGN)
            is_refused = reply.status == 403 and reply.problem()["type"] == UNNAMED
            assert is_refused == (route not in watching), route
            if is_refused:
                assert reply.headers["access-control-allow-origin"] == FOREIGN["Origin"]  # who may read why
        for origin in ("https://home.example", "http://localhost:8107"):
            headers = {"Origin": origin, "Host": "localhost:8107"}
            reply = await server.request("POST", "/api/v1/reload", headers=headers)
            assert reply.problem()["type"] == "urn:camgate:problem:nothing-to-reload"
        async with server.websocket(headers=FOREIGN) as socket:
            await socket.get_message()


async def test_what_browsers_send_by_themselves_counts_for_nothing_by_a_star(
    engine: FakeEngine, web: Path, access: Access, shown: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    admin = Signer((tmp_path / "auth.key").read_bytes()).sign(
        TOKEN, {"jti": "t3", "exp": NOW_S + 60, "grants": {"admin": ["*"]}}
    )
    offer = ("POST", "/whep/front", b"v=0\r\n")
    look = ("GET", "/api/v1/cameras/front", b"")
    switch = ("POST", "/api/v1/config/cameras/front/disable", b"")
    async with running_server(engine, web, ServerSettings(cors_origins=("*",)), access) as server:
        for who, (method, target, body), status in (
            (shown["nobody"], look, 401),
            (shown["alice"], look, 403),
            (shown["alice"], offer, 403),
            (shown["alice"], switch, 403),
            (shown["a session"], look, 403),
            (shown["a token"], look, 200),
            (shown["a token"], offer, 201),
            ({"Authorization": f"Bearer {admin}"}, switch, 409),  # the fake keeps nothing
        ):
            headers = {"Content-Type": SDP, **who, **FOREIGN}
            assert (await server.request(method, target, body, headers)).status == status
        for name in ("alice", "a session"):
            with pytest.RaisesGroup(ConnectionRejected, allow_unwrapped=False, flatten_subgroups=True):
                async with server.websocket(headers=shown[name] | FOREIGN):
                    pass


async def test_people_are_told_at_the_sign_in_page_why_they_are_there(
    guarded: Server, shown: dict[str, dict[str, str]]
) -> None:
    page = {"Accept": "text/html"}
    expired = shown["an expired token"]["Authorization"].removeprefix("Bearer ")
    reply = await guarded.request("GET", f"/camera/front?a=b&token={expired}&c", headers=page)
    # Without the token, which would be refused again.
    location = "/signin?next=%2Fcamera%2Ffront%3Fa%3Db%26c&why=login-refused"
    assert (reply.status, reply.headers["location"]) == (303, location)
    reply = await guarded.request("GET", "/api/v1/server", headers=page | shown["a session"])
    assert (reply.status, reply.headers["location"]) == (303, "/signin?next=%2Fapi%2Fv1%2Fserver&why=not-permitted")
    # A window of the browser's own has asked for these.
    assert (await guarded.request("GET", "/", headers=page | basic("alice", "wrong"))).status == 401
    assert (await guarded.request("GET", "/api/v1/server", headers=page | basic("fred"))).status == 403


async def test_people_are_sent_to_the_sign_in_page_and_scripts_are_not(guarded: Server) -> None:
    reply = await guarded.request("GET", "/camera/front?x=1&y=%2F", headers={"Accept": "text/html,*/*"})
    assert reply.status == 303
    assert reply.headers["location"] == "/signin?next=%2Fcamera%2Ffront%3Fx%3D1%26y%3D%252F"
    reply = await guarded.request("GET", "/api/v1/cameras", headers={"Sec-Fetch-Mode": "cors"})
    assert reply.status == 401
    assert "www-authenticate" not in reply.headers  # or the browser would ask in a window of its own


async def test_a_preflight_needs_no_login(guarded: Server) -> None:
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert (await guarded.request("OPTIONS", "/whep/front", headers=headers)).status == 204


async def test_a_viewer_is_started_for_whoever_asks(guarded: Server, engine: FakeEngine) -> None:
    headers = {**basic("fred"), "Content-Type": "application/sdp"}
    for target in ("/whep/front", "/whep/front?wait=0"):  # the short way, and the routes
        assert (await guarded.request("POST", target, b"v=0\r\n", headers)).status == 201
    assert [viewer.identity.name for viewer in engine.viewers.values()] == ["fred", "fred"]


async def test_a_token_is_for_its_cameras_and_its_time(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    now_s = 1000.0
    access = access_for(USERS, tmp_path, clock=lambda: now_s)
    signer = Signer((tmp_path / "auth.key").read_bytes())
    token = signer.sign(TOKEN, {"jti": "t1", "exp": 1060, "grants": {"view": ["front"]}})
    async with running_server(engine, web, access=access) as server:
        for ask in ({"Authorization": f"Bearer {token}"}, None):
            query = "" if ask else f"?token={token}"
            assert (await server.request("GET", f"/api/v1/cameras/front{query}", headers=ask)).status == 200
            assert (await server.request("GET", f"/api/v1/cameras/yard{query}", headers=ask)).status == 404
            assert (await server.request("GET", f"/api/v1/server{query}", headers=ask)).status == 403
        now_s = 1060.0
        reply = await server.request("GET", "/api/v1/cameras", headers={"Authorization": f"Bearer {token}"})
        assert reply.status == 401
        assert "expired" in reply.problem()["detail"]


def test_needs_are_declared_on_the_view_itself() -> None:
    @needs(Action.VIEW, "name")
    async def view() -> None: ...

    @open_to_all
    async def other() -> None: ...

    assert vars(view)["camgate_need"] == Need(Action.VIEW, "name")
    assert vars(other)["camgate_need"] == Need(None)
