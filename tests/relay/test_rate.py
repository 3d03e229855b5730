import pytest

from camgate.relay.rate import STEP_S, WINDOW_S, RateMeter


def test_a_steady_stream() -> None:
    meter = RateMeter()
    for number in range(1000):
        meter.count(10_000, number * 0.04)
    fps, bitrate_bps = meter.rates(999 * 0.04)
    assert fps == pytest.approx(25, rel=0.02)
    assert bitrate_bps == pytest.approx(25 * 80_000, rel=0.02)
    assert (meter.frames, meter.bytes) == (1000, 10_000_000)


def test_only_the_last_seconds_count() -> None:
    meter = RateMeter()
    for number in range(300):
        meter.count(1, number * 0.04)
    for number in range(60):
        meter.count(1, 12 + number * 0.1)
    assert meter.rates(18)[0] == pytest.approx(10, rel=0.05)


def test_falls_to_zero_when_the_stream_stops() -> None:
    meter = RateMeter()
    for number in range(200):
        meter.count(100, number * 0.04)
    falling = [meter.rates(8 + seconds)[0] for seconds in (0, 1, 2, 3)]
    assert falling == sorted(falling, reverse=True)
    assert meter.rates(8 + WINDOW_S) == (0.0, 0.0)


def test_nothing_is_no_rate() -> None:
    assert RateMeter().rates(5.0) == (0.0, 0.0)


def test_a_burst_at_the_start_is_no_wild_rate() -> None:
    meter = RateMeter()
    for _ in range(10):
        meter.count(1, 0.0)
    assert meter.rates(0.0)[0] == 10 / STEP_S


def test_holds_few_marks_however_many_frames() -> None:
    meter = RateMeter()
    for number in range(10_000):
        meter.count(1, number * 0.001)
    assert len(meter._marks) <= WINDOW_S / STEP_S + 1
