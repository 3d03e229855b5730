"""A burst at once, then no faster than the rate."""

from camgate.serve.webrtc.budget import Budget


def test_a_burst_and_then_the_rate() -> None:
    budget = Budget(5, 2)
    assert sum(budget.take(100.0) for _ in range(20)) == 5
    assert [budget.take(100.0 + i / 4) for i in range(1, 5)] == [False, True, False, True]


def test_what_is_not_used_does_not_pile_up() -> None:
    budget = Budget(5, 2)
    assert budget.take(0.0)
    assert sum(budget.take(1e6) for _ in range(20)) == 5
