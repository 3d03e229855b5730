"""What is kept in one small file that the daemon and the commands both write.

In the daemon a change goes to a thread, since it waits for other processes and for the disk, and no picture may wait
for those. The thread works on a copy: what the event loop looks at is other only once it is on the disk.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Generic, Self, TypeVar

import trio

from camgate.base.files import Stamp

Entry = TypeVar("Entry")
Result = TypeVar("Result")


class Kept(ABC, Generic[Entry]):
    """Entries by their ids. Its methods that write are for commands, and for `change`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: Stamp = None
        self._kept: dict[str, Entry] = {}
        self._turns = trio.Lock()
        self.version = 0
        """Another number whenever the entries may be others, whoever has changed them."""

    @abstractmethod
    def refresh(self) -> bool:
        """Read the file if another process has changed it; returns whether it has."""

    async def change(self, change: Callable[[Self], Result]) -> Result:
        """Make a change in a thread, one at a time and in the order of the calls; returns once it is on the disk.

        change: is handed a copy of this, and calls its methods. Is made to its end also when who asked has left.
        """
        with trio.CancelScope(shield=True):
            async with self._turns:
                changed = copy(self)
                try:
                    result = await trio.to_thread.run_sync(change, changed, limiter=trio.CapacityLimiter(1))
                finally:
                    self._stamp = changed._stamp
                    self._put(changed._kept)
                    # What another process has written since was maybe read already, and is not in the copy.
                    self.refresh()
        return result

    def _put(self, kept: dict[str, Entry]) -> None:
        self._kept = kept
        self.version += 1
