"""A revision counter that many tasks can wait on."""

import trio


class Changes:
    """Counts changes of something and wakes everybody who waits for the next one.

    A waiter names the revision that it has seen, so a change between its look and its wait is not lost.
    """

    def __init__(self) -> None:
        self._revision = 0
        self._waiters = trio.lowlevel.ParkingLot()

    @property
    def revision(self) -> int:
        return self._revision

    def announce(self) -> None:
        """Count a change and wake all waiters."""
        self._revision += 1
        self._waiters.unpark_all()

    async def wait_changed(self, seen: int) -> int:
        """Return the present revision as soon as it is not `seen`; at once when it already is another."""
        await trio.lowlevel.checkpoint()
        while self._revision == seen:
            await self._waiters.park()
        return self._revision
