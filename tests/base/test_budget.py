"""A burst at once, then no faster than the rate."""

import pytest

from camgate.base.budget import Budget


def test_a_burst_and_then_the_rate() -> None:
    budget = Budget(5, 2)
    assert sum(budget.take(100.0) for _ in range(20)) == 5
    assert budget.refused == 15
    assert [budget.take(100.0 + i / 4) for i in range(1, 5)] == [False, True, False, True]


def test_what_is_not_used_does_not_pile_up() -> None:
    budget = Budget(5, 2)
    assert budget.take(0.0)
    assert sum(budget.take(1e6) for _ in range(20)) == 5


def test_large_actions_take_more_and_are_refused_whole() -> None:
    budget = Budget(10, 1)
    assert budget.take(0.0, 7)
    assert not budget.take(0.0, 4)
    assert budget.take(0.0, 3)
    assert budget.has(1.0)
    assert not budget.has(1.0, 2)
    assert budget.refused == 1


def test_who_may_owe_waits_behind_a_burst_for_so_many_a_second() -> None:
    pace = Budget(5.0, 10.0)
    assert [pace.spend(0.0) for _ in range(6)] == [0.0] * 5 + [0.1]
    assert pace.spend(0.1) == pytest.approx(0.1)
    assert pace.spend(100.0) == 0.0
