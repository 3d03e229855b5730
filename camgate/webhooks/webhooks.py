"""`Webhooks`: all receivers, which come, go and change with the config while cameras film on.

    webhooks = Webhooks(registry, settings.webhooks)
    nursery.start_soon(webhooks.run)
    webhooks.apply(diff.webhooks)

`run` owns a task for each receiver. It has no part in the road of a packet: it looks at states, and asks servers.
"""

import time
from collections.abc import Callable, Mapping
from typing import Never

import trio

from camgate.auth.fetch import Fetcher
from camgate.config.model import WebhookSettings
from camgate.relay.registry import Registry
from camgate.webhooks.receiver import Receiver, WebhookStatistics


class Webhooks:
    """Everybody who is told."""

    def __init__(
        self,
        registry: Registry,
        settings: Mapping[str, WebhookSettings],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._wall_clock = wall_clock
        self._fetcher = Fetcher()
        self._receivers: dict[str, Receiver] = {}
        # Unbounded on purpose: a reload must not wait between its steps.
        self._to_start, self._starting = trio.open_memory_channel[Receiver](float("inf"))
        self.apply(settings)
        if settings:
            self._fetcher.open()  # while nothing is live yet

    async def run(self) -> Never:
        """Tell everybody until cancelled; what waits then is lost."""
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    nursery.start_soon((await self._starting.receive()).run)
        finally:
            await self._fetcher.aclose()

    def apply(self, changes: Mapping[str, WebhookSettings | None]) -> None:
        """Take receivers that are new or another now, by name; None for one that is there no more.

        Whoever stays is told all the same of what has not reached it yet.
        """
        for name, settings in changes.items():
            receiver = self._receivers.get(name)
            if settings is None:
                self._receivers.pop(name).stop()
            elif receiver is not None:
                receiver.set(settings)
            else:
                receiver = Receiver(name, settings, self._registry, self._fetcher, wall_clock=self._wall_clock)
                self._receivers[name] = receiver
                self._to_start.send_nowait(receiver)

    def statistics(self) -> dict[str, WebhookStatistics]:
        """Return the figures of all, by name."""
        return {name: receiver.statistics() for name, receiver in self._receivers.items()}
