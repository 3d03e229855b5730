"""Whether this machine was suspended: the log says so, since all that stops and comes back then looks like trouble."""

import time
from collections.abc import Callable

from camgate.base.log import get_logger

LEAST_S = 1.0
"""Shorter is nothing that anybody notices; the two clocks are read one after the other."""

log = get_logger("load.suspension")


def asleep_s() -> float:
    """Return how long this machine has been suspended since its start: of these two clocks one goes on meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Suspensions:
    """Notices them when it is asked to look. clock: as `asleep_s`."""

    def __init__(self, clock: Callable[[], float] = asleep_s) -> None:
        self._clock = clock
        self._asleep_s = clock()

    def look(self) -> None:
        """Say so where the machine was suspended since the last look."""
        now_s = self._clock()
        if now_s - self._asleep_s >= LEAST_S:
            log.warning(
                "this machine was suspended; cameras and viewers have to connect anew",
                seconds=round(now_s - self._asleep_s),
            )
            self._asleep_s = now_s
