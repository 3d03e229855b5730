"""What load looks like in ticks: steady, in a hiccup, in a burst of joins, in trouble."""

from typing import Any

import pytest

from camgate.config.model import LimitSettings
from camgate.load.meter import Load, LoadMeter, Tick

TICK_S = 0.125


class Machine:
    """Ticks of a machine at 30 % load, 20 % of it for sending, unless the test says otherwise."""

    def __init__(self) -> None:
        self.meter = LoadMeter()
        self.now = 0.0

    def run(self, seconds: float, **changes: Any) -> Load:
        until = self.now + seconds
        while self.now < until - 1e-9:
            lag = changes.get("lag_s", 0.001)
            elapsed = TICK_S + lag
            self.now += elapsed
            tick = {
                "at_s": self.now,
                "elapsed_s": elapsed,
                "lag_s": lag,
                "wanted_s": changes.get("wanted", 0.30) * elapsed,
                "sending_s": changes.get("sending", 0.20) * elapsed,
                "sent_bytes": int(changes.get("bytes_per_s", 10_000_000) * elapsed),
                "delay_s": changes.get("delay_s", 0.010),
            }
            self.meter.take(Tick(**tick), 60_000_000)
        return self.meter.load


def test_steady_load_is_what_it_is() -> None:
    load = Machine().run(5)
    assert load.share == pytest.approx(0.30)
    assert load.sending_share == pytest.approx(0.20)
    assert load.thread_share == pytest.approx(0.30)
    assert load.lag_s == pytest.approx(0.001)
    assert load.delay_s == pytest.approx(0.010)
    assert load.sending_bytes_per_s == pytest.approx(50_000_000, rel=1e-6)
    assert load.memory_bytes == 60_000_000


def test_the_work_of_starting_is_not_held_against_the_first_viewers() -> None:
    machine = Machine()
    while machine.now < 2:  # on a machine that others keep busy
        load = machine.run(TICK_S, wanted=1.5, sending=0.0, bytes_per_s=0, lag_s=0.2)
        assert (load.share, load.lag_s) == (0.0, 0.0)
    while machine.now < 6:
        load = machine.run(TICK_S, wanted=0.1, sending=0.0, bytes_per_s=0)
        assert load.share < LimitSettings().max_load
        assert load.lag_s < LimitSettings().max_lag_s
    assert load.share == pytest.approx(0.1)
    assert load.lag_s == pytest.approx(0.001)


def test_an_idle_machine_has_no_speed_of_sending() -> None:
    assert Machine().run(3, sending=0.0).sending_bytes_per_s is None


@pytest.mark.parametrize("stall_s", [0.3, 1.0, 5.0])
def test_one_hiccup_moves_nothing_that_limits_are_held_against(stall_s: float) -> None:
    machine = Machine()
    before = machine.run(10)
    during = machine.run(TICK_S, lag_s=stall_s, delay_s=stall_s)
    after = machine.run(TICK_S, delay_s=stall_s / 2)
    for load in (during, after):
        assert load.delay_s == before.delay_s
        assert load.share == pytest.approx(before.share, abs=0.01)
    # What is left of two seconds after a stall that is longer is the stall.
    assert after.lag_s < 0.1 or stall_s > 2
    assert machine.run(1).lag_s == before.lag_s


def test_lag_that_lasts_is_seen_within_two_seconds() -> None:
    machine = Machine()
    machine.run(10)
    assert machine.run(2, lag_s=0.15).lag_s == 0.15


def test_key_frames_that_come_late_time_and_again_are_seen() -> None:
    machine = Machine()
    for _ in range(3):
        machine.run(3.75)
        machine.run(TICK_S, delay_s=0.2)
        load = machine.run(TICK_S, delay_s=0.18)
    assert load.delay_s >= 0.18


def test_more_sending_is_load_at_once() -> None:
    machine = Machine()
    machine.run(10)
    assert machine.run(2, sending=0.7, wanted=0.8).share == pytest.approx(0.8)


def test_joins_pass_and_are_no_load_that_stays() -> None:
    machine = Machine()
    machine.run(10)
    load = machine.run(5, wanted=0.95)
    assert load.share == pytest.approx(0.30)
    assert load.thread_share == pytest.approx(0.95)


def test_work_that_does_not_pass_is_load() -> None:
    machine = Machine()
    machine.run(10)
    assert machine.run(12, wanted=0.95).share == pytest.approx(0.95)
