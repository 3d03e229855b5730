"""What is said of figures whose growth is known."""

import math
import random

import pytest

from tests.soak.growth import Growth, Verdict, growth_of, quantile_of_t

HOUR_S = 3600.0
MEGABYTE = 1e6


def figures(minutes: float, percent_an_hour: float, *, noise: float = 1.0, seed: int = 1) -> Growth | None:
    """A memory of 100 MB with viewers who come and go, looked at each two seconds."""
    rng = random.Random(seed)
    times = [2.0 * number for number in range(int(minutes * 30))]
    values = [
        (100 + percent_an_hour * time_s / HOUR_S + noise * (rng.random() + math.sin(time_s / 40) ** 2)) * MEGABYTE
        for time_s in times
    ]
    return growth_of(times, values)


@pytest.mark.parametrize("percent", [0.0, 10.0, 100.0])
def test_the_slope_is_what_it_is(percent: float) -> None:
    growth = figures(60, percent)
    assert growth is not None
    assert growth.low < percent / growth.mean * 100 * MEGABYTE < growth.high
    assert growth.span_s == pytest.approx(HOUR_S, abs=10)


def test_the_interval_holds_the_slope_about_as_often_as_it_says() -> None:
    runs = [figures(30, 0.0, seed=seed) for seed in range(200)]
    held = sum(run is not None and run.low < 0 < run.high for run in runs)
    assert held >= 170


@pytest.mark.parametrize(
    ("minutes", "percent", "verdict"),
    [
        (60, 0.0, Verdict.STEADY),
        (60, -20.0, Verdict.STEADY),
        (60, 6.0, Verdict.GROWS),
        (30, 0.0, Verdict.UNSURE),
        (30, 5.0, Verdict.UNSURE),  # the log's latest lines, which fill up to a bound
        (30, 20.0, Verdict.GROWS),
        (5, 0.0, Verdict.UNSURE),
        (5, 200.0, Verdict.UNSURE),  # a heap that finds its size
        (5, 800.0, Verdict.GROWS),
    ],
)
def test_the_verdict_is_given_where_there_can_be_one(minutes: float, percent: float, verdict: Verdict) -> None:
    growth = figures(minutes, percent)
    assert growth is not None
    assert growth.verdict() is verdict


@pytest.mark.parametrize(
    ("minutes", "percent", "verdict"),
    [(30, 0.0, Verdict.STEADY), (30, 6.0, Verdict.GROWS), (5, 800.0, Verdict.UNSURE)],  # a crowd on its way in
)
def test_what_has_no_heap_is_judged_sooner(minutes: float, percent: float, verdict: Verdict) -> None:
    growth = figures(minutes, percent)
    assert growth is not None
    assert growth.verdict(is_memory=False) is verdict


def test_a_noisy_run_is_not_judged() -> None:
    growth = figures(60, 0.0, noise=40)
    assert growth is not None
    assert growth.verdict() is Verdict.UNSURE


def test_a_figure_that_never_changes_is_steady() -> None:
    growth = growth_of([float(second) for second in range(3_000)], [7.0] * 3_000)
    assert growth is not None
    assert (growth.slope, growth.verdict()) == (0, Verdict.STEADY)


def test_few_figures_say_nothing() -> None:
    assert growth_of([], []) is None
    assert growth_of([0.0, 1.0], [1.0, 1.0]) is None
    assert growth_of([float(second) for second in range(100)], [0.0] * 100) is None


@pytest.mark.parametrize(("freedom", "expected"), [(6, 2.4469), (10, 2.2281), (28, 2.0484), (1_000, 1.9623)])
def test_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert quantile_of_t(0.975, freedom) == pytest.approx(expected, rel=0.01)
