"""`Notifier`: says over systemd's datagram socket how the service does (sd_notify(3)); nothing where there is none.

The protocol is a line a variable in one datagram. Nothing that the service manager does or leaves undone may hold up or
end camgate, so a socket that takes nothing now gets it later, and one that is broken is said once in the log.
"""

import errno
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from camgate.base.log import get_logger

log = get_logger("service")

SOCKET_VARIABLE = "NOTIFY_SOCKET"
MAX_WAITING = 16
"""Messages that wait until the service manager reads again; only changes of state wait, and they are rare."""
FULL = (errno.EAGAIN, errno.ENOBUFS)


class Notifier:
    """Tells one service manager. `address`: as in NOTIFY_SOCKET; empty for nobody."""

    def __init__(self, address: str = "") -> None:
        self._address = _socket_address(address)
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._is_ready = self._is_stopping = self._has_warned = False
        self._status = ""

    @property
    def is_heard(self) -> bool:
        """Say whether there is anybody to tell."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The start is over. status: one line on what goes on."""
        self._is_ready, self._status = True, status
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say in one line what goes on; nothing is sent when it is what was said last."""
        self.flush()
        if status != self._status and not self._waiting:
            self._status = status
            self._send(f"STATUS={status}")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The config is read anew for the time of the block."""
        if self._is_ready:
            # sd_notify(3): CLOCK_MONOTONIC in microseconds, by which systemd tells this reload from an earlier one.
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            if self._is_ready:
                self._send("READY=1")

    def alive(self) -> None:
        """Feed the watchdog. What cannot be said now is not said later: it would be no longer true."""
        self.flush()
        if not self._waiting:
            self._send("WATCHDOG=1")
            self._waiting.clear()

    def stopping(self) -> None:
        """The stop has begun; nothing else is said after this."""
        self._send("STOPPING=1", "STATUS=stopping")
        self._is_stopping = True

    def flush(self) -> None:
        """Send what could not be sent before."""
        while self._waiting and self._sent(self._waiting[0]):
            self._waiting.popleft()

    def close(self) -> None:
        """Send what still waits, if there is room by now, and close the socket."""
        self.flush()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *variables: str) -> None:
        if self._address and not self._is_stopping:
            self._waiting.append("\n".join(variables).encode())
            self.flush()

    def _sent(self, message: bytes) -> bool:
        """Say whether a message has been dealt with, be it that it never can be."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.sendto(message, self._address)
        except OSError as error:
            if error.errno in FULL:
                return False
            self._warn(error.strerror or "it cannot be reached")
        return True

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("cannot tell the service manager how camgate does", reason=reason)


@asynccontextmanager
async def open_notifier(environ: Mapping[str, str]) -> AsyncIterator[Notifier]:
    """Give the one for whoever has started this process."""
    notifier = Notifier(environ.get(SOCKET_VARIABLE, ""))
    try:
        yield notifier
    finally:
        notifier.close()


def _socket_address(given: str) -> str:
    """Return the address as the kernel takes it: a path, or a zero byte and a name that is no file (unix(7))."""
    if given.startswith("@"):
        return f"\0{given[1:]}"
    if given and not given.startswith("/"):
        log.warning(f"{SOCKET_VARIABLE} is neither a path nor an abstract name, so nobody is told how camgate does")
        return ""
    return given
