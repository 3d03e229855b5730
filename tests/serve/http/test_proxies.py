"""What proxies forward: believed from those that are trusted, wherever answers depend on it; from nobody else."""

import json
import shutil
from pathlib import Path

import pytest

from camgate.config.model import ServerSettings
from camgate.serve.http.pages import web_directory
from camgate.serve.http.proxies import MAX_HOPS, Networks, TrustedProxies, address_untrusted, prefix_untrusted
from tests.fakes.accounts import access_for
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Server, running_server

BEHIND_PROXY = ServerSettings(trusted_proxies=(LOOPBACK,), allowed_hosts=("cams.example.org",))
FORWARDED = {
    "Host": "10.0.0.5:8107",
    "X-Forwarded-Host": "cams.example.org",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/cams/",
    "X-Forwarded-For": "203.0.113.9",
}
OFFER = b"v=0\r\n"
SDP = {"Content-Type": "application/sdp"}


async def seen(trusted: tuple[str, ...], headers: list[tuple[str, str]], client: str = "10.0.0.2") -> dict[str, object]:
    """Return the scope that an application behind these proxies sees."""
    scopes: list[dict[str, object]] = []

    async def app(scope: dict[str, object], *_: object) -> None:
        scopes.append(scope)

    pairs = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "scheme": "http", "client": (client, 5), "headers": pairs, "root_path": "", "path": "/"}
    await TrustedProxies(app, Networks(trusted))(scope, None, None)  # type: ignore[arg-type]
    return scopes[0]


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # the first is what the client itself wrote
        ("10.0.0.2", ["198.51.100.1", "203.0.113.9, 10.0.0.3"], "203.0.113.9"),
        ("10.0.0.2", ["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
        ("10.0.0.2", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.2", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.2", ["203.0.113.9, unknown"], "10.0.0.2"),
        ("10.0.0.2", [], "10.0.0.2"),
        ("10.0.0.2", ["203.0.113.9" + ", 10.0.0.3" * MAX_HOPS], "10.0.0.3"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
    ],
)
async def test_the_client_is_the_first_that_is_no_proxy(client: str, forwarded: list[str], address: str) -> None:
    scope = await seen(("10.0.0.0/8",), [("X-Forwarded-For", each) for each in forwarded], client)
    found = scope["client"]
    assert isinstance(found, tuple)
    assert found[0] == address


async def test_strangers_forward_nothing() -> None:
    scope = await seen(("10.0.0.0/8",), list(FORWARDED.items()), "192.0.2.1")
    assert (scope["scheme"], scope["root_path"], scope["client"]) == ("http", "", ("192.0.2.1", 5))
    assert (b"Host", b"10.0.0.5:8107") in scope["headers"]  # type: ignore[operator]


@pytest.mark.parametrize("proto", ["gopher", "", "https, http"])
async def test_a_proto_that_says_nothing_of_https_is_none(proto: str) -> None:
    assert (await seen(("10.0.0.0/8",), [("X-Forwarded-Proto", proto)]))["scheme"] == "http"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("/cams", "/cams"),
        ("/cams/", "/cams"),
        ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        ("/", ""),
        ("", ""),
        ("cams", ""),
        ("//evil.example", ""),
        ("/a//b", ""),
        ("/../x", ""),
        ("/\\evil", ""),
        ("/a;Path=/", ""),
        ("/a b", ""),
        ("/" + "a" * 300, ""),
    ],
)
def test_prefixes(text: str, prefix: str) -> None:
    assert prefix_untrusted(text) == prefix


@pytest.mark.parametrize(("text", "address"), [("fe80::1%eth0", "fe80::1"), ("x", None), ("[::1", "::1"), ("", None)])
def test_addresses(text: str, address: str | None) -> None:
    found = address_untrusted(text)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize("target", ["/whep/front", "/whep/front?wait=1"])
async def test_sessions_are_below_the_prefix(engine: FakeEngine, web: Path, target: str) -> None:
    async with running_server(engine, web, BEHIND_PROXY) as server:
        reply = await server.request("POST", target, OFFER, SDP | FORWARDED)
        assert reply.status == 201, reply.body
        assert reply.headers["location"].startswith("/cams/whep/front/")
        # The proxy takes the prefix off again.
        path = reply.headers["location"].removeprefix("/cams")
        assert (await server.request("DELETE", path, headers=FORWARDED)).status == 200


@pytest.mark.parametrize("prefix", ["/cams", "/camera", "/whep/front", "/api/v1"])
async def test_routes_are_found_below_any_prefix(engine: FakeEngine, web: Path, prefix: str) -> None:
    headers = FORWARDED | {"X-Forwarded-Prefix": prefix}
    async with running_server(engine, web, BEHIND_PROXY) as server:
        for path in ("/", "/camera/front", "/static/app.js", "/api/v1/cameras", "/healthz"):
            assert (await server.request("GET", path, headers=headers)).status == 200, path
        assert (await server.request("GET", "/nowhere", headers=headers)).status == 404
        document = (await server.request("GET", "/api/v1/openapi.json", headers=headers)).json()
        assert document["servers"] == [{"url": prefix}]
        extra = {
            "X-Forwarded-Prefix": prefix,
            "X-Forwarded-Proto": "https",
            "Origin": f"https://127.0.0.1:{server.port}",
        }
        async with server.websocket(headers=extra) as socket:
            assert json.loads(await socket.get_message())["type"] == "cameras"


async def test_signing_in_below_the_prefix(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    shutil.copy(web_directory() / "signin.html", web)
    access = access_for({"anna": "viewer"}, tmp_path)
    async with running_server(engine, web, BEHIND_PROXY, access) as server:
        page = await server.request("GET", "/camera/front?x=1", headers=FORWARDED | {"Accept": "text/html"})
        assert page.status == 303
        assert page.headers["location"] == "/cams/signin?next=%2Fcams%2Fcamera%2Ffront%3Fx%3D1"
        login = b'{"name":"anna","password":"%s"}' % b"anna"[::-1]
        reply = await server.request("POST", "/signin", login, FORWARDED | {"Content-Type": "application/json"})
        assert reply.status == 200
        cookie = reply.headers["set-cookie"]
        assert "Path=/cams/" in cookie
        assert "Secure" in cookie
        signed_in = FORWARDED | {"Cookie": cookie.partition(";")[0]}
        assert (await server.request("GET", "/camera/front", headers=signed_in)).status == 200


async def test_failed_logins_count_for_who_sent_them(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    shutil.copy(web_directory() / "signin.html", web)
    access = access_for({f"user{number}": "viewer" for number in range(20)}, tmp_path)

    async def sign_in(server: Server, number: int, address: str, password: str) -> int:
        login = json.dumps({"name": f"user{number}", "password": password}).encode()
        headers = FORWARDED | {"Content-Type": "application/json", "X-Forwarded-For": address}
        return (await server.request("POST", "/signin", login, headers)).status

    async with running_server(engine, web, BEHIND_PROXY, access) as server:
        statuses = [await sign_in(server, number, "203.0.113.9", "wrong") for number in range(19)]
        assert statuses[0] == 401
        assert statuses[-1] == 429
        assert await sign_in(server, 19, "203.0.113.8", "user19"[::-1]) == 200


@pytest.mark.parametrize(
    ("origin", "proto", "status"),
    [
        ("https://cams.example.org", "https", 201),
        ("http://cams.example.org", "https", 403),  # a page that anybody on the way can write
        ("http://cams.example.org:443", "https", 403),
        ("https://cams.example.org", "http", 201),  # another proxy may be in front of that one
        ("https://evil.example", "https", 403),
    ],
)
async def test_over_https_only_pages_that_came_over_https_are_ours(
    engine: FakeEngine, web: Path, origin: str, proto: str, status: int
) -> None:
    headers = SDP | FORWARDED | {"Origin": origin, "X-Forwarded-Proto": proto}
    async with running_server(engine, web, BEHIND_PROXY) as server:
        assert (await server.request("POST", "/whep/front", OFFER, headers)).status == status


async def test_the_forwarded_host_is_checked_like_any(engine: FakeEngine, web: Path) -> None:
    async with running_server(engine, web, BEHIND_PROXY) as server:
        for host, status in (("evil.example", 421), ("a b", 400), ("cams.example.org:8443", 200)):
            headers = FORWARDED | {"X-Forwarded-Host": host}
            assert (await server.request("GET", "/healthz", headers=headers)).status == status, host
