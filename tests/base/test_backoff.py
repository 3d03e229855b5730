from random import Random

from camgate.base.backoff import JITTER, Backoff

FIRST_S, CAP_S = 1.0, 30.0


def delays(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_delay_s() for _ in range(count)]


def test_delays_double_up_to_the_cap_within_the_jitter() -> None:
    for delay, nominal in zip(delays(Backoff(Random(1), FIRST_S, CAP_S), 8), [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert nominal * (1 - JITTER) <= delay <= nominal * (1 + JITTER)


def test_the_same_seed_gives_the_same_delays_and_another_seed_others() -> None:
    assert delays(Backoff(Random("front"), FIRST_S, CAP_S), 5) == delays(Backoff(Random("front"), FIRST_S, CAP_S), 5)
    assert delays(Backoff(Random("front"), FIRST_S, CAP_S), 5) != delays(Backoff(Random("yard"), FIRST_S, CAP_S), 5)


def test_reset_begins_again_at_the_first_delay() -> None:
    backoff = Backoff(Random(1), FIRST_S, CAP_S)
    assert backoff.is_fresh
    delays(backoff, 6)
    assert not backoff.is_fresh
    backoff.reset()
    assert backoff.is_fresh
    assert backoff.next_delay_s() <= 1 + JITTER


def test_the_longest_delay_is_the_cap_with_its_jitter() -> None:
    assert max(delays(Backoff(Random(3), FIRST_S, CAP_S), 500)) <= CAP_S * (1 + JITTER)
