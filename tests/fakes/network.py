"""An impaired network path: which datagrams arrive, and when, by a seeded random generator.

`Link` knows no clock and no socket: tests in virtual time put it behind a `Cable`, `tests/fakes/lossy_relay.py` puts
it between a real browser and camgate.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random

import trio

UDP_OVERHEAD_BYTES = 28
"""IPv4 and UDP headers, which take their share of a bottleneck."""
JITTER_HOLD_S = (0.05, 0.2)
"""How long a delay lasts before it jumps to another, as on a busy radio link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What one direction of a path does to datagrams.

    loss: share that is lost; loss_run: how many in a row on average (Gilbert's model; 1 = each by itself).
    reorder: share that is held back by `reorder_s`, so that those sent after it overtake it.
    jitter_s: the delay jumps between `delay_s` and this much more, without changing the order.
    rate_bps: of a bottleneck with a drop-tail queue of `queue_bytes`; 0 = none.
    """

    loss: float = 0.0
    loss_run: float = 1.0
    reorder: float = 0.0
    reorder_s: float = 0.012
    duplicate: float = 0.0
    delay_s: float = 0.01
    jitter_s: float = 0.0
    rate_bps: int = 0
    queue_bytes: int = 0


@dataclass(slots=True)
class LinkCounts:
    """What became of the datagrams so far."""

    offered: int = 0
    lost: int = 0
    overflowed: int = 0
    duplicated: int = 0
    reordered: int = 0


class Link:
    """One direction of a path."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self._impairment = impairment
        self._random = Random(seed)
        self._losing = False
        self._free_s = 0.0
        self._jitter_s = 0.0
        self._jitter_until_s = 0.0
        self._newest_s = 0.0
        self.counts = LinkCounts()

    def offer(self, size_bytes: int, now: float) -> list[float]:
        """Send a datagram at `now` (seconds); returns when its copies arrive, none when it is lost."""
        impairment = self._impairment
        self.counts.offered += 1
        leaves_s = self._through_bottleneck(size_bytes + UDP_OVERHEAD_BYTES, now)
        if leaves_s is None:
            self.counts.overflowed += 1
            return []
        if self._loses():
            self.counts.lost += 1
            return []
        arrives_s = max(self._newest_s, leaves_s + impairment.delay_s + self._jitter(now))
        if self._random.random() < impairment.reorder:
            self.counts.reordered += 1
            arrives_s += impairment.reorder_s
        else:
            self._newest_s = arrives_s
        if self._random.random() < impairment.duplicate:
            self.counts.duplicated += 1
            return [arrives_s, arrives_s + self._random.uniform(0, impairment.reorder_s)]
        return [arrives_s]

    def _through_bottleneck(self, size_bytes: int, now: float) -> float | None:
        rate_bps = self._impairment.rate_bps
        if not rate_bps:
            return now
        start_s = max(now, self._free_s)
        if (start_s - now) * rate_bps / 8 + size_bytes > self._impairment.queue_bytes:
            return None
        self._free_s = start_s + size_bytes * 8 / rate_bps
        return self._free_s

    def _loses(self) -> bool:
        loss, run = self._impairment.loss, self._impairment.loss_run
        if run <= 1:
            return self._random.random() < loss
        # Gilbert's two states: the bad one loses everything and lasts `run` datagrams; the good one nothing.
        leave = 1 / run if self._losing else loss / (run * (1 - loss))
        if self._random.random() < leave:
            self._losing = not self._losing
        return self._losing

    def _jitter(self, now: float) -> float:
        if now >= self._jitter_until_s:
            self._jitter_until_s = now + self._random.uniform(*JITTER_HOLD_S)
            self._jitter_s = self._random.uniform(0, self._impairment.jitter_s)
        return self._jitter_s


class Cable:
    """A link between tasks of a test, in virtual time."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._on_the_way: list[tuple[float, int, bytes]] = []
        self._order = count()
        self._changed = trio.Event()
        self.latest_s = 0.0
        """How long the last datagram that was not lost takes."""

    def send(self, datagram: bytes) -> None:
        now = trio.current_time()
        for arrives_s in self.link.offer(len(datagram), now):
            self.latest_s = arrives_s - now
            heapq.heappush(self._on_the_way, (arrives_s, next(self._order), datagram))
        self._changed.set()

    async def run(self, deliver: Callable[[bytes], None]) -> None:
        """Hand each datagram to `deliver` when it arrives."""
        while True:
            self._changed = trio.Event()
            next_s = self._on_the_way[0][0] if self._on_the_way else float("inf")
            with trio.move_on_at(next_s):
                await self._changed.wait()
            now = trio.current_time()
            while self._on_the_way and self._on_the_way[0][0] <= now:
                deliver(heapq.heappop(self._on_the_way)[2])
