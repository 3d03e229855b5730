"""`Receiver`: one webhook. `run` owns two tasks: one looks at the cameras and fills a queue, the other empties it.

The queue has a length and its messages an age, so that a receiver that is away for days costs no memory and has no
flood to take once it is back: the oldest messages are dropped, and counted.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Never

import trio

from camgate.auth.fetch import Fetcher
from camgate.base.backoff import Backoff
from camgate.base.log import get_logger
from camgate.base.secrets import mask
from camgate.config.model import WebhookSettings
from camgate.relay.errors import UnknownCamera
from camgate.relay.registry import Registry
from camgate.webhooks.delivery import Outcome, deliver
from camgate.webhooks.messages import Message
from camgate.webhooks.tracker import Tracker

MAX_WAITING = 1_000
"""Messages; some 300 kB. Five hundred cameras that go and come back are told in full."""
GIVE_UP_S = 3_600.0
"""How long one message is tried for: older news of a camera is none. What is so by then is told in its place."""
RETRY_FIRST_S, RETRY_CAP_S = 2.0, 300.0
"""Between two attempts. `Retry-After` may ask for more, up to the cap."""
GATHER_S = 0.2
"""How long changes are gathered before cameras are looked at: hundreds of them change at once at a start."""

FULL, EXPIRED, GONE = "full", "expired", "gone"
"""Why messages are dropped."""

log = get_logger("webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatistics:
    """One receiver at one moment; counts are since the start. dropped: by reason."""

    sent: int
    attempts_failed: int
    dropped: dict[str, int]
    waiting: int


class Receiver:
    """Who is told, what it knows, and what is yet to be told."""

    def __init__(
        self,
        name: str,
        settings: WebhookSettings,
        registry: Registry,
        fetcher: Fetcher,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._settings = settings
        self._registry = registry
        self._fetcher = fetcher
        self._wall_clock = wall_clock
        self._tracker = Tracker(settings.events, settings.after_s)
        self._backoff = Backoff(Random(name), RETRY_FIRST_S, RETRY_CAP_S)
        self._queue: deque[tuple[float, Message]] = deque()
        """With when it was put there."""
        self._is_sending = False
        self._is_gone = False
        self._news = trio.Event()
        self._other_settings = trio.Event()
        self._waiting = trio.CancelScope()
        """For the next change of a camera."""
        self._sent = self._attempts_failed = 0
        self._dropped = {FULL: 0, EXPIRED: 0, GONE: 0}
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Work until cancelled or stopped."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                nursery.start_soon(self._send_all)

    def stop(self) -> None:
        """End it, and with it what waits."""
        self._scope.cancel()

    def set(self, settings: WebhookSettings) -> None:
        """Go on by other settings, which also hold for what waits."""
        self._settings = settings
        self._tracker.set(settings.events, settings.after_s)
        self._is_gone = False
        self._backoff.reset()
        self._other_settings.set()
        self._waiting.cancel()

    def statistics(self) -> WebhookStatistics:
        """Return the figures of now."""
        return WebhookStatistics(
            sent=self._sent,
            attempts_failed=self._attempts_failed,
            dropped=dict(self._dropped),
            waiting=len(self._queue) + self._is_sending,
        )

    async def _watch(self) -> Never:
        revision, next_s = -1, -math.inf
        while True:
            with trio.move_on_at(next_s) as self._waiting:
                await self._registry.wait_changed(revision)
            await trio.sleep(GATHER_S)
            revision = self._look(revision)
            messages, next_s = self._tracker.due(trio.current_time(), self._wall_clock())
            for message in messages:
                self._put(message)

    def _look(self, seen: int) -> int:
        """Look at the cameras that have changed since a revision; returns the one of now."""
        revision, now = self._registry.revision, trio.current_time()
        for name in self._registry.changed_since(seen):
            try:
                camera = self._registry.get(name)
            except UnknownCamera:
                continue
            reason = None if camera.last_error is None else mask(camera.last_error)
            self._tracker.note(name, camera.title, camera.state, reason, now)
        if revision != seen:
            self._tracker.forget_others([camera.name for camera in self._registry.sources()])
        return revision

    def _put(self, message: Message) -> None:
        if self._is_gone:
            self._drop(GONE)
            return
        if len(self._queue) + self._is_sending >= MAX_WAITING:
            self._queue.popleft()
            self._drop(FULL)
        self._queue.append((trio.current_time(), message))
        self._news.set()

    def _drop(self, reason: str) -> None:
        self._dropped[reason] += 1
        log.warning("a message for a webhook is dropped", webhook=self.name, reason=reason)

    async def _send_all(self) -> Never:
        while True:
            if not self._queue:
                self._news = trio.Event()
                await self._news.wait()
            put_s, message = self._queue.popleft()
            self._is_sending = True
            try:
                await self._send(message, give_up_s=put_s + GIVE_UP_S)
            finally:
                self._is_sending = False

    async def _send(self, message: Message, *, give_up_s: float) -> None:
        while trio.current_time() < give_up_s and not self._is_gone:
            self._other_settings = trio.Event()
            outcome = await deliver(self._fetcher, self._settings, message, wall_clock=self._wall_clock)
            if outcome.arrived:
                self._note_arrival(message)
                return
            self._note_failure(outcome)
            delay_s = max(self._backoff.next_delay_s(), min(outcome.retry_after_s, RETRY_CAP_S))
            with trio.move_on_after(delay_s):
                await self._other_settings.wait()
        if self._is_gone:
            self._drop(GONE)
            return
        self._drop(EXPIRED)
        self._tracker.note_lost(message)
        self._waiting.cancel()

    def _note_arrival(self, message: Message) -> None:
        self._sent += 1
        if not self._backoff.is_fresh:
            log.info("a webhook is taken again", webhook=self.name)
        self._backoff.reset()
        log.debug("a webhook was sent", webhook=self.name, about=message.event.value, camera=message.camera)

    def _note_failure(self, outcome: Outcome) -> None:
        self._attempts_failed += 1
        if outcome.is_gone and not self._other_settings.is_set():
            self._is_gone = True
            self._dropped[GONE] += len(self._queue)
            self._queue.clear()
            sentence = "a webhook wants no more messages (410); it gets none until its config is changed"
            log.error(sentence, webhook=self.name)
        elif self._backoff.is_fresh:
            log.warning("a webhook is not taken, and is tried again", webhook=self.name, reason=outcome.words)
