"""The states of a camera on demand: why it is connected, or why not.

Two things change by themselves: whether anybody wants pictures (`wants`), and whether the camera gives them. A camera
is connected in every state but IDLE. It stays so for a while after the last viewer, since a page that is loaded again,
or a viewer who asks again because the first dial took too long, must not cost a new connection: cameras have few, and
some lock out who dials too often.

    IDLE ──wanted──▶ DIALLING ──live──▶ WATCHED
     ▲                 │  ▲ ▲             │  │
     │         unwanted│  │ └────lost─────┘  │unwanted
     │                 ▼  │wanted            │
     └─lost, over── LINGERING ◀──────────────┘

Who comes while it lingers leads to DIALLING, from where a camera that still gives pictures is live at once. A camera
that is lost while it lingers is not dialled again: nobody would see it.
"""

from enum import StrEnum


class DemandState(StrEnum):
    """What a camera on demand is connected for; the values are the API's words."""

    IDLE = "idle"
    """Hung up: nobody wants it."""
    DIALLING = "dialling"
    """Wanted, and gives no pictures yet, or none at the moment."""
    WATCHED = "watched"
    """Wanted, and gives pictures."""
    LINGERING = "lingering"
    """Nobody wants it any more, but somebody may soon."""


class DemandEvent(StrEnum):
    """What happens to it."""

    WANTED = "wanted"
    """By the first one."""
    UNWANTED = "unwanted"
    """The last one is gone."""
    LIVE = "live"
    """It gives pictures."""
    LOST = "lost"
    """It gives none any more, or could not be connected to."""
    LINGER_OVER = "linger over"
    """Nobody came for the linger time."""


_IDLE, _DIALLING, _WATCHED, _LINGERING = DemandState
_WANTED, _UNWANTED, _LIVE, _LOST, _LINGER_OVER = DemandEvent

TRANSITIONS: dict[DemandState, dict[DemandEvent, DemandState]] = {
    _IDLE: {_WANTED: _DIALLING, _UNWANTED: _IDLE, _LIVE: _IDLE, _LOST: _IDLE, _LINGER_OVER: _IDLE},
    _DIALLING: {_WANTED: _DIALLING, _UNWANTED: _LINGERING, _LIVE: _WATCHED, _LOST: _DIALLING, _LINGER_OVER: _DIALLING},
    _WATCHED: {_WANTED: _WATCHED, _UNWANTED: _LINGERING, _LIVE: _WATCHED, _LOST: _DIALLING, _LINGER_OVER: _WATCHED},
    _LINGERING: {_WANTED: _DIALLING, _UNWANTED: _LINGERING, _LIVE: _LINGERING, _LOST: _IDLE, _LINGER_OVER: _IDLE},
}
