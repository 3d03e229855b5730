"""`Wants`: how many want a camera's pictures now: a camera on demand is dialled for the first, hung up after the last.

Every subscription of a stream counts by itself. Who needs pictures before it subscribes (an offer that waits for the
format, a viewer in its handshake) holds a lease. Nobody who holds one needs to know whether the camera is on demand.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from camgate.relay.changes import Changes


class Wants:
    """Leases on one camera, of readers of all kinds."""

    def __init__(self) -> None:
        self.count = 0
        """Leases held now."""
        self._times_first = 0
        self._changes = Changes()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Want the camera's pictures inside of a `with` block."""
        self.count += 1
        if self.count == 1:
            self._times_first += 1
            self._changes.announce()
        try:
            yield
        finally:
            self.count -= 1
            if self.count == 0:
                self._changes.announce()

    async def wait_wanted(self) -> None:
        """Return as soon as somebody holds a lease, or held one since this call, be it for a moment."""
        before = self._times_first
        while not self.count and self._times_first == before:
            await self._changes.wait_changed(self._changes.revision)

    async def stays_unwanted(self, seconds: float) -> bool:
        """Wait for somebody to hold a lease, so long at the most; return whether nobody did, not for a moment."""
        before = self._times_first
        with trio.move_on_after(seconds):
            await self.wait_wanted()
        return not self.count and self._times_first == before

    async def wait_unwanted(self) -> None:
        """Return as soon as nobody holds a lease."""
        while self.count:
            await self._changes.wait_changed(self._changes.revision)
