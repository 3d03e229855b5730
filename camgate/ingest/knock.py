"""Waiting for a camera that is away: bare TCP connects, no RTSP and no login, until one of them is let in.

`wait_open` owns its tasks; all have ended when it returns.
"""

import ipaddress
import socket
from collections.abc import Callable

import trio

from camgate.ingest.backoff import knock_period_s
from camgate.ingest.dial import Dial
from camgate.ingest.errors import CameraAway

KNOCK_TIMEOUT_S = 1.0
"""A knock is one SYN: the kernel repeats it after a second (RFC 6298, 2.1), and by then newer knocks are under way."""


async def wait_open(dial: Dial, host: str, port: int, on_away: Callable[[CameraAway], None]) -> socket.socket:
    """Knock until the camera accepts a connection, and return that connection, ready to be used.

    on_away: told of every knock that failed.
    A host that swallows SYNs does not slow the knocking: knocks overlap. Only names are knocked at one at a time,
    because each would hold a resolver thread.
    """
    opened: list[socket.socket] = []
    started = trio.current_time()

    async def knock() -> None:
        try:
            opened.append(await dial(host, port, KNOCK_TIMEOUT_S))
        except CameraAway as error:
            on_away(error)
        else:
            nursery.cancel_scope.cancel()

    async def keep_knocking() -> None:
        overlap = _is_address(host)
        while True:
            await trio.sleep(knock_period_s(trio.current_time() - started))
            if overlap:
                nursery.start_soon(knock)
            else:
                await knock()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_knocking)
    except BaseException:
        _close_all(opened)
        raise
    _close_all(opened[1:])
    return opened[0]


def _close_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
