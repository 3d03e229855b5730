"""How long cameras are left alone before the next try, in seconds: by backoff, or by knocking at a closed door.

Knows no clock and no camera; the supervisor decides which of the two is due.
"""

REFUSED_FIRST_S, REFUSED_CAP_S = 1.0, 30.0
"""For cameras that answer and refuse. Cameras with one or two session slots need the old session to time out."""

UNSTEADY_FIRST_S, UNSTEADY_CAP_S = 1.0, 4.0
"""For cameras that gave pictures and broke off soon, again and again: they refuse nobody, and viewers wait."""

DENIED_FIRST_S, DENIED_CAP_S = 75.0, 300.0
"""After 401: never under a minute with its jitter. Five wrong logins lock a Hikvision for half an hour."""

KNOCK_FAST_S, KNOCK_SLOW_S = 0.25, 1.0
KNOCK_FAST_FOR_S = 60.0
"""A bare TCP connect logs in nowhere and locks nothing, so it may be frequent. A minute: cameras boot in less."""


def knock_period_s(away_s: float) -> float:
    """Return the time between two knocks at a camera that has been away for `away_s` seconds."""
    return KNOCK_FAST_S if away_s < KNOCK_FAST_FOR_S else KNOCK_SLOW_S
