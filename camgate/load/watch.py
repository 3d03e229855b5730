"""Looks at the machine ten times a second: measures, judges, sheds. One task."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import trio

from camgate.config.model import LimitSettings
from camgate.load import process
from camgate.load.admission import Admission, AdmissionStatistics
from camgate.load.meter import Load, LoadMeter, Tick
from camgate.load.sending import SendingMeter
from camgate.load.shedding import Sending, Shedding
from camgate.load.suspension import Suspensions

TICK_S = 0.1
"""A look fits between LATE_S and the bound of a queue; ten wake-ups a second are nothing beside one camera."""
MEMORY_INTERVAL_S = 1.0
GIVE_BACK_S = 600.0
SHORT_GIVE_BACK_S = 5.0
"""How often what was freed is given back, and how often while memory is at its limit: it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class LoadStatistics:
    """A snapshot."""

    load: Load
    limits: dict[str, float]
    """By key of [limits]; no limit that stands for another."""
    admission: AdmissionStatistics
    sheds: int
    """How often a stream was told to skip to its next key frame."""


class LoadWatch:
    """The load of this machine and what follows from it. `run` is its one task.

    senders: who sends at present.
    """

    def __init__(
        self, settings: LimitSettings, sending: SendingMeter, senders: Callable[[], Iterable[Sending]]
    ) -> None:
        self.meter = LoadMeter()
        self.admission = Admission(settings, process.memory_allowed_bytes())
        self.shedding = Shedding()
        self._sending = sending
        self._senders = senders
        self._suspensions = Suspensions()
        self._memory_due_s = -math.inf
        self._memory_bytes = 0
        self._gave_back_s = -math.inf

    async def run(self) -> None:
        """Measure until cancelled."""
        at_s, wanted_s = trio.current_time(), process.wanted_s()
        busy_s, sent_bytes = self._sending.busy_s, self._sending.bytes
        while True:
            await trio.sleep_until(at_s + TICK_S)
            now, wanted = trio.current_time(), process.wanted_s()
            tick = Tick(
                at_s=now,
                elapsed_s=now - at_s,
                lag_s=now - at_s - TICK_S,
                wanted_s=wanted - wanted_s,
                sending_s=self._sending.busy_s - busy_s,
                sent_bytes=self._sending.bytes - sent_bytes,
                delay_s=self._sending.take_worst_delay_s(),
            )
            at_s, wanted_s, busy_s, sent_bytes = now, wanted, self._sending.busy_s, self._sending.bytes
            self._look(tick)

    def _look(self, tick: Tick) -> None:
        if tick.at_s >= self._memory_due_s:
            self._memory_due_s = tick.at_s + MEMORY_INTERVAL_S
            self._memory_bytes = process.memory_bytes()
            self._suspensions.look()
        self.meter.take(tick, self._memory_bytes)
        load = self.meter.load
        self.admission.judge(load, tick.at_s)
        # Viewers who have left leave the heap as large as it was: it would grow for days, and a limit that was reached
        # once would refuse joins for ever.
        interval_s = SHORT_GIVE_BACK_S if self.admission.is_short_of_memory else GIVE_BACK_S
        if tick.at_s - self._gave_back_s >= interval_s:
            self._gave_back_s = tick.at_s
            process.give_back_memory()
        if load.sending_bytes_per_s is not None:
            self.shedding.relieve(self._senders(), load.sending_bytes_per_s, tick.at_s)

    def statistics(self) -> LoadStatistics:
        """Take a snapshot."""
        return LoadStatistics(
            self.meter.load, self.admission.limits(), self.admission.statistics(), self.shedding.sheds
        )
