"""When to try again: capped exponential backoff with seeded jitter, and the pace of knocking at a closed door.

Knows no clock and no camera; the supervisor decides which of the two is due.
"""

from random import Random

JITTER = 0.2
"""Each delay is spread by ±20 %, so that cameras behind one recorder that restarts do not come back in step."""

REFUSED_FIRST_S, REFUSED_CAP_S = 1.0, 30.0
"""For cameras that answer and refuse. Cameras with one or two session slots need the old session to time out."""

UNSTEADY_FIRST_S, UNSTEADY_CAP_S = 1.0, 4.0
"""For cameras that gave pictures and broke off soon, again and again: they refuse nobody, and viewers wait."""

DENIED_FIRST_S, DENIED_CAP_S = 75.0, 300.0
"""After 401: never under a minute with its jitter. Five wrong logins lock a Hikvision for half an hour."""

KNOCK_FAST_S, KNOCK_SLOW_S = 0.25, 1.0
KNOCK_FAST_FOR_S = 60.0
"""A bare TCP connect logs in nowhere and locks nothing, so it may be frequent. A minute: cameras boot in less."""


class Backoff:
    """Delays in seconds that double from `first_s` to `cap_s`, each spread by JITTER.

    random: where the jitter comes from; seed it per camera to have runs that repeat.
    """

    def __init__(self, random: Random, first_s: float = REFUSED_FIRST_S, cap_s: float = REFUSED_CAP_S) -> None:
        self._random = random
        self._first_s = first_s
        self._cap_s = cap_s
        self._next_s = first_s

    @property
    def is_fresh(self) -> bool:
        """Nothing failed since the start or the last `reset`."""
        return self._next_s == self._first_s

    def next_delay_s(self) -> float:
        """Count one more failure, and return how long to wait after it."""
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, self._cap_s)
        return delay_s * self._random.uniform(1 - JITTER, 1 + JITTER)

    def reset(self) -> None:
        """Begin again at `first_s`: the camera has been well for long enough."""
        self._next_s = self._first_s


def knock_period_s(away_s: float) -> float:
    """Return the time between two knocks at a camera that has been away for `away_s` seconds."""
    return KNOCK_FAST_S if away_s < KNOCK_FAST_FOR_S else KNOCK_SLOW_S
