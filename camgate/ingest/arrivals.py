"""`Arrivals`: one task that waits for the sockets of all cameras, and has each session read its own.

To wake a task for each picture of each camera would cost more than to read the picture (docs/design/ingest.md). So
sessions sleep, and are called when there is something to read: a plain function, no task switch, no system call more
than the read itself.
"""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Never

import trio

from camgate.ingest.link import Link

CROWD = 64
"""From so many cameras on, what arrives is gathered. Below it is read as it comes: with 20, gathering saved nothing."""

GATHER_S = 0.003
"""So long it may lie, that many cameras' pictures cost one wake-up and a picture in many pieces one read."""

YIELD_AFTER_S = 0.001
"""Other tasks wait no longer than about this for many cameras that all have something to read."""

ReadNow = Callable[[float], None]
"""Called with the time when there is something to read. Must not raise, nor wait."""


class Arrivals:
    """Watches sockets for their owners. `run` is its only task."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, ReadNow] = {}

    async def run(self) -> Never:
        """Call the readers of sockets that have something to read, until cancelled."""
        with self._epoll:
            found = 0
            while True:
                # A crowd that sends all the time is read by the clock: to wait for it, too, would wake us twice.
                if not (found and self._is_crowd):
                    await trio.lowlevel.wait_readable(self._epoll)
                if self._is_crowd:
                    await trio.sleep(GATHER_S)
                found = await self._call_readers()

    @contextmanager
    def watch(self, connection: socket.socket | Link, read_now: ReadNow) -> Iterator[None]:
        """Have `read_now` called, for the time of the block, whenever `connection` has something to read.

        A reader that leaves something unread is called again.
        """
        number = connection.fileno()
        self._readers[number] = read_now
        self._epoll.register(number, select.EPOLLIN)
        try:
            yield
        finally:
            del self._readers[number]
            if not self._epoll.closed:
                self._epoll.unregister(number)

    @property
    def _is_crowd(self) -> bool:
        return len(self._readers) >= CROWD

    async def _call_readers(self) -> int:
        """Call the readers that have something to read, and return how many there were."""
        now = trio.current_time()
        until = perf_counter() + YIELD_AFTER_S
        ready = self._epoll.poll(0, max(1, len(self._readers)))
        for number, _ in ready:
            read_now = self._readers.get(number)
            if read_now is not None:
                read_now(now)
            if perf_counter() > until:
                await trio.lowlevel.checkpoint()
                now = trio.current_time()
                until = perf_counter() + YIELD_AFTER_S
        return len(ready)
