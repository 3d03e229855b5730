from random import Random

from camgate.base.backoff import JITTER, Backoff
from camgate.ingest.backoff import DENIED_CAP_S, DENIED_FIRST_S, KNOCK_FAST_FOR_S, knock_period_s


def test_no_login_is_repeated_within_a_minute_whatever_the_jitter() -> None:
    for seed in range(200):
        backoff = Backoff(Random(seed), DENIED_FIRST_S, DENIED_CAP_S)
        assert all(60 <= delay <= DENIED_CAP_S * (1 + JITTER) for delay in [backoff.next_delay_s() for _ in range(5)])


def test_knocking_slows_down_after_a_minute() -> None:
    assert knock_period_s(0) == 0.25
    assert knock_period_s(KNOCK_FAST_FOR_S - 0.01) == 0.25
    assert knock_period_s(KNOCK_FAST_FOR_S) == 1.0
