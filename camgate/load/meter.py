"""The load meter: how busy the one thread is that does everything, how late its tasks come, how old what it sends is.

Fed once a tick by its owner; no task. A hiccup (one late tick, however late) moves none of the figures that limits are
held against, load that lasts a second or two moves all of them.
"""

import math
import statistics
from collections import deque
from dataclasses import dataclass

SHORT_S = 2.0
"""What load and lag are taken over: long enough to see past a hiccup, short enough to act before queues are full."""
LONG_S = 10.0
"""What delays are taken over: two key frames of a 4 s GOP, as large ones are sent latest."""
QUIET_S = 1.0
"""What the load beside sending is averaged over before its quietest time is looked for."""
START_S = 3.0
"""Until so much has been seen only sending counts: the start itself is work, for seconds where others work beside it,
and must refuse nobody."""
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
    """Turns ticks into a `Load`.

    A tick comes ten times a second, mostly to a machine that was idle: caches are cold and each line costs several
    times what it does in a loop. So sums are kept up rather than taken, and what has to be looked through is numbers.
    """

    def __init__(self) -> None:
        self.load = Load()
        self._short = _Sums(SHORT_S)
        self._quiet = _Sums(QUIET_S)
        self._times: deque[float] = deque()
        self._delays: deque[float] = deque()
        self._others: deque[float] = deque()
        self._seen_s = 0.0

    def take(self, tick: Tick, memory_bytes: int) -> None:
        """Take what happened since the last tick."""
        short, quiet = self._short, self._quiet
        short.take(tick)
        quiet.take(tick)
        self._times.append(tick.at_s)
        self._delays.append(tick.delay_s)
        self._seen_s += tick.elapsed_s
        others = max(0.0, quiet.share(quiet.wanted_s - quiet.sending_s))
        self._others.append(others if self._seen_s > QUIET_S else math.inf)
        has_started = self._seen_s > START_S
        while self._times[0] < tick.at_s - LONG_S:
            self._times.popleft()
            self._delays.popleft()
            self._others.popleft()
        sending = short.share(short.sending_s) if short.sent_bytes else 0.0
        self.load = Load(
            share=sending + (min(self._others) if has_started else 0.0),
            sending_share=sending,
            thread_share=short.share(short.wanted_s),
            lag_s=statistics.median(short.lags_s) if has_started else 0.0,
            delay_s=sorted(self._delays)[-DELAY_RANK] if len(self._delays) >= DELAY_RANK else 0.0,
            sending_bytes_per_s=short.share(short.sent_bytes) / sending if sending else None,
            memory_bytes=memory_bytes,
        )


class _Sums:
    """What the ticks of the last `length_s` add up to; `lags_s` are theirs one by one."""

    __slots__ = ("_length_s", "_ticks", "elapsed_s", "lags_s", "sending_s", "sent_bytes", "wanted_s")

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._ticks: deque[Tick] = deque()
        self.lags_s: deque[float] = deque()
        self.elapsed_s = self.wanted_s = self.sending_s = 0.0
        self.sent_bytes = 0

    def take(self, tick: Tick) -> None:
        self._ticks.append(tick)
        self.lags_s.append(tick.lag_s)
        self.elapsed_s += tick.elapsed_s
        self.wanted_s += tick.wanted_s
        self.sending_s += tick.sending_s
        self.sent_bytes += tick.sent_bytes
        while self._ticks[0].at_s <= tick.at_s - self._length_s:
            old = self._ticks.popleft()
            self.lags_s.popleft()
            self.elapsed_s -= old.elapsed_s
            self.wanted_s -= old.wanted_s
            self.sending_s -= old.sending_s
            self.sent_bytes -= old.sent_bytes

    def share(self, part: float) -> float:
        """Return a part a second; rounding may leave it below nothing."""
        return max(0.0, part / self.elapsed_s) if self.elapsed_s else 0.0
