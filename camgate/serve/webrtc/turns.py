"""Whose turn it is: live frames go first, and the heavy steps of joins one by one in between.

Answering an offer, a step of a handshake, a piece of a burst take up to a millisecond each. Trio runs all tasks that
are ready before it looks for new events, so a hundred viewers who come at once would hold up all who watch by as many
steps between two slices of a frame.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

PATIENCE_S = 0.05
"""So long a step waits for the frames that are being sent: live pictures may take all of a machine, and who joins
still gets twenty steps a second between them. A join has about ten."""


class Turns:
    """Lets one task go in each pass of Trio's scheduler, the one that has waited longest, and none amid a frame."""

    def __init__(self) -> None:
        self._lock = trio.Lock()
        self._since_s: dict[object, float] = {}
        self._frames = 0
        self._between_frames = trio.Event()

    async def take(self) -> None:
        """Wait for a turn; it ends at the task's next checkpoint."""
        me = object()
        self._since_s[me] = trio.current_time()
        try:
            # Taking a lock is a checkpoint, and giving it back wakes the next one in the pass after this.
            async with self._lock:
                if self._frames:
                    with trio.move_on_after(PATIENCE_S):
                        while self._frames:
                            await self._between_frames.wait()
        finally:
            del self._since_s[me]

    @contextmanager
    def live(self) -> Iterator[None]:
        """Have steps wait while a frame is sent."""
        self._frames += 1
        try:
            yield
        finally:
            self._frames -= 1
            if not self._frames:
                self._between_frames.set()
                self._between_frames = trio.Event()

    @property
    def waiting(self) -> int:
        """How many tasks wait for their turn."""
        return len(self._since_s)

    def wait_s(self, now: float) -> float:
        """How long the first of them has waited; 0 when none does."""
        return max(0.0, now - next(iter(self._since_s.values()))) if self._since_s else 0.0
