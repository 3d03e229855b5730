"""Why a viewer cannot have what it asks for: each error knows its HTTP status and says what to do about it.

Raised by whoever answers viewers (registry, WebRTC engine), turned into problem documents by HTTP and WebSocket.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

from camgate.base.errors import RemoteError

SHOWN_NAME_CHARS = 64
"""How much of a name that a viewer made up is repeated in an error: enough to recognise it, too short to abuse."""


class ViewerError(RemoteError):
    """Root of what a viewer's request can fail with. `str()` is one sentence for a person.

    title: the kind of problem in a few words, the same for every error of the class.
    retry_after_s: when trying again can help; None where it cannot. errors: what is wrong one by one, where several
    things may be.
    """

    title: ClassVar[str] = "Bad request"
    retry_after_s: float | None = None
    errors: Sequence[Mapping[str, object]] = ()


class UnknownCamera(ViewerError):
    """No camera of this name is configured."""

    status = HTTPStatus.NOT_FOUND
    title = "Unknown camera"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"There is no camera {_shown(self.name)}; the names are listed at /api/v1/cameras."


class TrackGone(ViewerError):
    """A track was set up that the camera sends no more, as its newer description says."""

    status = HTTPStatus.NOT_FOUND
    title = "Track gone"

    def __init__(self, camera: str) -> None:
        super().__init__(camera)
        self.camera = camera

    def __str__(self) -> str:
        return f"Camera {_shown(self.camera)} no longer sends a track that was set up; set up what it sends now."


class CameraOffline(ViewerError):
    """The camera exists and sends no pictures at the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Camera offline"

    def __init__(self, name: str, reason: str | None, *, retry_after_s: float) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"Camera {_shown(self.name)} sends no pictures{why}; try again in {self.retry_after_s:g} s."


class TooManyTranscoders(ViewerError):
    """The viewer cannot play what the camera sends, and this machine transcodes as much as it may."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many transcoders"

    def __init__(self, max_streams: int, *, retry_after_s: float) -> None:
        super().__init__(max_streams)
        self.max_streams = max_streams
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"This browser does not play what the camera sends, and all {self.max_streams} places for transcoding are "
            f"taken (transcode.max_streams); try again in {self.retry_after_s:g} s, or raise the limit."
        )


class NoSnapshot(ViewerError):
    """The camera sends pictures, and none of them became a JPEG."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "No snapshot"

    def __init__(self, name: str, reason: str, *, retry_after_s: float) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"There is no snapshot of camera {_shown(self.name)}: {self.reason}; try again in {self.retry_after_s:g} s."
        )


class TooManySnapshots(ViewerError):
    """More snapshots are asked for at once than can be made soon."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many snapshots"

    def __init__(self, waiting: int, *, retry_after_s: float) -> None:
        super().__init__(waiting)
        self.waiting = waiting
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.waiting} other snapshots wait to be made; try again in {self.retry_after_s:g} s."


class BadWidth(ViewerError):
    """A snapshot's width that is no number of pixels, or none that is made."""

    title = "Bad width"

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.least = least
        self.most = most

    def __str__(self) -> str:
        return f"width is not a whole number from {self.least} to {self.most}; leave it out for the camera's own width."


class CameraFull(ViewerError):
    """A camera has as many viewers as it may."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Camera full"

    def __init__(self, name: str, limit: int, *, retry_after_s: float) -> None:
        super().__init__(name, limit)
        self.name = name
        self.limit = limit
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"All {self.limit} viewer places of camera {_shown(self.name)} are taken; try again in "
            f"{self.retry_after_s:g} s, or raise its max_viewers."
        )


class TooManyOfUser(ViewerError):
    """A user has as many viewers as one may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many viewers of this user"

    def __init__(self, limit: int, *, retry_after_s: float) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"You watch {self.limit} pictures already, as many as one user may; close one, or raise the limit."


class TooManyViewers(ViewerError):
    """The machine serves as many viewers as it may."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many viewers"

    def __init__(self, max_viewers: int, *, retry_after_s: float) -> None:
        super().__init__(max_viewers)
        self.max_viewers = max_viewers
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"All {self.max_viewers} viewer places are taken (server.max_viewers); "
            f"try again in {self.retry_after_s:g} s, or raise the limit."
        )


class MachineAtLimit(ViewerError):
    """One more viewer would be at the cost of those who watch."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Machine at its limit"

    def __init__(self, key: str, what: str, value: float, most: float, *, retry_after_s: float) -> None:
        super().__init__(key, what, value, most)
        self.key = key
        self.what = what
        self.value = value
        self.most = most
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"This machine is at its limit: {self.what} {_figure(self.value)} where {_figure(self.most)} is allowed "
            f"(limits.{self.key}); try again in {self.retry_after_s:g} s."
        )


class TooManyJoins(ViewerError):
    """More viewers are on their way in than pictures leave time for."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many joins"

    def __init__(self, waiting: int, *, retry_after_s: float) -> None:
        super().__init__(waiting)
        self.waiting = waiting
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return (
            f"{self.waiting} steps of other viewers' joins wait for their turn; try again in {self.retry_after_s:g} s."
        )


class BadOffer(ViewerError):
    """The SDP offer cannot be read or lacks what WebRTC needs."""

    title = "Bad offer"

    def __init__(self, defect: str) -> None:
        super().__init__(defect)
        self.defect = defect

    def __str__(self) -> str:
        return f"The SDP offer cannot be used: {self.defect}."


class NoCommonCodec(ViewerError):
    """The camera's video is nothing that the viewer offered.

    sends: codec and profile; offered: names as in SDP; advice: clauses that say what would help, most promising first.
    """

    status = HTTPStatus.NOT_ACCEPTABLE
    title = "No common codec"

    def __init__(self, sends: str, offered: Sequence[str], advice: Sequence[str] = ()) -> None:
        super().__init__(sends, tuple(offered), tuple(advice))
        self.sends = sends
        self.offered = tuple(offered)
        self.advice = tuple(advice)

    def __str__(self) -> str:
        offered = ", ".join(self.offered) or "no video codec"
        advice = ", or ".join(self.advice) or f"use a browser that decodes {self.sends}"
        return f"The camera sends {self.sends}, the browser takes {offered}; {advice}."


class UnknownSession(ViewerError):
    """No viewer session of this id exists (any more)."""

    status = HTTPStatus.NOT_FOUND
    title = "Unknown session"

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.session_id = session_id

    def __str__(self) -> str:
        return f"There is no viewer session {_shown(self.session_id)}; it may have ended: send a new offer."


class UnknownViewer(ViewerError):
    """Nobody watches a camera under this id (any more)."""

    status = HTTPStatus.NOT_FOUND
    title = "Unknown viewer"

    def __init__(self, camera: str, viewer_id: str) -> None:
        super().__init__(camera, viewer_id)
        self.camera = camera
        self.viewer_id = viewer_id

    def __str__(self) -> str:
        return f"{_shown(self.camera)} has no viewer {_shown(self.viewer_id)}; it may have left."


class PreconditionFailed(ViewerError):
    """The request's If-Match names an ICE session other than the present one."""

    status = HTTPStatus.PRECONDITION_FAILED
    title = "ICE session changed"

    def __init__(self, given: str | None, current: str) -> None:
        super().__init__(given, current)
        self.given = given
        self.current = current

    def __str__(self) -> str:
        return f"If-Match must name the present ICE session, {self.current}; repeat the request with that ETag."


class UnprocessableFragment(ViewerError):
    """A trickle-ICE SDP fragment that can be read but not applied."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unusable ICE fragment"

    def __init__(self, defect: str) -> None:
        super().__init__(defect)
        self.defect = defect

    def __str__(self) -> str:
        return f"The ICE fragment cannot be used: {self.defect}."


def _figure(value: float) -> str:
    """Write a figure for a person: three digits, or all of a large one."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _shown(name: str) -> str:
    return repr(name if len(name) <= SHOWN_NAME_CHARS else name[:SHOWN_NAME_CHARS] + "…")
