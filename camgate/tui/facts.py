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
