"""The load meter: how busy the one thread is that does everything, how late its tasks come, how old what it sends is.

Fed once a tick by its owner; no task. A hiccup (one late tick, however late) moves none of the figures that limits are
held against, load that lasts a second or two moves all of them.
"""

import heapq
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

SHORT_S = 2.0
"""What load and lag are taken over: long enough to see past a hiccup, short enough to act before queues are full."""
LONG_S = 10.0
"""What delays are taken over: two key frames of a 4 s GOP, as large ones are sent latest."""
QUIET_S = 1.0
"""What the load beside sending is averaged over before its quietest time is looked for."""
DELAY_RANK = 3
"""The third worst tick counts: one hiccup spoils up to two neighbours."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What happened between two looks at the machine."""

    at_s: float
    elapsed_s: float
    lag_s: float
    """How much later than asked for the meter's task had its turn."""
    wanted_s: float
    """Processor time that the thread used or stood in line for."""
    sending_s: float
    """Time spent in sending."""
    sent_bytes: int
    """Payload times viewers."""
    delay_s: float
    """The longest that a frame took from its arrival to its last viewer."""


@dataclass(frozen=True, slots=True)
class Load:
    """The machine's load at one moment. Shares are of one processor core, as one thread does all the work."""

    share: float = 0.0
    """What goes on all the time: sending and, mostly, cameras. The passing cost of joins is not in it."""
    sending_share: float = 0.0
    thread_share: float = 0.0
    """All that the thread does, joins included."""
    lag_s: float = 0.0
    """How late tasks get their turn: the median of the last two seconds."""
    delay_s: float = 0.0
    """How old a frame is when its last viewer is sent it: near the worst of the last ten seconds."""
    sending_bytes_per_s: float | None = None
    """Payload bytes, times viewers, that a second of sending carries; None as long as nothing was sent."""
    memory_bytes: int = 0


class LoadMeter:
    """Turns ticks into a `Load`."""

    def __init__(self) -> None:
        self.load = Load()
        self._ticks: deque[Tick] = deque()
        self._other: deque[tuple[float, float]] = deque()

    def take(self, tick: Tick, memory_bytes: int) -> None:
        """Take what happened since the last tick."""
        self._ticks.append(tick)
        _forget(self._ticks, tick.at_s - LONG_S)
        quiet = self._since(tick.at_s - QUIET_S)
        self._other.append((tick.at_s, max(0.0, _share(quiet, "wanted_s") - _share(quiet, "sending_s"))))
        while self._other[0][0] < tick.at_s - LONG_S:
            self._other.popleft()
        short = self._since(tick.at_s - SHORT_S)
        sending = _share(short, "sending_s")
        self.load = Load(
            share=sending + min(share for _, share in self._other),
            sending_share=sending,
            thread_share=_share(short, "wanted_s"),
            lag_s=statistics.median(each.lag_s for each in short),
            delay_s=_near_worst(each.delay_s for each in self._ticks),
            sending_bytes_per_s=_share(short, "sent_bytes") / sending if sending else None,
            memory_bytes=memory_bytes,
        )

    def _since(self, begin_s: float) -> list[Tick]:
        return [tick for tick in self._ticks if tick.at_s > begin_s]


def _forget(ticks: deque[Tick], before_s: float) -> None:
    while ticks[0].at_s < before_s:
        ticks.popleft()


def _share(ticks: list[Tick], field: str) -> float:
    elapsed = sum(tick.elapsed_s for tick in ticks)
    return sum(getattr(tick, field) for tick in ticks) / elapsed if elapsed else 0.0


def _near_worst(delays: Iterable[float]) -> float:
    worst = heapq.nlargest(DELAY_RANK, delays)
    return worst[-1] if len(worst) == DELAY_RANK else 0.0
