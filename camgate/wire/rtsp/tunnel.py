"""RTSP over HTTP, as QuickTime invented it: two HTTP requests that do not end carry the two directions.

What the camera sends is the body of its answer to a GET, as it is; what we send is the body of a POST on another
connection, in base64. A cookie, made up by us, tells the camera which two belong together. There is no RFC; this is
what gst-rtsp-server, live555 and Axis understand.
"""

from base64 import b64encode

from camgate.wire.rtsp.errors import MalformedMessage
from camgate.wire.rtsp.message import MAX_HEAD_BYTES, Response, parse_head_untrusted

CONTENT_TYPE = "application/x-rtsp-tunnelled"

POST_LENGTH = 32_767
"""Of a body that goes on for as long as the session does: HTTP wants a number, and nobody looks at it."""

_HEAD_END = b"\r\n\r\n"


def build_tunnel_request(
    method: str, path: str, host: str, cookie: str, *, user_agent: str, authorization: str | None = None
) -> bytes:
    """Return the head of the GET or POST. path: as in the camera's URL; empty for the root."""
    headers = [
        ("Host", host),
        ("User-Agent", user_agent),
        ("x-sessioncookie", cookie),
        ("Pragma", "no-cache"),
        ("Cache-Control", "no-cache"),
    ]
    if method == "POST":
        # A date long ago keeps proxies from keeping it, as QuickTime does.
        headers += [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(POST_LENGTH)),
            ("Expires", "Sun, 9 Jan 1972 00:00:00 GMT"),
        ]
    else:
        headers += [("Accept", CONTENT_TYPE)]
    if authorization is not None:
        headers.append(("Authorization", authorization))
    lines = [f"{method} {path or '/'} HTTP/1.0", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def encode_tunnelled(data: bytes) -> bytes:
    """Return what we send as the camera expects it: each piece is base64 of its own, padding included."""
    return b64encode(data)


def split_tunnel_answer_untrusted(data: bytes) -> tuple[Response, bytes] | None:
    """Return the head of the answer to GET and what follows it; None while the head is not whole.

    Raises MalformedMessage where it is no HTTP.
    """
    head, end, rest = data.partition(_HEAD_END)
    if not end:
        if len(data) > MAX_HEAD_BYTES:
            raise MalformedMessage(f"the answer to the HTTP tunnel has no end of headers within {MAX_HEAD_BYTES} bytes")
        return None
    if not head.startswith((b"HTTP/1.", b"RTSP/1.")):
        raise MalformedMessage("what answers to the HTTP tunnel does not speak HTTP")
    # A status line of HTTP is one of RTSP but for the name.
    parsed = parse_head_untrusted(b"RTSP" + head[4:])
    assert isinstance(parsed, Response)
    return parsed, rest
