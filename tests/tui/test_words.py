"""Figures as short texts: never wider than their columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.tui.facts import read_camera, read_process
from camgate.tui.words import bits, of_cameras, of_process, size, span, sparkline
from tests.fakes.engine import camera_facts, server_facts


@pytest.mark.parametrize(
    ("time_s", "words"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.0404, "40 ms"),
        (0.9996, "1.0 s"),
        (9.96, "10 s"),
        (99, "99 s"),
        (240, "4 min"),
        (86_400, "24 h"),
        (1_000_000, "12 d"),
    ],
)
def test_spans(time_s: float | None, words: str) -> None:
    assert span(time_s) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(None, ""), (0, "0 kb"), (640_000, "640 kb"), (999_600, "1.0 Mb"), (2_100_000, "2.1 Mb")]
)
def test_bit_rates(rate: float | None, words: str) -> None:
    assert bits(rate) == words


def test_sizes() -> None:
    assert [size(None), size(61_000_000), size(1_200_000_000)] == ["", "61 MB", "1.2 GB"]


@given(st.floats(0, 1e8), st.floats(0, 1e10))
def test_they_fit_their_columns(time_s: float, rate_bps: float) -> None:
    assert len(span(time_s)) <= 6
    assert len(bits(rate_bps)) <= 8


def test_a_sparkline_goes_from_nothing_to_the_largest_and_is_as_wide_as_asked() -> None:
    assert sparkline((0, 4, 8), 5) == "  ▁▅█"
    assert sparkline((1, 1, 0, 8), 2) == "▁█"
    assert sparkline((0, 0), 3) == " ▁▁"
    assert (sparkline((), 2), sparkline((1,), 0)) == ("  ", "")


def test_cameras_are_counted_by_how_they_are() -> None:
    states = [
        {},
        {"healthy": False},
        {"state": "stalled"},
        {"state": "idle", "demand": "idle"},
        {"state": "backoff", "demand": "watched"},
    ]
    cameras = [read_camera(camera_facts(f"c{number}") | facts, 0.0) for number, facts in enumerate(states)]
    assert of_cameras(filter(None, cameras)) == "5 cameras: 2 live, 2 down, 1 idle, 1 live but unwell"
    assert of_cameras([]) == "0 cameras"


def test_the_process_is_one_line() -> None:
    told = server_facts() | {
        "viewers": 3,
        "viewers_by_transport": {"udp": 2, "tcp": 1, "connecting": 0},
        "at_limit": ["load"],
        "rtsp": {"clients": 1},
        "joins_refused": {"load": 4},
    }
    assert of_process(read_process(told)) == (
        "3 viewers (2 udp, 1 tcp) · 1 RTSP client · load 10% of a core · lag 1 ms · delay 0 ms · memory 60 MB · "
        "4 joins refused · at its limit: load"
    )
    assert of_process(None) == "no figures of the process"
