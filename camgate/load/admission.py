"""Whether one more viewer may join: refused in words before those who watch would suffer.

Measured figures say how things are; what the newest viewers will cost is not in them yet and is added by reckoning, so
that a burst of joins between two measurements is not let in on old figures. No task: `judge` is called once a tick.
"""

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from camgate.base.log import get_logger
from camgate.config.model import LimitSettings
from camgate.load.meter import SHORT_S, Load
from camgate.relay.errors import MachineAtLimit

log = get_logger("load.admission")

RELEASE = 0.95
"""A limit that was reached holds until its figure is this much below it ..."""
RELEASE_AFTER_S = 3.0
"""... and has been for so long; else who leaves and who joins would take turns at the limit."""
RETRY_MIN_S = 5.0
RETRY_SPREAD_S = 10.0
"""Refused viewers come back at different times, not all at once."""
START_S = 0.5
"""From the answer to the first frame: some round trips of ICE and DTLS."""
MEMORY_SHARE = 0.8
"""Of the memory that there is, unless a limit is set: the rest is for socket buffers and other programs."""
USUAL_SHARE = 0.0015
"""Of a core, for one viewer of a 2 Mbit/s camera: 0.08-0.2 % measured."""
VIEWER_MB = 0.15
"""Of memory, for one viewer ten seconds after its join: 0.139 measured, key-frame cache and socket buffers left out."""
USUAL_WEIGHT = 20
"""How many viewers' worth of measuring it takes to believe the measured cost as much as USUAL_SHARE: with a viewer or
two, what a frame costs once is most of it."""


@dataclass(frozen=True, slots=True)
class AdmissionStatistics:
    """Counters since the start; at_limit names the limits that stop joins now."""

    admitted: int
    refused: dict[str, int]
    """By the limit's key."""
    at_limit: tuple[str, ...]


@dataclass(slots=True)
class _Limit:
    """One figure and the most it may be. key: in [limits]. words: what the figure is, to be followed by a number.

    high: its latest value that was not well below the limit; while that holds, `value` may be anything by now.
    """

    key: str
    words: str
    most: float
    value: float = 0.0
    high: float = 0.0
    reached: bool = False
    _calm_since_s: float | None = None

    def judge(self, value: float, now: float) -> None:
        self.value = value
        if value > self.most * RELEASE:
            self.high = value
        if value >= self.most:
            self.reached, self._calm_since_s = True, None
        elif value > self.most * RELEASE:
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = now
        elif now - self._calm_since_s >= RELEASE_AFTER_S:
            self.reached = False


class Admission:
    """Holds the machine's load against its limits, and counts who joins.

    memory_allowed_bytes: what 0 in `limits.max_memory_mb` stands for.
    """

    def __init__(self, settings: LimitSettings, memory_allowed_bytes: int, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._memory_allowed_bytes = memory_allowed_bytes
        self._load = _Limit("max_load", "processor load", 0.0)
        self._lag = _Limit("max_lag_s", "waiting for the processor, in seconds,", 0.0)
        self._delay = _Limit("max_delay_s", "delay of pictures, in seconds,", 0.0)
        self._memory = _Limit("max_memory_mb", "memory, in MB,", 0.0)
        self.apply(settings)
        self._sending_share = 0.0
        self._fresh: deque[float] = deque()
        self._admitted = 0
        self._refused: Counter[str] = Counter()

    def apply(self, settings: LimitSettings) -> None:
        """Take other limits; they count from the next figures on."""
        most_memory = settings.max_memory_mb * 1e6 or self._memory_allowed_bytes * MEMORY_SHARE
        self._load.most = settings.max_load
        self._lag.most = settings.max_lag_s
        self._delay.most = settings.max_delay_s
        self._memory.most = most_memory / 1e6

    def judge(self, load: Load, now: float) -> None:
        """Take the newest figures."""
        before = self._reached_keys()
        self._load.judge(load.share, now)
        self._lag.judge(load.lag_s, now)
        self._delay.judge(load.delay_s, now)
        self._memory.judge(load.memory_bytes / 1e6, now)
        self._sending_share = load.sending_share
        self._log_change(before)

    def check(self, viewers: int, now: float) -> None:
        """Raise MachineAtLimit when one more than `viewers` would be too many."""
        for limit in self._limits():
            if limit.reached:
                self._refuse(limit, limit.high)
        expected = self._expected_share(viewers, now)
        if expected > self._load.most:
            self._refuse(self._load, expected)
        # Who was let in lately has not taken all of its memory yet.
        expected = self._memory.value + (len(self._fresh) + 1) * VIEWER_MB
        if expected > self._memory.most:
            self._refuse(self._memory, expected)

    def admit(self, now: float) -> None:
        """Count a viewer who has been let in."""
        self._admitted += 1
        self._fresh.append(now)

    def count_refused(self, key: str) -> None:
        """Count a refusal for a limit that is not judged here."""
        self._refused[key] += 1

    @property
    def is_short_of_memory(self) -> bool:
        """Whether joins are refused as there is too little memory."""
        return self._memory.reached

    def limits(self) -> dict[str, float]:
        """Return the most that each figure may be, by key of [limits]."""
        return {limit.key: limit.most for limit in self._limits()}

    def _expected_share(self, viewers: int, now: float) -> float:
        """The load once all who were let in are sent to, and one more."""
        measured_s = now - START_S - SHORT_S
        while self._fresh and self._fresh[0] <= measured_s:
            self._fresh.popleft()
        # The measured share is a mean over SHORT_S: of a viewer who started half that time ago, half is in it.
        unmeasured = sum(min(1.0, (admitted_s - measured_s) / SHORT_S) for admitted_s in self._fresh)
        measured = max(0.0, viewers - unmeasured)
        each = (self._sending_share + USUAL_WEIGHT * USUAL_SHARE) / (measured + USUAL_WEIGHT)
        return self._load.value + (unmeasured + 1) * each

    def _refuse(self, limit: _Limit, value: float) -> None:
        self._refused[limit.key] += 1
        retry_after_s = round(RETRY_MIN_S + self._rng.random() * RETRY_SPREAD_S)
        raise MachineAtLimit(limit.key, limit.words, value, limit.most, retry_after_s=retry_after_s)

    def _limits(self) -> Iterator[_Limit]:
        yield from (self._load, self._lag, self._delay, self._memory)

    def _reached_keys(self) -> tuple[str, ...]:
        return tuple(limit.key for limit in self._limits() if limit.reached)

    def _log_change(self, before: tuple[str, ...]) -> None:
        for limit in self._limits():
            if limit.reached and limit.key not in before:
                log.warning(
                    "this machine is at its limit, joins are refused",
                    limit=limit.key,
                    value=limit.value,
                    most=limit.most,
                )
        if before and not self._reached_keys():
            log.info("this machine is below its limits again, joins are welcome")

    def statistics(self) -> AdmissionStatistics:
        """Take a snapshot."""
        return AdmissionStatistics(self._admitted, dict(self._refused), self._reached_keys())
