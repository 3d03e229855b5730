"""When to try again: capped exponential backoff with seeded jitter. Knows no clock and no peer."""

from random import Random

JITTER = 0.2
"""Each delay is spread by ±20 %, so that peers that went away together are not all asked in step."""


class Backoff:
    """Delays in seconds that double from `first_s` to `cap_s`, each spread by JITTER.

    random: where the jitter comes from; seed it by the peer's name to have runs that repeat.
    """

    def __init__(self, random: Random, first_s: float, cap_s: float) -> None:
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
        """Begin again at `first_s`: the peer has been well for long enough."""
        self._next_s = self._first_s
