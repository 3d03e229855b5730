"""A viewer's pace: found by what is lost, raised again step by step."""

import pytest

from camgate.serve.webrtc import pace
from camgate.serve.webrtc.pace import Pace
from camgate.serve.webrtc.packets import PacketizedFrame

STREAM = 250_000.0
FOUND = (PacketizedFrame([b"payload"], 7, 0, False), 0, 0)


def test_a_lost_burst_says_more_than_a_lost_frame() -> None:
    assert Pace(0, STREAM, in_burst=True).bytes_per_s == pace.BURST_FACTOR * STREAM
    assert Pace(0, STREAM, in_burst=False).bytes_per_s == pace.FIRST_FACTOR * STREAM


def test_it_falls_no_lower_than_a_little_above_the_stream() -> None:
    one = Pace(0, STREAM, in_burst=False)
    for turn in range(20):
        one.slow_down(float(turn), 100 * turn, STREAM)
    assert one.bytes_per_s == pace.LEAST_FACTOR * STREAM
    assert one.since_index == 1_900


def test_a_stream_whose_rate_is_unknown_is_sent_all_the_same() -> None:
    assert Pace(0, 0.0, in_burst=True).rest_s(1_200, 0.0) < 0.05


def test_a_limit_is_kept_away_from_while_it_is_remembered() -> None:
    one = Pace(0, STREAM, in_burst=False)
    one.slow_down(0.0, 0, STREAM)
    for second in range(1, 60):
        assert one.speed_up(float(second), STREAM)
    assert one.bytes_per_s == pytest.approx(pace.SAFE * pace.FIRST_FACTOR * STREAM)
    groups = 0
    while one.speed_up(61.0, STREAM):
        groups += 1
    assert groups < 10, "a path that takes everything loses its pace"


def test_a_limit_that_is_found_again_is_remembered_for_longer() -> None:
    one = Pace(0, STREAM, in_burst=False)
    one.slow_down(0.0, 0, STREAM)
    one.slow_down(61.0, 0, STREAM)
    limit = pace.SAFE * pace.SLOWER * pace.FIRST_FACTOR * STREAM
    for _ in range(20):
        one.speed_up(61.0 + 1.9 * pace.REMEMBERED_S, STREAM)
    assert one.bytes_per_s <= limit * 1.001


def test_what_is_sent_takes_its_time() -> None:
    one = Pace(0, 100_000.0, in_burst=True)
    assert one.rest_s(1_500, 5.0) == pytest.approx(0.01)
    assert one.rest_s(1_500, 5.0) == pytest.approx(0.02)
    assert one.rest_s(1_500, 9.0) == pytest.approx(0.01), "time that nothing was sent in is not made up for"


def test_repeats_go_oldest_first_and_once() -> None:
    one = Pace(0, STREAM, in_burst=True)
    for index in (9, 7, 9, 8):
        one.repeat(index, FOUND)
    assert one.repeats == 3
    assert one.will_repeat(7)
    assert [one.next_repeat(), one.next_repeat()] == [(7, FOUND), (8, FOUND)]
    assert not one.will_repeat(7)
    one.forget_repeats()
    assert one.next_repeat() is None
    assert not one.will_repeat(9)
