"""camgate's settings: one tree of frozen dataclasses, a docstring and a unit per field.

Only shapes and defaults; `load` turns a file and the environment into them, or into errors that name the key.
"""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Transport(Enum):
    """How media comes from the camera."""

    AUTO = "auto"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The HTTP listener: pages, WHEP, WebSocket and API."""

    listen: str = "127.0.0.1:8107"
    max_viewers: int = 1000
    allowed_hosts: tuple[str, ...] = ()
    """Names that browsers may call this server by, without ports. Empty: on loopback localhost only, else any name."""
    cors_origins: tuple[str, ...] = ()
    frame_ancestors: tuple[str, ...] = ("'self'",)
    shutdown_deadline_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRtcSettings:
    """The one UDP port that all viewers share, and the addresses that answers name."""

    port: int = 8108
    advertise: tuple[str, ...] = ("auto",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """Where log lines go."""

    level: str = "info"
    output: str = "console"
    """`console`, `file` or `both`."""
    directory: Path = Path("logs")
    max_size_mb: int = 500
    max_backups: int = 15
    max_age_days: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera. `url` never holds credentials: `load` moves them to `username` and `password`."""

    name: str
    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    title: str | None = None
    """What pages call the camera; the name where absent."""
    transport: Transport = Transport.AUTO
    connect_timeout_s: float = 5.0
    stall_timeout_s: float = 5.0
    """No frame for so long means that the session is dead: hang up and connect again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a run of camgate needs to know."""

    cameras: dict[str, CameraSettings]
    server: ServerSettings = ServerSettings()
    webrtc: WebRtcSettings = WebRtcSettings()
    logging: LoggingSettings = LoggingSettings()
