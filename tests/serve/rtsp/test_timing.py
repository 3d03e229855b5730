"""Timestamps of a client's track: the cached pictures are squeezed, in order, and end where the live ones go on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.rtsp.timing import JOIN_SPACING_S, SessionClock, Timeline
from camgate.wire.codec.frame import Frame

HZ, TICKS = 90_000, 3600
SPACING = round(JOIN_SPACING_S * HZ)
START = 2**32 - 100


def frames(places: list[int], origin: int = 2**33) -> list[Frame]:
    """Return pictures, in decoding order, that are shown at these places of a 25 fps stream."""
    made = []
    for number, place in enumerate(places):
        frame = Frame((), origin + max(places[: number + 1]) * TICKS, number * 0.04, number == 0)
        frame.display_time = origin + place * TICKS
        made.append(frame)
    return made


def marks(timeline: Timeline, shown: list[Frame]) -> list[int]:
    return [(timeline.timestamp(frame.display_time) - START) % 2**32 for frame in shown]


def test_cached_frames_end_where_live_ones_go_on() -> None:
    cached = frames(list(range(52)))
    timeline = Timeline(START, HZ, cached=cached[:50])
    newest = 49 * SPACING
    assert timeline.lead == newest
    assert marks(timeline, cached) == [*range(0, newest + 1, SPACING), newest + TICKS, newest + 2 * TICKS]


def test_a_faster_camera_is_not_slowed_down() -> None:
    cached = frames([0, 1, 2])
    for frame in cached:
        frame.display_time //= 20
    timeline = Timeline(START, HZ, cached=cached)
    assert timeline.lead == 2 * TICKS // 20


ORDERS = [[0, 3, 1, 2], [0, 2, 1], [0, 1], [0, 4, 2, 1, 3]]


@given(st.sampled_from(ORDERS), st.integers(1, 120), st.integers(1, 40))
def test_pictures_keep_their_order_across_the_join(order: list[int], cached_count: int, live_count: int) -> None:
    span = max(order)
    places = [0, *(group * span + place for group in range(200) for place in order[1:])]
    made = frames(places[: cached_count + live_count])
    timeline = Timeline(START, HZ, cached=made[:cached_count])
    shown = sorted(made, key=lambda frame: frame.display_time)
    seen = [(frame.display_time, mark) for frame, mark in zip(shown, marks(timeline, shown), strict=True)]
    assert all(later > earlier for (_, earlier), (_, later) in pairwise(seen))


def test_without_cached_frames_time_begins_at_the_first_or_where_it_is_told_to() -> None:
    first, second = frames([7, 8])
    assert marks(Timeline(START, HZ), [first, second]) == [0, TICKS]
    at = first.display_time - 5 * TICKS
    assert marks(Timeline(START, HZ, at=at), [first, second]) == [5 * TICKS, 6 * TICKS]


def test_one_cached_frame_is_at_the_start() -> None:
    cached = frames([3, 4])
    timeline = Timeline(START, HZ, cached=cached[:1])
    assert (timeline.lead, marks(timeline, cached)) == (0, [0, TICKS])


@pytest.mark.parametrize("clock_hz", [90_000, 48_000, 8_000])
def test_all_tracks_of_a_session_have_one_clock(clock_hz: int) -> None:
    clock = SessionClock(epoch_s=1_790_000_000.0)
    assert clock.media_time(10.5, clock_hz) == 10.5 * clock_hz
    assert clock.unix_time_s(10.5) == 1_790_000_010.5


def test_hours_that_the_streams_skipped_are_skipped_too() -> None:
    clock = SessionClock(epoch_s=0.0)
    frame = Frame((), round((20_000.0 - 2 * 3600 - 0.02) * HZ), 20_000.0, True)
    clock.follow(frame, HZ)
    assert clock.media_time(20_000.0, HZ) == (20_000 - 7200) * HZ
    assert clock.media_time(20_000.0, 8000) == (20_000 - 7200) * 8000
