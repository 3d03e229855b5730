"""What camgate tells of a camera and of itself, as plain values. What is missing or of another type counts as untold.

A camgate of another version may tell less or more; whatever it tells goes to a terminal, so control characters are gone
from all text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LIVE, IDLE = "live", "idle"
RESTING = frozenset({"idle", "connecting"})
"""What a camera on demand may be without being down."""
MUCH_LOSS = 0.05
"""Share of a viewer's packets, from where on repeats come late."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. `facts`: all that was told of it, for the details. `heard_s`: when, on our monotonic clock."""

    name: str
    title: str
    state: str
    is_on_demand: bool
    is_healthy: bool | None
    reason: str
    codec: str
    width: int | None
    height: int | None
    fps: float | None
    bitrate_bps: float | None
    frame_age_s: float | None
    viewers: int
    reconnects: int
    heard_s: float
    facts: Mapping[str, Any]

    @property
    def is_down(self) -> bool:
        """Whether it should send pictures and does not. One on demand that nobody watches should not."""
        return self.state != LIVE and not (self.is_on_demand and self.state in RESTING)

    @property
    def is_troubled(self) -> bool:
        """Whether somebody may want to look at it: it is down, or live and unwell."""
        return self.is_down or self.is_healthy is False

    @property
    def size(self) -> str:
        """Say the resolution; empty where it is unknown."""
        return f"{self.width}x{self.height}" if self.width and self.height else ""


def read_camera(told: object, now_s: float) -> Camera | None:
    """Read what is told of a camera; None where it does not even have a name."""
    if not isinstance(told, Mapping) or not (name := text(told.get("name"))):
        return None
    state, healthy = text(told.get("state")), told.get("healthy")
    why_unwell = text(told.get("health_reason")) if healthy is False else ""
    return Camera(
        name=name,
        title=text(told.get("title")) or name,
        state=state or "unknown",
        is_on_demand=told.get("demand") is not None,
        is_healthy=healthy if isinstance(healthy, bool) else None,
        reason=why_unwell if state == LIVE else text(told.get("last_error")) or why_unwell,
        codec=text(told.get("codec")),
        width=_whole(told.get("width")),
        height=_whole(told.get("height")),
        fps=number(told.get("fps")),
        bitrate_bps=number(told.get("bitrate_bps")),
        frame_age_s=number(told.get("frame_age_s")),
        viewers=(_whole(told.get("viewers")) or 0) + (_whole(told.get("rtsp_clients")) or 0),
        reconnects=_whole(told.get("reconnects")) or 0,
        heard_s=now_s,
        facts=told,
    )


@dataclass(frozen=True, slots=True)
class Process:
    """camgate itself. share: of one processor core."""

    viewers: int
    by_transport: Mapping[str, int]
    share: float | None
    lag_s: float | None
    delay_s: float | None
    memory_bytes: float | None
    at_limit: tuple[str, ...]
    joins_refused: int
    sheds: int
    rtsp_clients: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """One who watches. key: unlike all others; way: such as `webrtc udp`; bitrate_bps: since the look before.

    facts: all that was told of it. heard_s: when, on our monotonic clock.
    """

    key: str
    id: str
    camera: str
    address: str
    user: str
    way: str
    codec: str
    is_connected: bool
    bytes_sent: int
    bitrate_bps: float | None
    loss: float | None
    round_trip_s: float | None
    since_s: float | None
    heard_s: float
    facts: Mapping[str, Any]

    @property
    def is_troubled(self) -> bool:
        """Whether pictures are likely to be seen to suffer."""
        return not self.is_connected or (self.loss or 0) >= MUCH_LOSS


def read_viewer(told: object, now_s: float, before: Mapping[str, Viewer]) -> Viewer | None:
    """Read what is told of a viewer; None where that is not one. before: how all were at the look before, by key."""
    if not isinstance(told, Mapping) or not (viewer_id := text(told.get("id"))):
        return None
    camera, bytes_sent = text(told.get("camera")), _whole(told.get("bytes_sent")) or 0
    key = f"{camera}/{viewer_id}"
    earlier = before.get(key)
    rate = None
    if earlier is not None and now_s > earlier.heard_s:
        rate = 8 * max(bytes_sent - earlier.bytes_sent, 0) / (now_s - earlier.heard_s)
    return Viewer(
        key=key,
        id=viewer_id,
        camera=camera,
        address=text(told.get("address")),
        user=text(told.get("user")),
        way=" ".join(filter(None, (text(told.get("protocol")), text(told.get("transport"))))),
        codec=text(told.get("codec")),
        is_connected=told.get("is_connected") is True,
        bytes_sent=bytes_sent,
        bitrate_bps=rate,
        loss=number(told.get("loss")),
        round_trip_s=number(told.get("round_trip_s")),
        since_s=number(told.get("since_s")),
        heard_s=now_s,
        facts=told,
    )


@dataclass(frozen=True, slots=True)
class LoggedLine:
    """A line of the log. time_s: Unix time."""

    time_s: float
    level: str
    text: str


def read_log(told: object, camera: str) -> list[LoggedLine]:
    """Read the latest lines about a camera, whose name need not be repeated in each."""
    lines = told.get("lines") if isinstance(told, Mapping) else None
    return [
        LoggedLine(
            number(each.get("time")) or 0.0,
            text(each.get("level")),
            text(each.get("text")).replace(f" camera={camera}", ""),
        )
        for each in (lines if isinstance(lines, list) else ())
        if isinstance(each, Mapping)
    ]


def read_process(told: object) -> Process | None:
    """Read what `/api/v1/server` tells; None where it is something else."""
    if not isinstance(told, Mapping) or not isinstance(told.get("load"), Mapping):
        return None
    load, rtsp, limits = told["load"], told.get("rtsp"), told.get("at_limit")
    return Process(
        viewers=_whole(told.get("viewers")) or 0,
        by_transport=_counts(told.get("viewers_by_transport")),
        share=number(load.get("share")),
        lag_s=number(load.get("lag_s")),
        delay_s=number(load.get("delay_s")),
        memory_bytes=number(load.get("memory_bytes")),
        at_limit=tuple(map(text, limits)) if isinstance(limits, list) else (),
        joins_refused=sum(_counts(told.get("joins_refused")).values()),
        sheds=_whole(told.get("sheds")) or 0,
        rtsp_clients=(_whole(rtsp.get("clients")) or 0) if isinstance(rtsp, Mapping) else 0,
    )


def text(value: object) -> str:
    """Return a text without anything that a terminal might obey; empty where it is none."""
    if not isinstance(value, str):
        return ""
    return "".join(character if character.isprintable() else "?" for character in value)


def number(value: object) -> float | None:
    """Return a number; None where it is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping):
        return {}
    return {text(name): count for name, each in value.items() if (count := _whole(each)) is not None}
