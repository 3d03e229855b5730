"""Waiting for a camera that is away: bare TCP connects, no RTSP and no login, until one of them is let in.

`wait_open` owns its tasks; all have ended when it returns. Knocks await no turn, so no camera's return is noticed later
because others are away, too; who is let in awaits one, as all cameras of a switch that restarts return at once.
"""

import ipaddress
import socket
from collections.abc import Callable
from random import Random

import trio

from camgate.ingest.backoff import KNOCK_FAST_S, knock_period_s
from camgate.ingest.connect import close_all
from camgate.ingest.errors import CameraAway
from camgate.ingest.intake import Intake

KNOCK_TIMEOUT_S = 1.0
"""A knock is one SYN: the kernel repeats it after a second (RFC 6298, 2.1), and by then newer knocks are under way."""


async def wait_open(
    intake: Intake, host: str, port: int, on_away: Callable[[CameraAway], None], random: Random
) -> socket.socket:
    """Knock until the camera accepts a connection, and return that connection, ready to be used, when it is its turn.

    on_away: told of every knock that failed. random: cameras that went away together do not knock in step.
    A host that swallows SYNs does not slow the knocking: knocks overlap. Only names are knocked at one at a time,
    because each would hold a resolver thread.
    """
    opened: list[socket.socket] = []
    started = trio.current_time()

    async def knock() -> None:
        try:
            opened.append(await intake.dial(host, port, KNOCK_TIMEOUT_S))
        except CameraAway as error:
            on_away(error)
        else:
            nursery.cancel_scope.cancel()

    async def keep_knocking() -> None:
        overlap = _is_address(host)
        await trio.sleep(random.uniform(0, KNOCK_FAST_S))
        while True:
            if overlap:
                nursery.start_soon(knock)
            else:
                await knock()
            await trio.sleep(knock_period_s(trio.current_time() - started))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_knocking)
        await intake.pace.turn()
    except BaseException:
        close_all(opened)
        raise
    close_all(opened[1:])
    return opened[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
