"""HTTPS over real sockets: handshakes within bounds, certificates taken anew, and the way there from plain HTTP."""

import logging
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import ServerSettings
from camgate.serve.http.handshake import HANDSHAKE_S
from camgate.serve.listeners import open_listeners
from camgate.serve.tls import CertificateUnusable, ServerTls
from tests.fakes.accounts import access_for
from tests.fakes.certificates import make_certificate
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, Client, Server, running_server

PATIENCE_S = 30


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    made = make_certificate(tmp_path, address=LOOPBACK)
    file = tmp_path / "server.pem"
    shutil.copy(made.file, file)
    return file


@asynccontextmanager
async def encrypted(port: int, trusted: Path) -> AsyncIterator[Client]:
    """Connect as a browser does that trusts just this certificate."""
    context = ssl.create_default_context(cafile=str(trusted))
    with trio.fail_after(PATIENCE_S):
        stream = trio.SSLStream(
            await trio.open_tcp_stream(LOOPBACK, port), context, server_hostname=LOOPBACK, https_compatible=True
        )
        async with stream:
            await stream.do_handshake()
            yield Client(stream)  # type: ignore[arg-type]


async def test_it_is_served_and_told(engine: FakeEngine, web: Path, pair: Path, tmp_path: Path) -> None:
    settings = ServerSettings(hsts_s=300)
    access = access_for({"anna": "viewer"}, tmp_path)
    (web / "signin.html").touch()
    async with (
        running_server(engine, web, settings, access, tls=ServerTls(str(pair))) as server,
        encrypted(server.port, pair) as client,
    ):
        await client.send_request("GET", "/healthz")
        reply = await client.reply()
        assert (reply.status, reply.headers["strict-transport-security"]) == (200, "max-age=300")
        login = b'{"name":"anna","password":"%s"}' % b"anna"[::-1]
        await client.send_request("POST", "/signin", login, {"Content-Type": "application/json"})
        assert "Secure" in (await client.reply()).headers["set-cookie"]


def test_only_modern_tls_is_spoken(pair: Path) -> None:
    context = ServerTls(str(pair), protocols=("http/1.1",)).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    older = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert older
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name) for name in older)


async def test_a_client_that_stays_silent_is_dropped(
    engine: FakeEngine, web: Path, pair: Path, patient_clock: MockClock
) -> None:
    async with running_server(engine, web, tls=ServerTls(str(pair))) as server:
        began_s = trio.current_time()
        async with server.client() as silent:
            assert await silent.stream.receive_some(1) == b""
        assert trio.current_time() - began_s == pytest.approx(HANDSHAKE_S, abs=1)


async def test_who_speaks_plain_http_is_told_what_to_write(engine: FakeEngine, web: Path, pair: Path) -> None:
    async with running_server(engine, web, tls=ServerTls(str(pair))) as server:
        reply = await server.request("GET", "/")
    assert reply.status == 400
    assert "https://" in reply.problem()["detail"]


async def test_a_new_certificate_is_taken_while_connections_stand(
    engine: FakeEngine, web: Path, pair: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ServerTls(str(pair))
    old = tmp_path / "old.pem"
    shutil.copy(pair, old)
    new = make_certificate(tmp_path / "..", address=LOOPBACK, name="new").file
    async with running_server(engine, web, tls=tls) as server, encrypted(server.port, old) as standing:
        shutil.copy(__file__, pair)
        tls.refresh()
        async with encrypted(server.port, old) as client:  # the old one is kept
            await client.send_request("GET", "/healthz")
            assert (await client.reply()).status == 200
        shutil.copy(new, pair)
        tls.refresh()
        async with encrypted(server.port, new) as client:
            await client.send_request("GET", "/healthz")
            assert (await client.reply()).status == 200
        with pytest.raises(trio.BrokenResourceError):
            async with encrypted(server.port, old):
                pass
        await standing.send_request("GET", "/healthz")
        assert (await standing.reply()).status == 200
    said = [record.levelname for record in caplog.records if record.name == "camgate.serve.tls"]
    assert said == ["ERROR", "INFO"]
    caplog.clear()


@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        ("localhost", "/camera/front?x=1", "https://localhost:{port}/camera/front?x=1"),
        ("127.0.0.1:80", "/", "https://127.0.0.1:{port}/"),
        ("[::1]", "/a%2Fb", "https://[::1]:{port}/a%2Fb"),
        ("evil.example", "/", None),
    ],
)
async def test_plain_http_leads_to_https(
    engine: FakeEngine, web: Path, pair: Path, host: str, target: str, location: str | None
) -> None:
    redirect = await open_listeners(f"{LOOPBACK}:0")
    leading = Server(redirect[0].socket.getsockname()[1], trio.Event())
    async with running_server(engine, web, tls=ServerTls(str(pair)), redirect=redirect) as server:
        reply = await leading.request("GET", target, headers={"Host": host})
        if location is None:
            assert reply.status == 421
        else:
            assert reply.status == 308
            assert reply.headers["location"] == location.format(port=server.port)


async def test_signaling_is_encrypted_as_well(engine: FakeEngine, web: Path, pair: Path) -> None:
    async with (
        running_server(engine, web, tls=ServerTls(str(pair))) as server,
        encrypted(server.port, pair) as client,
    ):
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Origin": f"https://localhost:{server.port}",
            "Host": f"localhost:{server.port}",
        }
        await client.send_request("GET", "/ws", headers=upgrade)
        received = b""
        while b'"type":"cameras"' not in received:
            received += await client.stream.receive_some(65536)
        assert received.startswith(b"HTTP/1.1 101")


async def test_a_storm_of_silent_connections_leaves_room_for_others(engine: FakeEngine, web: Path, pair: Path) -> None:
    engine.max_viewers = 10
    async with running_server(engine, web, tls=ServerTls(str(pair))) as server:
        silent = [await trio.open_tcp_stream(LOOPBACK, server.port) for _ in range(60)]
        async with encrypted(server.port, pair) as client:
            await client.send_request("GET", "/healthz")
            assert (await client.reply()).status == 200
        for stream in silent:
            await stream.aclose()


@pytest.mark.parametrize("content", ["", "garbage", None])
def test_what_is_no_certificate_is_said(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "c.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CertificateUnusable) as caught:
        ServerTls(str(file))
    assert str(file) in str(caught.value)
    assert "name a certificate" in str(caught.value)


@pytest.fixture(autouse=True)
def errors_of_certificates_are_expected(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("camgate.serve.tls").setLevel(logging.INFO)
