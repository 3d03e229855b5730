"""`Intake`: what all cameras of a process share: how and in which pace they are dialled, how their sockets are read."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from camgate.ingest.arrivals import Arrivals
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.pace import Pace
from camgate.ingest.udp import UdpMedia

OpenUdp = Callable[[socket.socket], UdpMedia]


@dataclass(frozen=True, slots=True)
class Intake:
    """dial, open_udp: how TCP connections are opened, and UDP ports beside them; tests bring their own."""

    dial: Dial
    pace: Pace = field(default_factory=Pace)
    arrivals: Arrivals = field(default_factory=Arrivals)
    open_udp: OpenUdp = UdpMedia.beside


@asynccontextmanager
async def open_intake(dial: Dial = dial_tcp, open_udp: OpenUdp = UdpMedia.beside) -> AsyncIterator[Intake]:
    """Run an intake for the time of the block, which ends before it does: all its cameras are to be gone by then."""
    intake = Intake(dial, open_udp=open_udp)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(intake.arrivals.run)
        try:
            yield intake
        except Exception as error:
            # Raised below, so that it leaves as it is and not in a group.
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
