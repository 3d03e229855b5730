"""RTSP through an HTTP tunnel: pictures come, logins are made, refusals are said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.base.errors import RemoteError
from camgate.config.model import CameraSettings, Transport
from camgate.ingest.errors import CameraMute, TunnelRefused
from camgate.ingest.intake import open_intake
from camgate.ingest.links import port_of
from camgate.ingest.play import play_camera
from camgate.wire.rtsp.errors import AuthenticationFailed, MalformedMessage
from camgate.wire.rtsp.url import split_url_untrusted
from tests.fakes.camera import FakeCamera
from tests.fakes.certificates import make_certificate
from tests.fakes.sessions import Sink, serving
from tests.fakes.tunnel import FakeTunnel


@asynccontextmanager
async def tunnelled(tunnel: FakeTunnel) -> AsyncIterator[None]:
    async with serving(tunnel.camera), trio.open_nursery() as nursery:
        nursery.start_soon(tunnel.run)
        yield
        nursery.cancel_scope.cancel()


async def play(tunnel: FakeTunnel, sink: Sink, *, url: str = "rtsp://192.0.2.7/stream", **options: str | bool) -> None:
    settings = CameraSettings(name="front", url=url, transport=Transport.HTTP, **options)  # type: ignore[arg-type]
    connection = await tunnel.dial("192.0.2.7", 80, 5)
    async with open_intake(tunnel.dial) as intake:
        await play_camera(settings, connection, sink, intake)


async def test_pictures_come_and_requests_go_through_the_tunnel(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    tunnel = FakeTunnel(camera)
    async with tunnelled(tunnel):
        with trio.move_on_after(60):
            await play(tunnel, sink)
    assert len(sink.frames) > 1450
    assert sink.reception().transport == "http"
    assert sink.frames[0].is_key
    assert camera.methods[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert camera.methods[-1] == "TEARDOWN"
    assert camera.methods.count("GET_PARAMETER") == 2
    assert len(camera.reports) >= 10
    get, post = tunnel.requests
    assert get["line"] == "GET /stream HTTP/1.0"
    assert post["line"] == "POST /stream HTTP/1.0"
    assert get["x-sessioncookie"] == post["x-sessioncookie"]
    assert get["accept"] == post["content-type"] == "application/x-rtsp-tunnelled"
    assert tunnel.open_connections == 0


async def test_https_where_the_url_is_rtsps(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    certificate, sink = make_certificate(tmp_path), Sink()
    tunnel = FakeTunnel(FakeCamera())
    tunnel.tls = certificate.context
    async with tunnelled(tunnel):
        with trio.move_on_after(2):
            await play(tunnel, sink, url="rtsps://192.0.2.7/stream", tls_fingerprint=certificate.fingerprint)
    assert len(sink.frames) > 40
    assert sink.reception().transport == "https"
    assert tunnel.dialled == [("192.0.2.7", 80), ("192.0.2.7", 443)]


async def test_the_tunnel_asks_for_the_login_as_well(autojump_clock: trio.testing.MockClock) -> None:
    sink = Sink()
    tunnel = FakeTunnel(FakeCamera())
    tunnel.credentials = "admin:right"
    async with tunnelled(tunnel):
        with trio.move_on_after(2):
            await play(tunnel, sink, username="admin", password="right")
    assert len(sink.frames) > 40
    assert ["authorization" in request for request in tunnel.requests] == [False, True, True]


async def error_of(tunnel: FakeTunnel, **options: str) -> RemoteError:
    async with tunnelled(tunnel):
        try:
            await play(tunnel, Sink(), **options)
        except RemoteError as error:
            return error


async def test_a_wrong_password_is_tried_once(autojump_clock: trio.testing.MockClock) -> None:
    tunnel = FakeTunnel(FakeCamera())
    tunnel.credentials = "admin:right"
    error = await error_of(tunnel, username="admin", password="wrong")
    assert isinstance(error, AuthenticationFailed)
    assert str(error).startswith("wrong user name or password (401 to GET")
    assert len(tunnel.requests) == 2
    assert tunnel.open_connections == 0


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("HTTP/1.1 404 Not Found", TunnelRefused, "answered 404 Not Found to the HTTP tunnel: check the port and path"),
        ("", TunnelRefused, "closed the connection instead of answering to the HTTP tunnel"),
        ("220 mail.example.org", MalformedMessage, "does not speak HTTP"),
        (None, CameraMute, "no answer to the HTTP tunnel within 5 s"),
    ],
)
async def test_what_is_no_tunnel_is_said(
    answer: str | None, kind: type[RemoteError], words: str, autojump_clock: trio.testing.MockClock
) -> None:
    tunnel = FakeTunnel(FakeCamera())
    tunnel.answer = answer
    error = await error_of(tunnel)
    assert isinstance(error, kind)
    assert words in str(error)


@pytest.mark.parametrize(
    ("url", "transport", "port"),
    [
        ("rtsp://cam/", Transport.HTTP, 80),
        ("rtsps://cam/", Transport.HTTP, 443),
        ("rtsp://cam:554/", Transport.HTTP, 554),
        ("rtsp://cam:8080/", Transport.HTTP, 8080),
        ("rtsp://[::1]/", Transport.HTTP, 80),
        ("rtsp://cam/", Transport.AUTO, 554),
        ("rtsps://cam/", Transport.TCP, 322),
    ],
)
def test_the_port_to_dial(url: str, transport: Transport, port: int) -> None:
    assert port_of(split_url_untrusted(url), transport) == port
