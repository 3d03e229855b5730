from random import Random

from camgate.ingest.backoff import (
    DENIED_CAP_S,
    DENIED_FIRST_S,
    JITTER,
    KNOCK_FAST_FOR_S,
    REFUSED_CAP_S,
    Backoff,
    knock_period_s,
)


def delays(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_delay_s() for _ in range(count)]


def test_delays_double_up_to_the_cap_within_the_jitter() -> None:
    for delay, nominal in zip(delays(Backoff(Random(1)), 8), [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert nominal * (1 - JITTER) <= delay <= nominal * (1 + JITTER)


def test_the_same_seed_gives_the_same_delays_and_another_seed_others() -> None:
    assert delays(Backoff(Random("front")), 5) == delays(Backoff(Random("front")), 5)
    assert delays(Backoff(Random("front")), 5) != delays(Backoff(Random("yard")), 5)


def test_reset_begins_again_at_the_first_delay() -> None:
    backoff = Backoff(Random(1))
    assert backoff.is_fresh
    delays(backoff, 6)
    assert not backoff.is_fresh
    backoff.reset()
    assert backoff.is_fresh
    assert backoff.next_delay_s() <= 1 + JITTER


def test_no_login_is_repeated_within_a_minute_whatever_the_jitter() -> None:
    for seed in range(200):
        backoff = Backoff(Random(seed), DENIED_FIRST_S, DENIED_CAP_S)
        assert all(60 <= delay <= DENIED_CAP_S * (1 + JITTER) for delay in delays(backoff, 5))


def test_the_longest_delay_is_the_cap_with_its_jitter() -> None:
    assert max(delays(Backoff(Random(3)), 500)) <= REFUSED_CAP_S * (1 + JITTER)


def test_knocking_slows_down_after_a_minute() -> None:
    assert knock_period_s(0) == 0.25
    assert knock_period_s(KNOCK_FAST_FOR_S - 0.01) == 0.25
    assert knock_period_s(KNOCK_FAST_FOR_S) == 1.0
