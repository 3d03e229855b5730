"""RTSPS: which certificates are taken, what is said of the others, and that bytes come through whole."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.config.model import CameraSettings
from camgate.ingest.errors import CertificateRefused, TlsFailed, attention_for
from camgate.ingest.intake import open_intake
from camgate.ingest.play import play_camera
from camgate.ingest.tls import TlsLink, open_tls, unverified_context, verified_context
from camgate.relay.source import Attention
from tests.fakes.camera import FakeCamera
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.sessions import Sink, serving

URL = "rtsps://192.0.2.7/stream"


def settings(**options: object) -> CameraSettings:
    return CameraSettings(name="front", url=URL, **options)  # type: ignore[arg-type]


def camera_with(certificate: Certificate) -> FakeCamera:
    camera = FakeCamera()
    camera.tls = certificate.context
    return camera


async def play(camera: FakeCamera, options: CameraSettings, *, seconds: float = 2.0) -> Sink:
    """Play for a while; raises what ends the session before."""
    sink = Sink()
    async with serving(camera):
        with trio.move_on_after(seconds):
            await play_until_it_ends(camera, options, sink)
    return sink


async def play_until_it_ends(camera: FakeCamera, options: CameraSettings, sink: Sink) -> None:
    connection = await camera.dial("192.0.2.7", 322, 5)
    async with open_intake(camera.dial) as intake:
        await play_camera(options, connection, sink, intake)


async def refusal_of(camera: FakeCamera, options: CameraSettings) -> str:
    sink = Sink()
    async with serving(camera):
        with pytest.raises(CertificateRefused) as caught:
            await play_until_it_ends(camera, options, sink)
    assert attention_for(caught.value) is Attention.CERTIFICATE
    assert camera.methods == [], "nothing is said to a camera that is not trusted"
    return str(caught.value)


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    """What most cameras have: signed by itself."""
    return make_certificate(tmp_path)


@pytest.fixture
def trusted(own: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make this machine trust the camera's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    verified_context.cache_clear()
    yield
    verified_context.cache_clear()


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_certificate_plays(own: Certificate, autojump_clock: trio.testing.MockClock) -> None:
    camera = camera_with(own)
    sink = await play(camera, settings(), seconds=12)
    assert len(sink.frames) > 280
    assert sink.reception().transport == "tls"
    assert sink.frames[0].is_key
    assert len(camera.reports) == 2
    assert camera.methods[-1] == "TEARDOWN"


async def test_a_certificate_signed_by_itself_is_refused_in_words(
    own: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    words = await refusal_of(camera_with(own), settings())
    assert words.startswith("the camera's certificate is refused: self-signed certificate. It is of CN=camera, signed")
    assert f'; if it is your camera\'s, write tls_fingerprint = "{own.fingerprint}"' in words
    assert "expires 20" in words


async def test_a_certificate_of_an_unknown_authority_is_refused_in_words(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    words = await refusal_of(camera_with(make_certificate(tmp_path, issuer="Camera Works")), settings())
    assert "unable to get local issuer certificate" in words
    assert "signed by CN=Camera Works" in words


async def test_an_expired_certificate_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    expired = make_certificate(tmp_path, days=(-30, -1))
    monkeypatch.setenv("SSL_CERT_FILE", str(expired.file))
    verified_context.cache_clear()
    words = await refusal_of(camera_with(expired), settings())
    verified_context.cache_clear()
    assert "certificate has expired" in words
    assert "expired 20" in words


async def test_a_certificate_for_another_host_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    other = make_certificate(tmp_path, address="198.51.100.9")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.file))
    verified_context.cache_clear()
    words = await refusal_of(camera_with(other), settings())
    verified_context.cache_clear()
    assert "IP address mismatch" in words


@pytest.mark.parametrize("days", [(-1, 30), (-30, -1)], ids=["valid", "expired"])
async def test_the_certificate_of_the_fingerprint_plays_whoever_signed_it(
    days: tuple[int, int], tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    certificate = make_certificate(tmp_path, address="198.51.100.9", days=days, issuer="Camera Works")
    sink = await play(camera_with(certificate), settings(tls_fingerprint=certificate.fingerprint))
    assert len(sink.frames) > 40


async def test_another_certificate_than_that_of_the_fingerprint_is_refused_in_words(
    own: Certificate, autojump_clock: trio.testing.MockClock
) -> None:
    words = await refusal_of(camera_with(own), settings(tls_fingerprint="sha256:" + 64 * "0"))
    assert "is not the one of tls_fingerprint" in words
    assert f'if the camera was given a new certificate, write tls_fingerprint = "{own.fingerprint}"' in words


async def test_any_certificate_plays_where_that_is_asked_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    certificate = make_certificate(tmp_path, address="198.51.100.9", days=(-30, -1), issuer="Camera Works")
    assert (await play(camera_with(certificate), settings(tls_insecure=True))).frames


async def test_a_port_without_tls_is_said(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.send(b"RTSP/1.0 400 Bad Request\r\n\r\n")
    with theirs, pytest.raises(TlsFailed, match="does not speak TLS"):
        await open_tls(ours, "192.0.2.7", settings())
    assert ours.fileno() == -1


async def test_a_camera_that_does_not_answer_the_handshake_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs, pytest.raises(TlsFailed, match="no answer within 5 s"):
        await open_tls(ours, "192.0.2.7", settings())
    assert trio.current_time() == 5
    assert ours.fileno() == -1


async def test_a_camera_that_closes_during_the_handshake_is_said(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.shutdown(socket.SHUT_WR)
    with theirs, pytest.raises(TlsFailed, match="closed the connection instead"):
        await open_tls(ours, "192.0.2.7", settings())


async def test_old_tls_is_refused(own: Certificate, autojump_clock: trio.testing.MockClock) -> None:
    assert verified_context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert unverified_context().minimum_version is ssl.TLSVersion.TLSv1_2


class Pair:
    """A link and, behind a socket, the server's end of its TLS."""

    def __init__(self, certificate: Certificate) -> None:
        ours, self.theirs = socket.socketpair()
        for end in (ours, self.theirs):
            end.setblocking(False)
        self.link = TlsLink(ours, unverified_context(), "192.0.2.7")
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = certificate.context.wrap_bio(self._in, self._out, server_side=True)

    async def shake_hands(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.link.handshake)
            while True:
                try:
                    self.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.push()
                    await trio.lowlevel.wait_readable(self.theirs)
                    self.pull()
            self.push()

    def push(self, size: int = -1) -> None:
        self.theirs.send(self._out.read(size))

    def pull(self) -> None:
        with suppress(BlockingIOError):
            while data := self.theirs.recv(65_536):
                self._in.write(data)

    def close(self) -> None:
        self.link.close()
        self.theirs.close()


@pytest.fixture
async def pair(own: Certificate) -> Iterator[Pair]:
    pair = Pair(own)
    await pair.shake_hands()
    yield pair
    pair.close()


def read_all(link: TlsLink) -> bytes:
    buffer = memoryview(bytearray(256 * 1024))
    received = b""
    with suppress(BlockingIOError):
        while count := link.recv_into(buffer):
            received += buffer[:count]
    return received


async def test_one_read_takes_many_records(pair: Pair) -> None:
    read_all(pair.link)
    data = bytes(range(256)) * 400
    for at in range(0, len(data), 10_000):
        pair.tls.write(data[at : at + 10_000])
    pair.push()
    buffer = memoryview(bytearray(256 * 1024))
    assert pair.link.recv_into(buffer) == len(data)
    assert buffer[: len(data)] == data


async def test_a_record_in_pieces_waits_for_its_end(pair: Pair) -> None:
    read_all(pair.link)
    pair.tls.write(b"x" * 10_000)
    pair.push(5_000)
    with pytest.raises(BlockingIOError):
        pair.link.recv_into(memoryview(bytearray(20_000)))
    pair.push()
    assert read_all(pair.link) == b"x" * 10_000


async def test_what_is_sent_arrives(pair: Pair) -> None:
    assert pair.link.send(b"OPTIONS") == 7
    pair.pull()
    assert pair.tls.read(100) == b"OPTIONS"


async def test_a_peer_that_does_not_read_blocks_and_loses_nothing(pair: Pair) -> None:
    sent = 0
    with suppress(BlockingIOError):
        while sent < 10_000_000:
            sent += pair.link.send(b"y" * 10_000)
    assert sent < 10_000_000
    received = b""
    while len(received) < sent:
        pair.pull()
        with suppress(ssl.SSLWantReadError):
            while True:
                received += pair.tls.read(65_536)
        read_all(pair.link)
    assert received == b"y" * sent


async def test_the_end_is_an_end_with_and_without_a_goodbye(pair: Pair) -> None:
    read_all(pair.link)
    pair.tls.write(b"last")
    with suppress(ssl.SSLWantReadError):
        pair.tls.unwrap()
    pair.push()
    pair.theirs.shutdown(socket.SHUT_WR)
    buffer = memoryview(bytearray(100))
    assert pair.link.recv_into(buffer) == 4
    assert pair.link.recv_into(buffer) == 0
    assert pair.link.recv_into(buffer) == 0


async def test_shutdown_says_goodbye(pair: Pair) -> None:
    pair.link.shutdown(socket.SHUT_WR)
    pair.pull()
    assert pair.tls.read(10) == b""
    assert pair.theirs.recv(10) == b""
