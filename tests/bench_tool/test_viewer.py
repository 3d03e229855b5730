"""A light viewer in front of a server's ICE and DTLS, whose parts are camgate's own; the HTTP is a real server's."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trio

from camgate.bench import viewer as viewer_module
from camgate.bench.marks import Mark, build_mark
from camgate.bench.signaling import SignalingFailed
from camgate.bench.viewer import JoinFailed, Viewer, ViewerSettings
from camgate.serve.webrtc.dtls import Certificate, DtlsSession, SrtpKeys, sha256_fingerprint
from camgate.wire.ice import stun
from camgate.wire.rtp.rtcp import ReceiverReport, parse_rtcp_untrusted
from camgate.wire.sdp.answer import LocalTransport, SentTrack, build_answer, choose_h264, host_candidates, wanted_video
from camgate.wire.sdp.offer import Offer, parse_offer_untrusted
from tests.fakes.h264 import PPS, SPS, RtpWriter, slice_nal

UFRAG, PWD = "serv", "s" * 24
CERTIFICATE = Certificate()


class Server:
    """One viewer's server: `run` answers checks and shakes hands; `keys` are the outcome."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.bind(("127.0.0.1", 0))
        self.offer: Offer | None = None
        self.is_deaf = False
        self.address: tuple[str, int] | None = None
        self.check: stun.StunMessage | None = None
        self.dtls: DtlsSession | None = None
        self.keys: SrtpKeys | None = None
        self.media: list[bytes] = []

    def answer(self, text: str) -> str:
        self.offer = parse_offer_untrusted(text)
        video = wanted_video(self.offer)
        assert video is not None
        codec = choose_h264(video, "42c01e")
        assert codec is not None
        port = self.sock.getsockname()[1]
        candidates = host_candidates(["127.0.0.1"], port)
        transport = LocalTransport(UFRAG, PWD, sha256_fingerprint(CERTIFICATE.current()), candidates)
        return build_answer(self.offer, 1, transport, {video.mid: SentTrack(codec, 1, "cam0")})

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(self.sock)
                data, address = self.sock.recvfrom(2048)
                if self.is_deaf:
                    continue
                if data[0] < 4:
                    self.check = stun.parse_stun_untrusted(data)
                    self.address = address
                    assert self.check.has_integrity(PWD.encode())
                    self.sock.sendto(stun.build_binding_success(self.check, address, PWD.encode()), address)
                elif data[0] < 64:
                    if self.dtls is None:
                        assert self.offer is not None
                        self.dtls = DtlsSession(CERTIFICATE.current(), self.offer.fingerprints, self.send)
                        nursery.start_soon(self.shake_hands, self.dtls)
                    self.dtls.receive_datagram(data)
                else:
                    self.media.append(data)

    async def shake_hands(self, dtls: DtlsSession) -> None:
        self.keys = await dtls.handshake()

    def send(self, data: bytes) -> None:
        assert self.address is not None
        self.sock.sendto(data, self.address)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with server.sock:
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    class Whep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = server.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(201)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    with HTTPServer(("127.0.0.1", 0), Whep) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/whep/cam0"
        http.shutdown()
        thread.join()


def make_viewer(url: str, *, full: bool = True) -> Viewer:
    return Viewer(ViewerSettings(url=url, camera=0, number=0, full=full, certificate=Certificate()))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what tasks on real sockets bring about."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


async def read(viewer: Viewer) -> None:
    while True:
        await trio.lowlevel.wait_readable(viewer.sock)
        viewer.drain()


async def test_a_viewer_joins_takes_media_and_reports(server: Server, url: str) -> None:
    viewer = make_viewer(url)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            nursery.start_soon(read, viewer)
            await viewer.join()
            await until(lambda: server.keys is not None)
            assert server.keys is not None
            packets = RtpWriter(sequence=7).packets([SPS, PPS, slice_nal(2_000, key=True) + build_mark(Mark(1, 0))])
            for packet in packets:
                server.send(server.keys.outbound.protect(packet))
            server.send(server.keys.outbound.protect(packets[0])[:-1] + b"?")
            await until(lambda: viewer.reception.key_frame is not None and viewer.refused_in_window == 1)
            viewer.report()
            server.check = None
            viewer.check_consent()
            await until(lambda: bool(server.media) and server.check is not None)
            (report,) = parse_rtcp_untrusted(server.keys.inbound.unprotect_rtcp(server.media[0]))
            viewer.close()
            nursery.cancel_scope.cancel()
    assert server.check is not None
    assert server.check.use_candidate
    assert server.check.username.startswith(f"{UFRAG}:")
    assert viewer.reception.window.received == len(packets)
    assert viewer.requested_s < (viewer.connected_s or 0) <= (viewer.reception.key_frame_s or 0)
    assert isinstance(report, ReceiverReport)
    assert report.reports[0].highest_sequence & 0xFFFF == 7 + len(packets) - 1


async def test_a_light_viewer_filters_after_its_first_key_frame(server: Server, url: str) -> None:
    viewer = make_viewer(url, full=False)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            nursery.start_soon(read, viewer)
            await viewer.join()
            await until(lambda: server.keys is not None)
            assert server.keys is not None
            writer = RtpWriter(sequence=1)
            for packet in writer.packets([SPS, PPS, slice_nal(2_000, key=True)]):
                server.send(server.keys.outbound.protect(packet))
            await until(lambda: viewer.reception.key_frame_s is not None)
            viewer.reception.begin_window()
            while writer.sequence <= 160:
                for packet in writer.packets([slice_nal(2_000)]):
                    server.send(server.keys.outbound.protect(packet))
            await until(lambda: viewer.reception.index & 0xFFFF == 160)
            viewer.close()
            nursery.cancel_scope.cancel()
    assert viewer.reception.window.received == 5


async def test_a_server_that_answers_no_check(server: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_module, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(viewer_module, "CHECK_TIMEOUT_S", 0.1)
    server.is_deaf = True
    viewer = make_viewer(url)
    with pytest.raises(JoinFailed, match="no answer to 2 ICE checks"):
        await viewer.join()
    viewer.close()


async def test_a_server_that_is_not_there() -> None:
    viewer = make_viewer("http://127.0.0.1:9/whep/cam0")
    with pytest.raises(SignalingFailed, match="refused"):
        await viewer.join()
    viewer.close()


async def test_a_forged_answer_does_not_count(server: Server, url: str) -> None:
    viewer = make_viewer(url)
    request = stun.parse_stun_untrusted(
        stun.build_binding_request(secrets.token_bytes(12), "a:b", b"x", priority=1, tie_breaker=1)
    )
    server.address = viewer.sock.getsockname()
    server.send(stun.build_binding_success(request, ("127.0.0.1", 1), PWD.encode()))
    server.send(bytes(24))
    viewer.drain()
    assert not viewer._checked.is_set()
    viewer.close()
