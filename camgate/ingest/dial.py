"""Opening a TCP connection to a camera: over IPv6 or IPv4, whichever answers first (RFC 8305).

Gives a plain non-blocking socket, because the session reads it without a task switch per read. Knows no RTSP.
"""

import errno
import socket
from collections.abc import Awaitable, Callable

import trio

from camgate.base.place import place
from camgate.ingest.connect import connect
from camgate.ingest.errors import CameraAway

Dial = Callable[[str, int, float], Awaitable[socket.socket]]
"""`await dial(host, port, timeout_s)`: a connected non-blocking socket, or CameraAway. Tests bring their own."""

USER_TIMEOUT_MS = 10_000
"""Sent bytes unacknowledged for so long end the connection. gortsplib gives a silent camera 10 s as well."""

KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 10, 5, 3
"""The kernel's own probes find a camera that lost its power even where the stall timeout is set long."""

_REASONS = {
    errno.ECONNREFUSED: "refuses the connection: the camera is starting, or the port is wrong",
    errno.EHOSTUNREACH: "cannot be reached: is the camera switched on and its address right?",
    errno.ENETUNREACH: "cannot be reached: this machine has no route to that network",
    errno.ETIMEDOUT: "does not answer",
    errno.ECONNRESET: "broke the connection off while it was being opened",
    errno.ENOTCONN: "broke the connection off while it was being opened",
    errno.EACCES: "cannot be dialled: this machine's firewall forbids it",
    errno.EPERM: "cannot be dialled: this machine's firewall forbids it",
}


async def dial_tcp(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to a camera within `timeout_s` seconds, trying all its addresses; raise CameraAway where none answers."""
    with trio.move_on_after(timeout_s):
        try:
            return _set_up(await connect(host, port))
        except socket.gaierror as error:
            raise CameraAway(place(host, port), "is unknown: no address found for this name") from error
        except (OSError, ExceptionGroup) as error:
            raise CameraAway(place(host, port), _reason(error)) from error
    raise CameraAway(place(host, port), f"does not answer within {timeout_s:g} s")


def _set_up(connection: socket.socket) -> socket.socket:
    """Set up and return a connection. Raises OSError, and closes it, where the camera has hung up already."""
    try:
        _set_options(connection)
    except OSError:
        connection.close()
        raise
    return connection


def _set_options(connection: socket.socket) -> None:
    # A dialler and a closed port of this machine can pick the same number and meet themselves (RFC 9293, 3.5).
    if connection.getsockname() == connection.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")
    # SO_RCVBUF stays unset: to set it would end the kernel's own tuning, which grows it for bursts of key frames.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def _reason(error: OSError | ExceptionGroup[OSError]) -> str:
    """Say in words why none of a camera's addresses answered; a refusal says more than silence elsewhere."""
    errors = [error] if isinstance(error, OSError) else [each for each in error.exceptions if isinstance(each, OSError)]
    numbers = [each.errno for each in errors]
    for number, words in _REASONS.items():
        if number in numbers:
            return words
    return f"cannot be dialled: {errors[0]}"
