"""The HTTP that RTSP is tunnelled in."""

import pytest

from camgate.wire.rtsp.errors import MalformedMessage
from camgate.wire.rtsp.message import MAX_HEAD_BYTES
from camgate.wire.rtsp.tunnel import build_tunnel_request, encode_tunnelled, split_tunnel_answer_untrusted

ANSWER = b"HTTP/1.0 200 OK\r\nServer: cam\r\n\r\n"


def test_requests() -> None:
    get = build_tunnel_request("GET", "/live?a=1", "cam:80", "c00kie", user_agent="camgate").decode()
    assert get.startswith("GET /live?a=1 HTTP/1.0\r\nHost: cam:80\r\n")
    assert "\r\nx-sessioncookie: c00kie\r\n" in get
    assert "Authorization" not in get
    assert get.endswith("\r\n\r\n")
    post = build_tunnel_request("POST", "", "cam", "c00kie", user_agent="camgate", authorization="Basic eA==").decode()
    assert post.startswith("POST / HTTP/1.0\r\n")
    assert "\r\nContent-Length: 32767\r\n" in post
    assert "\r\nAuthorization: Basic eA==\r\n" in post


def test_each_piece_is_base64_of_its_own() -> None:
    assert encode_tunnelled(b"OPTI") == b"T1BUSQ=="


def test_what_follows_the_answer_is_kept() -> None:
    for end in range(len(ANSWER)):
        assert split_tunnel_answer_untrusted(ANSWER[:end]) is None
    split = split_tunnel_answer_untrusted(ANSWER + b"RTSP/1.0 200")
    assert split is not None
    answer, rest = split
    assert (answer.status, answer.reason, rest) == (200, "OK", b"RTSP/1.0 200")
    assert answer.headers.get("server") == "cam"


def test_what_is_no_http_is_said() -> None:
    with pytest.raises(MalformedMessage, match="does not speak HTTP"):
        split_tunnel_answer_untrusted(b"220 mail\r\n\r\n")
    with pytest.raises(MalformedMessage, match="no end of headers"):
        split_tunnel_answer_untrusted(b"HTTP/1.0 200 OK\r\n" + b"a" * MAX_HEAD_BYTES)
