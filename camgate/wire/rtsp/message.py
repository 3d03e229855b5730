"""RTSP requests and responses as values, their text, and the headers between (RFC 2326 §4-§7).

Header text is latin-1 on both sides: every byte maps to one character and back, so that a realm or a user name in
whatever charset returns to the camera exactly as it came. `interleaved` finds messages in the byte stream.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from camgate.wire.rtsp.errors import InvalidHeader, MalformedMessage

MAX_HEAD_BYTES = 16 * 1024
"""Start line and headers. The longest seen (Hikvision's several challenges with long nonces) stays under 2 kB."""

MAX_BODY_BYTES = 256 * 1024
"""Session descriptions are 0.3-5 kB, parameter lists less; beyond this a peer is broken or hostile."""

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    460: "Only Aggregate Operation Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option Not Supported",
}
"""Reason phrases of RFC 2326 §7.1.1 for the codes that camgate sends or explains."""

_REQUEST_LINE = re.compile(r"([!-~]+) +(\S+) +RTSP/1\.\d *")
# Some servers leave the reason phrase out, and the space before it too (gortsplib#928).
_STATUS_LINE = re.compile(r"RTSP/1\.\d +(\d{3})(?: +(.*))?")
_LINE_BREAK = re.compile(r"\r?\n|\r")
_UNSENDABLE = re.compile(r"[\r\n]|[^\0-\xff]")


@dataclass(slots=True, repr=False)
class Headers:
    """Headers in order, found by name in any case, sent in exactly the spelling that they were given."""

    items: list[tuple[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __repr__(self) -> str:
        # Values may be credentials, and a repr ends up in logs.
        return f"<Headers {' '.join(name for name, _ in self.items)}>"

    def get(self, name: str) -> str | None:
        """Return the first value of that name."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """Return every value of that name, in order."""
        wanted = name.lower()
        return [value for key, value in self.items if key.lower() == wanted]

    def add(self, name: str, value: str) -> None:
        """Append one more header."""
        self.items.append((name, value))


@dataclass(frozen=True, slots=True)
class Request:
    """An RTSP request. `url` is the text of the request line, `*` included."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An RTSP response. An empty `reason` is sent as the standard phrase of `status`."""

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


Message = Request | Response


def encode_message(message: Message) -> bytes:
    """Return the bytes of a message; Content-Length is added where there is a body.

    Raises InvalidHeader where a URL or value would break out of its line.
    """
    if isinstance(message, Request):
        lines = [f"{message.method} {_sendable('URL', message.url)} RTSP/1.0"]
    else:
        reason = message.reason or REASONS.get(message.status, "")
        lines = [f"RTSP/1.0 {message.status} {_sendable('reason phrase', reason)}"]
    lines += [f"{name}: {_sendable(name, value)}" for name, value in message.headers]
    if message.body:
        lines.append(f"Content-Length: {len(message.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + message.body


def parse_head_untrusted(head: bytes) -> Message:
    """Parse a start line and headers, without their body; the empty line at the end may be missing.

    Lines without a colon are skipped: cameras send such, and nothing depends on them.
    """
    # RFC 2326 §4: receivers must be prepared to take CR and LF by themselves as line ends.
    start, *lines = _LINE_BREAK.split(head.decode("latin-1"))
    headers = Headers(_read_header_lines(lines))
    if status_line := _STATUS_LINE.fullmatch(start):
        return Response(int(status_line[1]), (status_line[2] or "").strip(), headers)
    if request_line := _REQUEST_LINE.fullmatch(start):
        return Request(request_line[1], request_line[2], headers)
    raise MalformedMessage("a message starts with neither a request line nor a status line")


def body_length_untrusted(headers: Headers) -> int:
    """Return the length of the body in bytes that the headers announce."""
    text = headers.get("Content-Length")
    # RFC 2326 §4.4: without Content-Length the length of the body is taken to be zero.
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise MalformedMessage("Content-Length is not a number")
    length = int(text)
    if length > MAX_BODY_BYTES:
        raise MalformedMessage(f"a body of {length} bytes is announced, {MAX_BODY_BYTES} are accepted")
    return length


def _read_header_lines(lines: Iterable[str]) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        # RFC 2326 §4.2 takes over HTTP's folding: a line that starts with white space continues the value before.
        if line[:1] in (" ", "\t") and items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}".strip())
        elif colon and name.strip():
            items.append((name.strip(), value.strip()))
    return items


def _sendable(name: str, text: str) -> str:
    if _UNSENDABLE.search(text):
        raise InvalidHeader(name)
    return text
