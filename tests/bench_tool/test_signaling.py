"""WHEP from the viewer's side, against camgate's own reading and writing of SDP, and a real HTTP server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from camgate.bench.signaling import (
    Access,
    SignalingFailed,
    build_offer,
    parse_answer_untrusted,
    request,
)
from camgate.wire.sdp.answer import LocalTransport, SentTrack, build_answer, choose_h264, host_candidates, wanted_video
from camgate.wire.sdp.offer import parse_offer_untrusted

FINGERPRINT = ":".join(["AB"] * 32)
OFFER = build_offer(Access(ufrag="near", pwd="p" * 24, fingerprint=FINGERPRINT, address="127.0.0.1", port=4000))


def make_answer() -> str:
    offer = parse_offer_untrusted(OFFER)
    video = wanted_video(offer)
    assert video is not None
    codec = choose_h264(video, "4d001f")
    assert codec is not None
    transport = LocalTransport("far0", "q" * 24, FINGERPRINT, host_candidates(["::1", "10.0.0.7", "127.0.0.1"], 8108))
    return build_answer(offer, 1, transport, {video.mid: SentTrack(codec, 1, "cam0")})


def test_the_offer_is_one_of_a_viewer() -> None:
    offer = parse_offer_untrusted(OFFER)
    video = wanted_video(offer)
    assert video is not None
    assert (offer.setup, offer.ice_ufrag, video.rtcp_mux) == ("active", "near", True)
    assert {codec.name for codec in video.codecs} == {"H264"}


def test_an_answer_is_read() -> None:
    server = parse_answer_untrusted(make_answer())
    assert (server.ufrag, server.pwd) == ("far0", "q" * 24)
    assert server.fingerprints == (("sha-256", FINGERPRINT),)
    assert server.candidates == (("10.0.0.7", 8108), ("127.0.0.1", 8108))


@pytest.mark.parametrize(
    ("part", "instead", "told"),
    [
        ("a=setup:passive", "a=setup:active", "a=setup:passive"),
        ("a=ice-ufrag:far0", "a=ice-ufrag:?", "a=ice-ufrag"),
        ("a=ice-pwd:", "a=ice-pwd:short\r\na=x:", "a=ice-pwd"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "a=fingerprint"),
        (" udp ", " tcp ", "no UDP candidate"),
        (" 8108 ", " 80000 ", "no UDP candidate"),
    ],
)
def test_what_an_answer_lacks_is_told(part: str, instead: str, told: str) -> None:
    with pytest.raises(SignalingFailed, match=told):
        parse_answer_untrusted(make_answer().replace(part, instead))


class Whep(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/whep")
            self.end_headers()
            return
        self.send_response(201 if self.path == "/whep" else 404)
        self.end_headers()
        self.wfile.write(f"{self.headers['Content-Type']} {self.headers['Authorization']} ".encode() + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Whep) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_offer_is_posted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert request(f"{url}/whep", body=b"v=0", authorization="Bearer x") == b"application/sdp Bearer x v=0"


def test_an_answer_may_tell_of_hundreds_of_cameras(url: str) -> None:
    body = b"c" * 300_000
    assert request(f"{url}/whep", body=body).endswith(body)


def test_a_refusal_is_told_in_the_servers_words(url: str) -> None:
    with pytest.raises(SignalingFailed, match="404 Not Found: application/sdp None v=0"):
        request(f"{url}/nothing", body=b"v=0")


def test_a_redirect_is_not_followed(url: str) -> None:
    with pytest.raises(SignalingFailed, match="307"):
        request(f"{url}/moved", body=b"v=0")


def test_nobody_there() -> None:
    with pytest.raises(SignalingFailed, match="refused"):
        request("http://127.0.0.1:9/whep", body=b"v=0")
