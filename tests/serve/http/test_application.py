"""What all routes have in common: problem documents, protection headers, CORS, refusal of foreign pages."""

import logging
from pathlib import Path

import pytest

from camgate.config.model import ServerSettings
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server

FOREIGN = "https://elsewhere.example"
SDP = {"Content-Type": "application/sdp"}
OFFER = b"v=0\r\n"


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api//v1/cameras", 404),
        ("GET", "/api/v1/cameras/", 404),
        ("GET", "/whep/", 404),
        ("GET", "/%00", 404),
        ("GET", "/%ff%fe", 404),
        ("POST", "/", 405),
        ("POST", "/api/v1/cameras", 405),
        ("DELETE", "/api/v1/cameras/front", 405),
        ("OPTIONS", "/api/v1/cameras", 405),
        ("GET", "/ws", 426),
        ("GET", "?x", 400),
        ("CONNECT", "elsewhere.example:443", 400),
        ("GET", "http://[broken/", 400),
    ],
)
async def test_every_error_is_a_problem(server: Server, method: str, target: str, status: int) -> None:
    reply = await server.request(method, target)
    assert reply.status == status
    reply.problem()


async def test_an_upgrade_is_asked_for_by_name(server: Server) -> None:
    reply = await server.request("GET", "/ws")
    assert (reply.headers["upgrade"], reply.headers["connection"]) == ("websocket", "Upgrade")


async def test_a_bug_is_logged_and_tells_nothing(
    server: Server, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.bug = ZeroDivisionError("the password is hunter2")
    for method, target in [("GET", "/api/v1/cameras"), ("POST", "/whep/front"), ("GET", "/camera/front")]:
        caplog.clear()
        reply = await server.request(method, target, OFFER, SDP)
        assert reply.status == 500
        assert "hunter2" not in str(reply.problem())
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert record.exc_info
        assert record.exc_info[0] is ZeroDivisionError


async def test_every_answer_is_protected(server: Server) -> None:
    for target in ("/", "/api/v1/cameras", "/nowhere", "/static/app.js", "/whep/front"):
        headers = (await server.request("GET", target)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://localhost:1", "file://", "http://["])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_foreign_page_changes_nothing(server: Server, engine: FakeEngine, method: str, origin: str) -> None:
    reply = await server.request(method, "/whep/front", OFFER, SDP | {"Origin": origin})
    assert reply.status == 403
    reply.problem()
    assert not engine.viewers


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8107", "localhost:8107"),
        ("http://LOCALHOST", "localhost"),
        ("http://localhost", "localhost:80"),
        ("https://localhost", "localhost"),  # A proxy that speaks TLS.
        ("http://[::1]:8107", "[::1]:8107"),
    ],
)
async def test_our_own_page_may_post(server: Server, origin: str, host: str) -> None:
    reply = await server.request("POST", "/whep/front", OFFER, SDP | {"Origin": origin, "Host": host})
    assert reply.status == 201
    assert "access-control-allow-origin" not in reply.headers


async def test_a_foreign_page_reads_nothing(server: Server) -> None:
    reply = await server.request("GET", "/api/v1/cameras", headers={"Origin": FOREIGN})
    assert "access-control-allow-origin" not in reply.headers
    preflight = {"Origin": FOREIGN, "Access-Control-Request-Method": "POST"}
    refused = await server.request("OPTIONS", "/whep/front", headers=preflight)
    assert not [name for name in refused.headers if name.startswith("access-control")]


@pytest.mark.parametrize("allowed", [FOREIGN, f"{FOREIGN}/", "https://Elsewhere.EXAMPLE", "*"])
async def test_a_named_origin_may_do_all(engine: FakeEngine, web: Path, allowed: str) -> None:
    async with running_server(engine, web, ServerSettings(cors_origins=(allowed,))) as server:
        preflight = await server.request(
            "OPTIONS", "/whep/front", headers={"Origin": FOREIGN, "Access-Control-Request-Method": "POST"}
        )
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == FOREIGN
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert "If-Match" in preflight.headers["access-control-allow-headers"]
        reply = await server.request("POST", "/whep/front", OFFER, SDP | {"Origin": FOREIGN})
        assert reply.status == 201
        assert reply.headers["access-control-allow-origin"] == FOREIGN
        assert reply.headers["vary"] == "Origin"
        exposed = reply.headers["access-control-expose-headers"].split(", ")
        assert {"Location", "ETag", "Link", "Accept-Patch"} <= set(exposed)
        # A page must be able to read why it was refused.
        refused = await server.request("POST", "/whep/garage", OFFER, SDP | {"Origin": FOREIGN})
        assert refused.headers["access-control-allow-origin"] == FOREIGN
        refused.problem()


async def test_an_origin_that_is_not_named_stays_foreign(engine: FakeEngine, web: Path) -> None:
    async with running_server(engine, web, ServerSettings(cors_origins=(FOREIGN,))) as server:
        reply = await server.request("POST", "/whep/front", OFFER, SDP | {"Origin": "https://third.example"})
        assert reply.status == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8107", "127.0.0.1.evil.example", "192.0.2.1", "[::2]"])
async def test_a_name_that_was_pointed_at_loopback_is_refused(server: Server, host: str) -> None:
    """DNS rebinding: to the browser, the page of evil.example and we are one origin."""
    for target in ("/", "/api/v1/cameras", "http://evil.example/healthz"):
        reply = await server.request("GET", target, headers={"Host": host})
        assert reply.status == 421
        assert "server.allowed_hosts" in reply.problem()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "cams.localhost", "127.0.0.1:8107", "127.1.2.3", "[::1]"])
async def test_names_of_loopback_are_served(server: Server, host: str) -> None:
    assert (await server.request("GET", "/healthz", headers={"Host": host})).status == 200


async def test_a_configured_name_is_served(engine: FakeEngine, web: Path) -> None:
    async with running_server(engine, web, ServerSettings(allowed_hosts=("Cams.example",))) as server:
        for host, status in [("cams.example:443", 200), ("cams.example.", 200), ("other.example", 421)]:
            assert (await server.request("GET", "/healthz", headers={"Host": host})).status == status


@pytest.mark.parametrize("host", ["a b", "[::1", "host:99999", "user@host", "a/b", "[zz]", ""])
async def test_a_host_that_is_none_is_refused(server: Server, host: str) -> None:
    reply = await server.request("GET", "/healthz", headers={"Host": host})
    assert reply.status == 400
    reply.problem()


async def test_an_absolute_target_counts_before_the_host(server: Server) -> None:
    """RFC 9112 section 3.2.2."""
    reply = await server.request("GET", "http://localhost/healthz?x", headers={"Host": "evil.example"})
    assert reply.status == 200
    assert (await server.request("GET", "HTTP://LOCALHOST")).status == 200
