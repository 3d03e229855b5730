import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtsp.errors import InvalidHeader, MalformedMessage
from camgate.wire.rtsp.message import (
    MAX_BODY_BYTES,
    Headers,
    Message,
    Request,
    Response,
    body_length_untrusted,
    encode_message,
    parse_head_untrusted,
)

TOKENS = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=20)
VALUES = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x85\xa0")).filter(
    lambda text: text == text.strip()
)
HEADERS = st.lists(st.tuples(st.from_regex(r"[A-Za-z][A-Za-z-]{0,20}", fullmatch=True), VALUES)).map(Headers)
URLS = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
REQUESTS = st.builds(Request, TOKENS, URLS, HEADERS)
RESPONSES = st.builds(Response, st.integers(200, 599), VALUES.filter(bool), HEADERS)


@given(st.one_of(REQUESTS, RESPONSES))
def test_what_is_written_reads_back(message: Message) -> None:
    assert parse_head_untrusted(encode_message(message).removesuffix(b"\r\n\r\n")) == message


def test_a_request_is_written_as_rfc_2326_has_it() -> None:
    request = Request("DESCRIBE", "rtsp://192.0.2.1/live", Headers([("CSeq", "2"), ("Accept", "application/sdp")]))
    assert encode_message(request) == (
        b"DESCRIBE rtsp://192.0.2.1/live RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n"
    )


def test_a_body_brings_its_length() -> None:
    data = encode_message(Response(200, headers=Headers([("CSeq", "1")]), body=b"v=0\r\n"))
    assert data == b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n"


@pytest.mark.parametrize(
    "message",
    [
        Request("OPTIONS", "rtsp://host/\r\nX: y"),
        Request("OPTIONS", "rtsp://host/", Headers([("Session", "1\n2")])),
        Response(200, "OK\rX"),
        Request("OPTIONS", "rtsp://host/日"),
    ],
)
def test_nothing_breaks_out_of_its_line(message: Message) -> None:
    with pytest.raises(InvalidHeader, match="cannot be sent"):
        encode_message(message)


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (b"RTSP/1.0 200 OK", 200, "OK"),
        (b"RTSP/1.0 200", 200, ""),
        (b"RTSP/1.0 200 ", 200, ""),
        (b"RTSP/1.1  404  Stream  Not Found ", 404, "Stream  Not Found"),
    ],
)
def test_status_lines(head: bytes, status: int, reason: str) -> None:
    assert parse_head_untrusted(head) == Response(status, reason)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK", b"RTSP/1.0 2000 OK", b"RTSP/1.0 OK", b"GET / HTTP/1.1"])
def test_other_start_lines_are_malformed(head: bytes) -> None:
    with pytest.raises(MalformedMessage, match="neither a request line nor a status line"):
        parse_head_untrusted(head)


def test_headers_are_found_in_any_case_and_trimmed() -> None:
    message = parse_head_untrusted(
        b"RTSP/1.0 200 OK\nCseq:  3 \t\nPublic: OPTIONS,\r\n\t PLAY\rpublic: SETUP\n: x\nwords"
    )
    assert message.headers.get("CSEQ") == "3"
    assert message.headers.get_all("Public") == ["OPTIONS, PLAY", "SETUP"]
    assert "Session" not in message.headers
    assert len(message.headers.items) == 3


def test_a_repr_shows_no_values() -> None:
    headers = Headers([("CSeq", "1"), ("Authorization", "Basic czNjcmV0")])
    assert repr(headers) == "<Headers CSeq Authorization>"
    assert "czNjcmV0" not in repr(Request("PLAY", "*", headers))


@pytest.mark.parametrize(("text", "length"), [("0", 0), ("", 0), ("17", 17), (str(MAX_BODY_BYTES), MAX_BODY_BYTES)])
def test_body_length(text: str, length: int) -> None:
    assert body_length_untrusted(Headers([("content-length", text)])) == length


def test_without_content_length_there_is_no_body() -> None:
    assert body_length_untrusted(Headers()) == 0


@pytest.mark.parametrize("text", ["-1", "ten", "1.5", "²", "1" * 10, str(MAX_BODY_BYTES + 1)])
def test_bad_or_large_content_length_is_malformed(text: str) -> None:
    with pytest.raises(MalformedMessage):
        body_length_untrusted(Headers([("Content-Length", text)]))
