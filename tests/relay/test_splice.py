from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.splice import MAX_AHEAD_S, MAX_HELD_FRAMES, Splice
from camgate.wire.codec.frame import Frame

HZ = 90_000
TICKS = 3600


def spliced(splice: Splice, rtp_time: int, arrival_s: float) -> int:
    return splice.map(Frame((), rtp_time & 0xFFFFFFFF, arrival_s, False)).rtp_time


def steps(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_the_cameras_clock_is_followed_not_the_arrivals() -> None:
    splice = Splice()
    arrivals = [0.0, 0.09, 0.10, 0.12, 0.16]
    times = [spliced(splice, 1000 + number * TICKS, arrival) for number, arrival in enumerate(arrivals)]
    assert steps(times) == [TICKS] * 4


def test_timestamps_wrap_unseen() -> None:
    splice = Splice()
    times = [spliced(splice, 0xFFFFFFFF - 2 * TICKS + number * TICKS, number * 0.04) for number in range(6)]
    assert steps(times) == [TICKS] * 5


def test_a_new_session_goes_on_after_the_pause() -> None:
    splice = Splice()
    before = spliced(splice, 5, 10.0)
    splice.begin_session()
    after = [spliced(splice, 0x80000000, 17.5), spliced(splice, 0x80000000 + TICKS, 17.54)]
    assert steps([before, *after]) == [round(7.5 * HZ), TICKS]
    assert splice.jumps == 0


def test_a_long_pause_is_shortened_to_what_32_bits_can_tell() -> None:
    splice = Splice()
    before = spliced(splice, 5, 10.0)
    splice.begin_session()
    assert 0 < spliced(splice, 5, 100_000.0) - before < 2**31


@pytest.mark.parametrize("jump_s", [-7200, -1.5, 1.5, 9, 7200])
def test_a_clock_that_is_set_shows_as_the_time_between_arrivals(jump_s: float) -> None:
    splice = Splice()
    before = spliced(splice, 10**6, 0.0)
    jumped = 10**6 + round(jump_s * HZ)
    after = [spliced(splice, jumped + number * TICKS, 0.05 + number * 0.04) for number in range(3)]
    assert steps([before, *after]) == [round(0.05 * HZ), TICKS, TICKS]
    assert splice.jumps == 1


def test_a_pause_that_the_arrivals_show_too_is_no_jump() -> None:
    splice = Splice()
    times = [spliced(splice, 0, 0.0), spliced(splice, 15 * HZ, 15.1)]
    assert steps(times) == [15 * HZ]
    assert splice.jumps == 0


def test_frames_that_come_at_once_after_a_stall_keep_their_times() -> None:
    splice = Splice()
    times = [spliced(splice, number * TICKS, 0.0) for number in range(3)]
    times += [spliced(splice, number * TICKS, 5.0) for number in range(3, 100)]
    assert steps(times) == [TICKS] * 99


def test_b_frames_rise_and_the_clock_does_not_drift() -> None:
    splice = Splice()
    display = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8] * 10
    for group in range(10):
        display[group * 10 : group * 10 + 10] = [place + group * 10 for place in display[group * 10 : group * 10 + 10]]
    times = [spliced(splice, place * TICKS, number * 0.04) for number, place in enumerate(display)]
    assert min(steps(times)) > 0
    assert abs((times[-1] - times[0]) - 99 * TICKS) < 4 * TICKS
    assert splice.jumps == 0


def test_a_clock_that_stands_still_is_replaced_by_the_arrivals() -> None:
    splice = Splice()
    times = [spliced(splice, 77, number * 0.04) for number in range(100)]
    assert steps(times) == [TICKS] * 99


def test_a_small_step_back_is_made_up_for_soon() -> None:
    splice = Splice()
    times = [spliced(splice, number * TICKS, number * 0.04) for number in range(10)]
    times += [spliced(splice, number * TICKS - HZ // 2, number * 0.04) for number in range(10, 60)]
    assert steps(times) == [TICKS] * 59
    # From here the camera's own spacing counts again.
    assert splice._held_frames <= MAX_HELD_FRAMES
    assert spliced(splice, 60 * TICKS - HZ // 2, 60.5 * 0.04) - times[-1] == TICKS


arrival_steps = st.floats(0, 3, allow_nan=False)
camera_steps = st.one_of(st.just(TICKS), st.integers(-2 * HZ, 12 * HZ), st.integers(0, 0xFFFFFFFF))


@given(st.lists(st.tuples(camera_steps, arrival_steps, st.sampled_from([False] * 9 + [True])), max_size=80))
def test_time_always_rises_and_never_runs_ahead_of_the_arrivals(moves: list[tuple[int, float, bool]]) -> None:
    splice = Splice()
    rtp_time, arrival_s = 0, 0.0
    last = spliced(splice, rtp_time, arrival_s)
    for camera_step, arrival_step, new_session in moves:
        rtp_time += camera_step
        arrival_s += arrival_step
        if new_session:
            splice.begin_session()
        output = spliced(splice, rtp_time, arrival_s)
        assert output > last
        # B-frames may leap from a held time back to the camera's; nothing else exceeds the allowance.
        assert output - last <= round(arrival_step * HZ) + 2 * round(MAX_AHEAD_S * HZ) + HZ
        last = output
