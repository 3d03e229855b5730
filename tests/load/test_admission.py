"""Who may join: at ease, in a burst, at each limit, and when the limit is left again."""

import logging
import random

import pytest

from camgate.config.model import LimitSettings
from camgate.load.admission import RELEASE, RELEASE_AFTER_S, USUAL_SHARE, VIEWER_MB, Admission
from camgate.load.meter import Load
from camgate.relay.errors import MachineAtLimit

TICK_S = 0.125
VIEWER_SHARE = 0.001


class Gate:
    """An admission with its own clock; `run` lets time pass under one load."""

    def __init__(self, **limits: float) -> None:
        self.admission = Admission(LimitSettings(**limits), 1_000_000_000, random.Random(1))  # type: ignore[arg-type]
        self.now = 0.0

    def run(self, seconds: float = TICK_S, **load: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self.admission.judge(Load(**load), self.now)  # type: ignore[arg-type]

    def refusal(self, viewers: int = 100) -> MachineAtLimit | None:
        try:
            self.admission.check(viewers, self.now)
        except MachineAtLimit as refusal:
            return refusal
        return None


def test_a_machine_at_ease_takes_viewers() -> None:
    gate = Gate()
    gate.run(share=0.5, sending_share=0.4, lag_s=0.01, delay_s=0.05, memory_bytes=100_000_000)
    assert gate.refusal() is None
    assert gate.admission.statistics().at_limit == ()


@pytest.mark.parametrize(
    ("load", "key", "words"),
    [
        ({"share": 0.9}, "max_load", "processor load 0.9 where 0.85 is allowed (limits.max_load); try again in"),
        ({"lag_s": 0.2}, "max_lag_s", "0.2 where 0.1 is allowed (limits.max_lag_s)"),
        ({"delay_s": 0.2}, "max_delay_s", "0.2 where 0.15 is allowed (limits.max_delay_s)"),
        ({"memory_bytes": 900e6}, "max_memory_mb", "memory, in MB, 900 where 800 is allowed"),
    ],
)
def test_each_limit_is_named(load: dict[str, float], key: str, words: str) -> None:
    gate = Gate()
    gate.run(**load)
    refusal = gate.refusal()
    assert refusal is not None
    assert words in str(refusal)
    assert 5 <= (refusal.retry_after_s or 0) <= 15
    statistics = gate.admission.statistics()
    assert statistics.at_limit == (key,)
    assert statistics.refused == {key: 1}


def test_a_burst_ends_before_its_memory_is_measured() -> None:
    """Memory is looked at once a second, and a viewer takes its share over ten."""
    gate = Gate(max_memory_mb=800, max_load=2)
    gate.run(memory_bytes=790e6)
    admitted = 0
    while (refusal := gate.refusal(admitted)) is None:
        gate.admission.admit(gate.now)
        admitted += 1
    assert refusal.key == "max_memory_mb"
    assert admitted == pytest.approx(10 / VIEWER_MB, abs=2)


def test_memory_around_the_limit_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    gate, rng = Gate(max_memory_mb=4_000), random.Random(5)
    with caplog.at_level(logging.INFO):
        for _ in range(400):
            gate.run(memory_bytes=4_000e6 + rng.uniform(-150e6, 10e6))
        assert "where 4000 is allowed (limits.max_memory_mb)" in str(gate.refusal())
        gate.run(RELEASE_AFTER_S + 1, memory_bytes=3_700e6)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "this machine is at its limit",
        "this machine is below its limits again",
    ]
    assert gate.refusal() is None


def test_who_is_refused_comes_back_at_different_times() -> None:
    gate = Gate()
    gate.run(share=0.9)
    assert len({refusal.retry_after_s for _ in range(50) if (refusal := gate.refusal())}) >= 8


def test_a_limit_is_left_only_after_a_while_well_below_it() -> None:
    gate = Gate()
    gate.run(share=0.86)
    gate.run(10, share=0.84)
    assert gate.admission.statistics().at_limit == ("max_load",), "just below it is not below it"
    gate.run(RELEASE_AFTER_S - TICK_S, share=0.80)
    gate.run(share=0.83)
    gate.run(RELEASE_AFTER_S, share=0.80)
    assert gate.admission.statistics().at_limit == ("max_load",), "the while began again"
    refusal = gate.refusal()
    assert refusal is not None
    assert refusal.value > 0.85 * RELEASE, "what is said is what it is refused for, not what it is by now"
    gate.run(share=0.80)
    assert gate.admission.statistics().at_limit == ()


def test_a_load_that_swings_around_the_limit_does_not_flap() -> None:
    gate, changes = Gate(), 0
    before: tuple[str, ...] = ()
    rng = random.Random(5)
    for _ in range(800):
        gate.run(share=0.85 + rng.uniform(-0.08, 0.02))
        reached = gate.admission.statistics().at_limit
        changes, before = changes + (reached != before), reached
    assert changes == 1


@pytest.mark.parametrize("joins_per_s", [50, 200, 2_000])
def test_a_burst_of_joins_ends_at_the_limit(joins_per_s: int) -> None:
    """A viewer costs 0.1 % of a core from half a second after its answer on; what is measured is a mean over 2 s."""
    gate = Gate()
    joined_s: list[float] = []
    history: list[float] = [0.3] * 17
    for step in range(int(6 / TICK_S)):
        started = sum(since_s <= gate.now - 0.5 for since_s in joined_s)
        history.append(0.3 + started * VIEWER_SHARE)
        mean = sum(history[-16:]) / 16
        gate.run(share=mean + 0.1, sending_share=mean)
        for _ in range(int(joins_per_s * TICK_S * (step + 1)) - int(joins_per_s * TICK_S * step)):
            if gate.refusal(300 + len(joined_s)) is None:
                gate.admission.admit(gate.now)
                joined_s.append(gate.now)
    final = 0.4 + len(joined_s) * VIEWER_SHARE
    assert 0.65 <= final <= 0.86, "as many as the machine can carry, or nearly"


def test_a_burst_at_an_empty_machine_is_welcome() -> None:
    """One viewer's frame costs nearly as much as those of ten, and says little about the next hundred."""
    gate = Gate()
    gate.run(5, share=0.05, sending_share=0.03)
    for viewers in range(200):
        assert gate.refusal(1 + viewers) is None
        gate.admission.admit(gate.now)


def test_the_first_viewers_are_reckoned_at_the_usual_share() -> None:
    gate = Gate(max_load=0.5)
    gate.run(share=0.0)
    admitted = 0
    while gate.refusal(admitted) is None:
        gate.admission.admit(gate.now)
        admitted += 1
    assert admitted == pytest.approx(0.5 / USUAL_SHARE, abs=2)


def test_the_log_says_when_joins_are_refused_and_when_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with caplog.at_level(logging.INFO):
        gate.run(5, share=0.9)
        gate.run(5, share=0.1)
    refused, welcome = (record.getMessage() for record in caplog.records)
    assert refused.startswith("this machine is at its limit, joins are refused limit=max_load")
    assert welcome.startswith("this machine is below its limits again")
