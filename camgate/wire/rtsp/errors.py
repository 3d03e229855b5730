"""What can go wrong in an RTSP conversation, in words that a camera's owner can act on.

No text here ever holds a credential: URLs are shown without userinfo, headers of the peer not at all.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import ClassVar

from camgate.base.errors import LocalError, RemoteError

_PEER_TEXT_LIMIT = 80
"""Characters of a peer's own words that an error repeats: a reason phrase fits, a page of HTML does not."""

_PEER_ITEMS_LIMIT = 8
"""Tracks or login schemes that an error repeats: more than cameras have, few enough for one sentence."""


def printable(text: str) -> str:
    """Return a peer's words cut short, with everything but printable characters made `?`."""
    shown = text[:_PEER_TEXT_LIMIT]
    return "".join(character if character.isprintable() else "?" for character in shown)


def printable_list(items: Iterable[str], separator: str = ", ") -> str:
    """Return a peer's items in words that are fit to be shown, each once; `nothing` where there are none."""
    shown = list(dict.fromkeys(map(printable, items)))
    return separator.join(shown[:_PEER_ITEMS_LIMIT]) or "nothing"


class RtspLocalError(LocalError):
    """Our own code used an RTSP object against its contract."""


class WrongState(RtspLocalError):
    """An operation was asked for in a state that does not allow it."""

    def __init__(self, operation: str, state: str, allowed: Iterable[str]) -> None:
        super().__init__(operation, state)
        self.operation = operation
        self.state = state
        self.allowed = tuple(allowed)

    def __str__(self) -> str:
        return f"{self.operation} is not allowed in state {self.state}; allowed in: {', '.join(self.allowed)}"


class InvalidHeader(RtspLocalError):
    """A header or URL that we were about to send holds a line break or a character beyond latin-1."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the {self.name} cannot be sent: it holds a line break or a character that RTSP cannot carry"


class RtspRemoteError(RemoteError):
    """Root of what an RTSP peer can do wrong."""


class MalformedMessage(RtspRemoteError):
    """The peer sent bytes that are no RTSP, or an RTSP message that lacks what it must have.

    offset: position in the received TCP stream (bytes since the connection opened), None where unknown.
    """

    def __init__(self, detail: str, offset: int | None = None) -> None:
        super().__init__(detail, offset)
        self.detail = detail
        self.offset = offset

    def __str__(self) -> str:
        place = "" if self.offset is None else f" (at byte {self.offset} of the connection)"
        return f"malformed RTSP: {self.detail}{place}"


class MalformedUrl(RtspRemoteError):
    """A URL that cannot be an RTSP URL. The text says why and never repeats the URL, which may hold a password."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"not an RTSP URL: {self.detail}"


class LostSync(RtspRemoteError):
    """Too much of what came is neither RTSP nor interleaved media.

    resyncs: how often the parser had to search for the next frame within a minute.
    garbage_bytes: bytes skipped while it did.
    """

    def __init__(self, resyncs: int, garbage_bytes: int, offset: int) -> None:
        super().__init__(resyncs, garbage_bytes, offset)
        self.resyncs = resyncs
        self.garbage_bytes = garbage_bytes
        self.offset = offset

    def __str__(self) -> str:
        return (
            f"the camera's stream is damaged: {self.garbage_bytes} bytes skipped in {self.resyncs} places"
            f" within a minute (at byte {self.offset} of the connection)"
        )


class AuthenticationProblem(Enum):
    """Why a login did not succeed."""

    NO_CREDENTIALS = auto()
    REFUSED = auto()
    NO_COMMON_SCHEME = auto()


class AuthenticationFailed(RtspRemoteError):
    """The camera answered 401 and there is nothing (more) to try. Do not try again soon: cameras lock accounts.

    schemes: names of the schemes that the camera offered, such as `("digest", "basic")`.
    """

    _WORDS: ClassVar = {
        AuthenticationProblem.NO_CREDENTIALS: "the camera wants user name and password, and none are given",
        AuthenticationProblem.REFUSED: "wrong user name or password",
        AuthenticationProblem.NO_COMMON_SCHEME: "the camera offers no way to log in that camgate knows",
    }

    def __init__(self, problem: AuthenticationProblem, method: str, schemes: Iterable[str] = ()) -> None:
        super().__init__(problem, method)
        self.problem = problem
        self.method = method
        self.schemes = tuple(schemes)

    def __str__(self) -> str:
        is_about_schemes = self.problem is AuthenticationProblem.NO_COMMON_SCHEME
        detail = f"; it offers {printable_list(self.schemes)}" if is_about_schemes else ""
        return f"{self._WORDS[self.problem]} (401 to {self.method}{detail})"


class UnexpectedStatus(RtspRemoteError):
    """The camera refused a request. `status_code` and `reason` are the camera's own."""

    _HINTS: ClassVar = {
        403: "this user may not see this stream",
        404: "check the path of the URL",
        453: "the camera serves as many viewers as it can; close another one",
        461: "the camera does not send media in the way it was asked for",
        503: "the camera is busy or at its limit of viewers",
    }

    def __init__(self, status_code: int, reason: str, method: str) -> None:
        super().__init__(status_code, reason, method)
        self.status_code = status_code
        self.reason = reason
        self.method = method

    def __str__(self) -> str:
        hint = self._HINTS.get(self.status_code)
        answer = f"{self.status_code} {printable(self.reason)}".rstrip()
        return f"the camera answered {answer} to {self.method}" + (f": {hint}" if hint else "")


class ResponseTimeout(RtspRemoteError):
    """The camera accepted the connection but did not answer a request in time."""

    def __init__(self, method: str, timeout_s: float) -> None:
        super().__init__(method, timeout_s)
        self.method = method
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"no answer to {self.method} within {self.timeout_s:g} s"


class SessionLost(RtspRemoteError):
    """The camera no longer knows our session (454): connect again."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method

    def __str__(self) -> str:
        return f"the camera has dropped the session (454 to {self.method})"


class UnsupportedTransport(RtspRemoteError):
    """The camera answered SETUP with a transport that we did not ask for."""

    def __init__(self, transport: str) -> None:
        super().__init__(transport)
        self.transport = transport

    def __str__(self) -> str:
        return f"the camera insists on another transport than asked for: {printable(self.transport)}"


class RedirectRefused(RtspRemoteError):
    """A redirect that would give up protection: from rtsps to rtsp."""

    def __str__(self) -> str:
        return "the camera redirects from rtsps to unprotected rtsp; if that is right, configure the rtsp URL"


class NoUsableTrack(RtspRemoteError):
    """The session description offers nothing that can be shown.

    offered: what it does offer, such as `("video H265", "audio PCMA")`.
    """

    def __init__(self, wanted: Iterable[str], offered: Iterable[str]) -> None:
        self.wanted = tuple(wanted)
        self.offered = tuple(offered)
        super().__init__(self.wanted, self.offered)

    def __str__(self) -> str:
        return f"the camera offers no {' or '.join(self.wanted)} video; it offers: {printable_list(self.offered)}"
