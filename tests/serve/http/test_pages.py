"""Pages and files: what is served, how it is kept, and that nothing else is."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import trio

from camgate.config.model import ServerSettings
from camgate.serve.http.pages import web_directory
from camgate.wire.ice.servers import IceServer
from tests.fakes.accounts import access_for, basic
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server


@pytest.fixture
async def guarded(engine: FakeEngine, web: Path, tmp_path: Path) -> AsyncIterator[Server]:
    (web / "signin.html").touch()
    async with running_server(engine, web, access=access_for({"anna": "viewer"}, tmp_path)) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "title", "status"),
    [
        ("/", "index", 200),
        ("/camera/front", "camera", 200),
        ("/camera/garage", "camera", 404),
        ("/embed/front", "embed", 200),
        ("/embed/garage", "embed", 404),
    ],
)
async def test_pages_are_html_even_for_unknown_cameras(server: Server, target: str, title: str, status: int) -> None:
    reply = await server.request("GET", target, headers={"Accept": "text/html,*/*;q=0.8"})
    assert reply.status == status
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<title>{title}</title>" in reply.body.decode()
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert policy.endswith("frame-ancestors 'self'")


@pytest.mark.parametrize("target", ["/", "/camera/front", "/embed/front", "/signin"])
async def test_what_pages_may_load_and_do(guarded: Server, target: str) -> None:
    reply = await guarded.request("GET", target, headers={**basic("anna"), "Host": "localhost:81"})
    assert reply.status == 200
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["connect-src"] == "'self' ws://localhost:81 wss://localhost:81"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert not any(word in "".join(policy.values()) for word in ("unsafe", "*", "http:"))
    assert "camera=()" in reply.headers["permissions-policy"]
    assert "fullscreen" not in reply.headers["permissions-policy"]
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert "cross-origin-opener-policy" not in reply.headers  # which is for HTTPS
    assert reply.headers["cache-control"] == "no-store"


async def test_what_somebody_may_see_is_kept_in_no_cache(guarded: Server, server: Server) -> None:
    for target in ("/", "/camera/front", "/api/v1/cameras", "/api/v1/session", "/camera/garage", "/nowhere"):
        reply = await guarded.request("GET", target, headers=basic("anna"))
        assert reply.headers["cache-control"] == "no-store", target
    snapshot = await guarded.request("GET", "/api/v1/cameras/front/snapshot.jpg", headers=basic("anna"))
    assert snapshot.headers["cache-control"] == "private, max-age=1"
    assert snapshot.headers["cross-origin-resource-policy"] == "cross-origin"
    assert (await server.request("GET", "/")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("file", sorted(web_directory().glob("*.html")), ids=lambda file: file.name)
def test_no_page_has_a_script_or_style_in_it(file: Path) -> None:
    text = file.read_text()
    assert "<style" not in text
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "javascript:" not in text
    for script in re.findall(r"<script\b([^>]*)>([^<]*)", text):
        assert "src=" in script[0]
        assert not script[1]


@pytest.mark.parametrize("target", ["/camera/garage", "/embed/garage"])
async def test_programs_get_a_problem_document_for_an_unknown_camera(server: Server, target: str) -> None:
    reply = await server.request("GET", target, headers={"Accept": "*/*"})
    assert reply.status == 404
    assert reply.problem()["type"] == "urn:camgate:problem:unknown-camera"


@pytest.mark.parametrize("target", ["/nowhere", "/camera/", "/camera/front/more%2Fof/it", "/static/nothing.css"])
async def test_people_get_a_page_for_an_unknown_address_with_the_way_back(server: Server, target: str) -> None:
    for accept in ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"):
        reply = await server.request("GET", target, headers={"Accept": accept})
        assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
        addresses = re.findall(r'(?:href|src)="([^"]+)"', reply.body.decode())
        assert {urljoin(f"http://x/prefix{target}", each) for each in addresses} == {
            "http://x/prefix/",
            *(f"http://x/prefix/static/{name}" for name in ("icon.svg", "style.css", "signin.css")),
        }
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "target", "accept"),
    [
        ("GET", "/nowhere", "*/*"),
        ("GET", "/nowhere", "application/json, text/html;q=0.5"),
        ("GET", "/nowhere", "application/problem+json, text/html"),
        ("GET", "/api/v1/nowhere", "text/html"),
        ("POST", "/nowhere", "text/html"),
    ],
)
async def test_programs_get_a_problem_document_for_an_unknown_address(
    server: Server, method: str, target: str, accept: str
) -> None:
    reply = await server.request(method, target, headers={"Accept": accept})
    assert (reply.status, reply.problem()["type"]) == (404, "about:blank")


async def test_files_are_served_while_all_of_trios_threads_are_taken(server: Server) -> None:
    """As they are by look-ups of cameras' names while a name server does not answer."""
    threads = trio.to_thread.current_default_thread_limiter()
    taken = list(range(int(threads.available_tokens)))
    for number in taken:
        threads.acquire_on_behalf_of_nowait(number)
    try:
        with trio.fail_after(10):
            assert (await server.request("GET", "/")).status == 200
    finally:
        for number in taken:
            threads.release_on_behalf_of(number)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ((), "frame-ancestors 'none'"),
        (("'self'", "https://home.example"), "frame-ancestors 'self' https://home.example"),
    ],
)
async def test_only_the_embedded_player_may_be_framed_elsewhere(
    engine: FakeEngine, web: Path, setting: tuple[str, ...], expected: str
) -> None:
    async with running_server(engine, web, ServerSettings(frame_ancestors=setting)) as server:
        embedded = await server.request("GET", "/embed/front")
        assert embedded.headers["content-security-policy"].endswith(expected)
        page = await server.request("GET", "/camera/front")
        assert page.headers["content-security-policy"].endswith("frame-ancestors 'self'")


async def test_files_are_kept_and_asked_for_again(server: Server, web: Path) -> None:
    reply = await server.request("GET", "/static/app.js")
    assert (reply.status, reply.body) == (200, b"export {};")
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": reply.headers["etag"]}
    again = await server.request("GET", "/static/app.js", headers=known)
    assert (again.status, again.body) == (304, b"")
    (web / "app.js").write_text("export let x;")
    assert (await server.request("GET", "/static/app.js", headers=known)).status == 200


@pytest.mark.parametrize("target", ["/", "/static/app.js", "/camera/garage"])
async def test_head_is_get_without_the_body(server: Server, target: str) -> None:
    got, head = await server.request("GET", target), await server.request("HEAD", target)
    assert head.body == b""
    drop_date = {"date": ""}
    assert (head.status, head.headers | drop_date) == (got.status, got.headers | drop_date)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.html",
        "%2e%2e/outside.html",
        "..%2foutside.html",
        "..\\outside.html",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "secret.key",
        "app.js%00.html",
        "app.js/",
        "",
        ".",
        "%ff",
    ],
)
async def test_nothing_else_is_served(server: Server, name: str) -> None:
    reply = await server.request("GET", f"/static/{name}")
    assert reply.status == 404
    reply.problem()


def test_the_pages_are_found_in_a_checkout() -> None:
    assert web_directory().name == "web"
    assert web_directory().is_dir()


async def test_pages_say_whether_there_are_turn_servers_to_ask_for(
    server: Server, engine: FakeEngine, web: Path
) -> None:
    (web / "camera.html").write_text("<head></head>")
    assert (await server.request("GET", "/camera/front")).body == b"<head></head>"
    engine.turn = (IceServer(("stun:s.example",)),)
    reply = await server.request("GET", "/camera/front")
    assert reply.body == b'<head><meta name="camgate-ice-servers" content="yes"></head>'
