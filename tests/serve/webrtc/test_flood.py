"""What is said of a flood of strangers, how often, and that viewers do not pay for what we did not hear."""

import pytest

from camgate.serve.webrtc.flood import (
    DEAF_TIMEOUT_S,
    LOG_INTERVAL_S,
    MANY_STRANGERS_PER_S,
    SILENCE_TIMEOUT_S,
    FloodWatch,
)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "flood at the port" in record.getMessage()]


def test_a_flood_is_said_once_a_minute_with_its_size(caplog: pytest.LogCaptureFixture) -> None:
    watch = FloodWatch(0.0)
    for second in range(1, int(2 * LOG_INTERVAL_S) + 1):
        watch.look(float(second), 100_000 * second, 0)
    first, second_line = _lines(caplog)
    assert "unknown=100000 " in first
    assert "unknown=6000000 " in second_line
    assert "since_s=60" in second_line


def test_a_few_strangers_are_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    watch = FloodWatch(0.0)
    for second in range(1, 100):
        watch.look(float(second), MANY_STRANGERS_PER_S * second, 0)
    assert not _lines(caplog)


def test_lost_datagrams_are_worth_a_line_and_make_us_patient(caplog: pytest.LogCaptureFixture) -> None:
    watch = FloodWatch(0.0)
    watch.look(1.0, 0, 0)
    assert watch.silence_timeout_s(1.0) == SILENCE_TIMEOUT_S
    watch.look(2.0, 0, 7)
    assert "lost=7" in _lines(caplog)[0]
    assert watch.silence_timeout_s(2.0) == DEAF_TIMEOUT_S
    watch.look(3.0, 0, 7)
    # Who was not heard during the flood gets the usual time to be heard after it.
    assert watch.silence_timeout_s(2.0 + SILENCE_TIMEOUT_S) == DEAF_TIMEOUT_S
    assert watch.silence_timeout_s(2.1 + SILENCE_TIMEOUT_S) == SILENCE_TIMEOUT_S
