"""`Intake`: what all cameras of a process share: how and in which pace they are dialled, how their sockets are read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from camgate.ingest.arrivals import Arrivals
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.pace import Pace


@dataclass(frozen=True, slots=True)
class Intake:
    """dial: how TCP connections are opened; tests bring their own."""

    dial: Dial
    pace: Pace = field(default_factory=Pace)
    arrivals: Arrivals = field(default_factory=Arrivals)


@asynccontextmanager
async def open_intake(dial: Dial = dial_tcp) -> AsyncIterator[Intake]:
    """Run an intake for the time of the block, which ends before it does: all its cameras are to be gone by then."""
    intake = Intake(dial)
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
