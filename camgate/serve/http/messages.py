"""What WebSocket clients may say: JSON text to typed messages, and nothing but `BadMessage` when it is none."""

import json
import re
from dataclasses import dataclass
from typing import Any

from camgate.base.names import composed
from camgate.relay.errors import ViewerError
from camgate.serve.http.whep import MAX_WAIT_S

MAX_ID_CHARS = 64
"""Ids are the client's own, sent back with each answer."""

_CANDIDATE = re.compile(r"candidate:[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Offer:
    """Start a viewer of a camera; `id` names it on this socket."""

    id: str
    camera: str
    sdp: str
    wait_s: float | None
    """None where the client names none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate of a viewer as an SDP fragment; the empty candidate says that there are no more."""

    id: str
    fragment: str


@dataclass(frozen=True, slots=True)
class Close:
    """End a viewer."""

    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask for a pong."""


Message = Offer | Candidate | Close | Ping


class BadMessage(ViewerError):
    """A WebSocket message that is none of the known ones. `id` is the viewer that it names, if it does."""

    title = "Bad message"

    def __init__(self, defect: str, viewer_id: str | None = None) -> None:
        super().__init__(defect, viewer_id)
        self.defect = defect
        self.viewer_id = viewer_id

    def __str__(self) -> str:
        return f"The message cannot be used: {self.defect}."


def parse_message_untrusted(text: str | bytes | None) -> Message:
    """Read one WebSocket message. Raises BadMessage."""
    if not isinstance(text, str):
        raise BadMessage("it is binary; send JSON as text")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets
        raise BadMessage("it is not JSON") from None
    if not isinstance(fields, dict):
        raise BadMessage("it is not a JSON object")
    match fields.get("type"):
        case "ping":
            return Ping()
        case "offer":
            return _offer(fields)
        case "candidate":
            return _candidate(fields)
        case "close":
            return Close(_id(fields))
    raise BadMessage("its type is none of offer, candidate, close and ping", _id_or_none(fields))


def _offer(fields: dict[str, Any]) -> Offer:
    viewer_id = _id(fields)
    camera, sdp = (_text(fields, name, viewer_id) for name in ("camera", "sdp"))
    camera = composed(camera)
    if "wait" not in fields:
        return Offer(viewer_id, camera, sdp, None)
    wait_s = fields["wait"]
    # NaN fails every comparison; True is a number to Python.
    if isinstance(wait_s, bool) or not isinstance(wait_s, int | float) or not 0 <= wait_s <= MAX_WAIT_S:
        raise BadMessage(f"wait must be a number of seconds from 0 to {MAX_WAIT_S:g}", viewer_id)
    return Offer(viewer_id, camera, sdp, float(wait_s))


def _candidate(fields: dict[str, Any]) -> Candidate:
    viewer_id = _id(fields)
    candidate = _text(fields, "candidate", viewer_id)
    if not candidate:
        return Candidate(viewer_id, "a=end-of-candidates\r\n")
    # RFC 8839 section 5.1: what RTCIceCandidate.candidate holds is the attribute without its `a=`.
    if not _CANDIDATE.fullmatch(candidate):
        raise BadMessage("candidate must be as in RTCIceCandidate, `candidate:…`", viewer_id)
    return Candidate(viewer_id, f"a={candidate}\r\n")


def _id(fields: dict[str, Any]) -> str:
    viewer_id = _id_or_none(fields)
    if viewer_id is None:
        raise BadMessage(f"id must be a text of 1 to {MAX_ID_CHARS} characters")
    return viewer_id


def _id_or_none(fields: dict[str, Any]) -> str | None:
    value = fields.get("id")
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and _is_text(value):
        return value
    return None


def _text(fields: dict[str, Any], name: str, viewer_id: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _is_text(value):
        raise BadMessage(f"{name} must be a text", viewer_id)
    return value


def _is_text(value: str) -> bool:
    """JSON can spell halves of surrogate pairs, which no encoding can write."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
