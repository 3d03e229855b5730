"""Problem documents (RFC 9457): the one shape of every error that HTTP and WebSocket clients see.

A document says in `detail` what to do. `type` tells kinds of problem apart for programs: `about:blank` where the
status says it all, `urn:camgate:problem:KIND` for what only camgate knows (docs/http.md lists them).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from camgate.base.errors import RemoteError
from camgate.relay.errors import ViewerError

MEDIA_TYPE = "application/problem+json"

CHALLENGE = 'Basic realm="camgate", charset="UTF-8"'
"""RFC 7617 section 2.1: tools send a login only when they are told how."""

_ADVICE = {
    400: "The request cannot be understood; check its syntax.",
    404: "There is nothing at this address; /api/v1/openapi.json lists what there is.",
    405: "This address does not take this method; the Allow header names those that it takes.",
    408: "The request's body did not come in time; send it at once.",
    413: "The request's body is too large; send no more than 64 KiB.",
    426: "This address speaks WebSocket only; connect to it with a WebSocket client.",
    431: "The request's headers are too large; send less than 16 KiB, for instance without foreign cookies.",
    500: "camgate hit a bug while answering; its log holds the details, please report them.",
    501: "The request asks for something of HTTP that camgate does not offer; use plain HTTP/1.1.",
    503: "camgate is busy or stopping; try again in a few seconds.",
}
"""What to do about a status, where nothing more is known than the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem document, and the headers that go with it."""

    status: int
    detail: str
    """One sentence for a person: what is wrong and what to do."""
    title: str | None = None
    """The kind of problem in a few words; the status's own phrase where absent."""
    kind: str | None = None
    """Last part of `type`; None for `about:blank`."""
    retry_after_s: float | None = None
    errors: tuple[Mapping[str, object], ...] = ()
    """What is wrong one by one, where there may be several things: members `key` and `detail` (RFC 9457 section 3)."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_status(cls, status: int, **headers: str) -> "Problem":
        """The problem of which only the status is known. Keywords are headers, with `_` for `-`."""
        detail = _ADVICE.get(status, f"The request failed: {_phrase(status)}.")
        return cls(status=status, detail=detail, headers={name.replace("_", "-"): headers[name] for name in headers})

    @classmethod
    def of_error(cls, error: RemoteError, *, is_script: bool = False) -> "Problem":
        """The problem that a peer's mistake is; what it may know is what the error says.

        is_script: a page's script asks, which deals with a 401 itself: told how to log in, its browser would ask for a
        password in a window of its own.
        """
        if not isinstance(error, ViewerError):
            return cls(status=error.status, detail=str(error))
        return cls(
            status=error.status,
            detail=str(error),
            title=error.title,
            kind=kind_of(type(error)),
            retry_after_s=error.retry_after_s,
            errors=tuple(error.errors),
            headers={"www-authenticate": CHALLENGE} if error.status == 401 and not is_script else {},
        )

    def members(self) -> dict[str, object]:
        """The document, ready for JSON."""
        members: dict[str, object] = {
            "type": f"urn:camgate:problem:{self.kind}" if self.kind else "about:blank",
            "title": self.title or _phrase(self.status),
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.retry_after_s is not None:
            members["retry_after"] = self._retry_after_whole_s()
        if self.errors:
            members["errors"] = list(self.errors)
        return members

    def body(self) -> bytes:
        """The document as it goes out."""
        return json.dumps(self.members()).encode()

    def raw(self) -> bytes:
        """The whole answer, for who says no more than that on a connection without a protocol; it closes then."""
        body = self.body()
        lines = [
            f"HTTP/1.1 {int(self.status)} {_phrase(self.status)}",
            f"content-length: {len(body)}",
            "connection: close",
        ]
        lines += [f"{name}: {value}" for name, value in self.header_items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def header_items(self) -> list[tuple[str, str]]:
        """The headers that go with `body()`; Content-Length is the sender's to add."""
        items = [("content-type", MEDIA_TYPE), ("cache-control", "no-store"), *self.headers.items()]
        if self.retry_after_s is not None:
            items.append(("retry-after", str(self._retry_after_whole_s())))
        return items

    def _retry_after_whole_s(self) -> int:
        """RFC 9110 section 10.2.3: Retry-After counts whole seconds; rounded up, as earlier would be too early."""
        return math.ceil(self.retry_after_s or 0)


def kind_of(error_class: type[ViewerError]) -> str:
    """The kind of an error class: `CameraOffline` is `camera-offline`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error_class.__name__).lower()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
