"""Whose turn it is: the heavy steps of joins go one by one, so that live frames never wait for many of them.

A step of a handshake or a piece of a burst takes up to half a millisecond. Trio runs all tasks that are ready before
it looks for new events; when many viewers join at once that would be many steps in a row.
"""

import trio


class Turns:
    """Lets one task go in each pass of Trio's scheduler, the one that has waited longest."""

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def take(self) -> None:
        """Wait for a turn; it ends at the task's next checkpoint."""
        # Taking a lock is a checkpoint, and giving it back wakes the next one in the pass after this.
        async with self._lock:
            pass

    @property
    def waiting(self) -> int:
        """How many tasks wait for their turn."""
        return self._lock.statistics().tasks_waiting
