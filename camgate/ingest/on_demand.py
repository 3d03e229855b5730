"""`run_on_demand`: connects a camera for the first who wants it, and hangs up some time after the last.

Owns the camera's demand state (`relay.demand`). How a camera is reached, and when it is tried again after a failure, is
the supervisor's; that schedule outlives hang-ups, so that no viewer, however impatient, has a camera dialled more often
than its refusals allow.
"""

from collections.abc import Awaitable, Callable
from typing import Never, Protocol

import trio

from camgate.base.log import get_logger
from camgate.relay.demand import TRANSITIONS, DemandEvent, DemandState
from camgate.relay.source import CameraState, Source

log = get_logger("ingest.on_demand")

IDLE = DemandState.IDLE


class Dialler(Protocol):
    """Who connects to the camera."""

    async def try_once(self) -> None:
        """Connect and play until that ends, once the delay after the last failure is over."""


async def run_on_demand(dialler: Dialler, source: Source, linger_s: float) -> Never:
    """Have `dialler` try as long as somebody wants `source`, and `linger_s` seconds longer; then wait for the next."""
    while True:
        source.set_idle()
        await source.wants.wait_wanted()
        log.info("camera is wanted", camera=source.name)
        source.set_demand(TRANSITIONS[IDLE][DemandEvent.WANTED])
        await _Demand(source, linger_s).connect(dialler.try_once)
        log.info("camera is not wanted any more", camera=source.name)


class _Demand:
    """One connected time of a camera, from the first who wants it until it is idle again."""

    def __init__(self, source: Source, linger_s: float) -> None:
        self._source = source
        self._linger_s = linger_s
        self._connected = trio.CancelScope()

    async def connect(self, try_once: Callable[[], Awaitable[None]]) -> None:
        with self._connected:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_trying, try_once)
                nursery.start_soon(self._follow_wants)
                nursery.start_soon(self._follow_state)

    async def _keep_trying(self, try_once: Callable[[], Awaitable[None]]) -> None:
        while True:
            await try_once()
            self._handle(DemandEvent.LOST)

    async def _follow_wants(self) -> None:
        wants = self._source.wants
        while True:
            await wants.wait_unwanted()
            self._handle(DemandEvent.UNWANTED)
            is_over = await wants.stays_unwanted(self._linger_s)
            self._handle(DemandEvent.LINGER_OVER if is_over else DemandEvent.WANTED)
            self._see_whether_live()

    async def _follow_state(self) -> None:
        changes = self._source.changes
        while True:
            revision = changes.revision
            self._see_whether_live()
            await changes.wait_changed(revision)

    def _see_whether_live(self) -> None:
        if self._source.state is CameraState.LIVE:
            self._handle(DemandEvent.LIVE)

    def _handle(self, event: DemandEvent) -> None:
        if self._connected.cancel_called:
            return
        assert self._source.demand is not None
        state = TRANSITIONS[self._source.demand][event]
        if state is IDLE:
            # Before the goodbye, which may take a second: who comes meanwhile must not take the camera for live.
            self._source.set_idle()
            self._connected.cancel()
        else:
            self._source.set_demand(state)
