from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.splice import (
    HOUR_S,
    MAX_BETWEEN_REORDERED,
    MIN_STEP_S,
    SLEW,
    TOLERANCE_S,
    WINDOW_S,
    Splice,
)
from camgate.wire.codec.frame import Frame

HZ = 90_000
FPS = 25
TICKS = HZ // FPS

BOUND_S = 0.04
"""How far media time may be from real time."""


def spliced(splice: Splice, rtp_time: int, arrival_s: float) -> int:
    return splice.map(Frame((), rtp_time & 0xFFFFFFFF, arrival_s, False)).rtp_time


def steps(times: Iterable[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


@dataclass
class Camera:
    """A camera on a network, picture by picture: `lies(t)` seconds are what its clock is wrong by at second t.

    jitter_s: pictures are delayed by up to so much, each by its own, without overtaking; stalls: a share of pictures
    with which the network begins to deliver nothing for up to 2 s, then all at once.
    """

    lies: Callable[[float], float] = lambda t: 0.0
    jitter_s: float = 0.0
    stalls: float = 0.0
    fps: float = FPS
    hz: int = HZ
    seed: int = 1
    times: list[int] = field(default_factory=list)
    errors_s: list[float] = field(default_factory=list)

    def run(self, splice: Splice, seconds: float, *, start_s: float = 0.0) -> "Camera":
        random = Random(self.seed)
        free_s = 0.0
        for number in range(round(seconds * self.fps)):
            taken_s = start_s + number / self.fps
            if random.random() < self.stalls:
                free_s = taken_s + random.uniform(0.2, 2.0)
            free_s = max(free_s, taken_s + random.uniform(0, self.jitter_s))
            stamp = round((taken_s + self.lies(taken_s - start_s)) * self.hz)
            self.times.append(spliced(splice, stamp, free_s))
            self.errors_s.append(self.times[-1] / self.hz - taken_s)
        return self

    def worst_s(self, *, after_s: float = 0.0) -> float:
        return max(map(abs, self.errors_s[round(after_s * self.fps) :]))


def drift(ppm: float) -> Callable[[float], float]:
    return lambda t: t * ppm * 1e-6


def stepping(every_s: float, step_s: float) -> Callable[[float], float]:
    return lambda t: t // every_s * step_s


def test_the_cameras_clock_is_followed_not_the_arrivals() -> None:
    splice = Splice()
    arrivals = [0.0, 0.09, 0.10, 0.12, 0.16]
    times = [spliced(splice, 1000 + number * TICKS, arrival) for number, arrival in enumerate(arrivals)]
    assert steps(times) == [TICKS] * 4


def test_media_time_is_the_time_of_undelayed_arrivals() -> None:
    splice = Splice()
    assert spliced(splice, 77, 1234.5) == round(1234.5 * HZ)


def test_timestamps_wrap_unseen() -> None:
    splice = Splice()
    times = [spliced(splice, 0xFFFFFFFF - 2 * TICKS + number * TICKS, number * 0.04) for number in range(6)]
    assert steps(times) == [TICKS] * 5


# One hour of a camera whose clock and network are bad.


@pytest.mark.parametrize("ppm", [-500, 500])
def test_an_hour_of_a_clock_that_drifts_over_a_network_that_jitters(ppm: int) -> None:
    splice = Splice()
    camera = Camera(drift(ppm), jitter_s=0.2, stalls=0.002, fps=15).run(splice, 3600)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= BOUND_S
    assert splice.jumps == 0


@pytest.mark.parametrize("step_s", [-3600, -2, -0.5, -0.1, -0.03, 0.03, 0.1, 0.5, 2, 3600])
def test_a_clock_that_is_set_every_minute(step_s: float) -> None:
    splice = Splice()

    def lies(t: float) -> float:
        return drift(-300)(t) + stepping(60, step_s)(t)

    camera = Camera(lies, jitter_s=0.02).run(splice, 300)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= BOUND_S
    assert splice.jumps == (4 if abs(step_s) > 0.2 else 0)


def test_an_hour_of_a_clock_that_is_set_anyhow_over_a_network_that_jitters() -> None:
    random = Random(1)
    offsets = [0.0]
    for _ in range(60):
        offsets.append(offsets[-1] + random.choice([-1, 1]) * random.choice([3600.0, 30.0, 1.5, 0.7, 0.3]))
    camera = Camera(lambda t: drift(200)(t) + offsets[int(t // 60)], jitter_s=0.2, fps=15).run(Splice(), 3600)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= BOUND_S


def test_what_is_slewed_is_slewed_unnoticeably() -> None:
    camera = Camera(drift(500), jitter_s=0.2).run(Splice(), 600)
    rates = [step / (TICKS * (1 + 500e-6)) for step in steps(camera.times)[round(2 * WINDOW_S * FPS) :]]
    assert min(rates) >= 1 - SLEW - 0.001
    assert max(rates) <= 1 + SLEW + 0.001


def test_two_tracks_whose_clocks_drift_apart_stay_together() -> None:
    video, sound = Splice(), Splice(48_000)
    pictures = Camera(drift(-300), jitter_s=0.1, seed=1).run(video, 600)
    packets = Camera(drift(300), jitter_s=0.1, seed=2, hz=48_000, fps=50).run(sound, 600)
    apart = [abs(picture - packet) for picture, packet in zip(pictures.errors_s, packets.errors_s[::2], strict=True)]
    assert max(apart[round(2 * WINDOW_S * FPS) :]) <= BOUND_S


def test_sound_is_moved_in_whole_steps_and_seldom() -> None:
    splice = Splice(8_000, least_correction_s=0.02)
    packets = Camera(drift(-100), jitter_s=0.02, hz=8_000, fps=10).run(splice, 3600)
    # Timestamps are rounded, 100 ppm of an hour are 360 ms, and each step is of 20 ms.
    uneven = [step for step in steps(packets.times) if step not in (799, 800)]
    assert set(uneven) <= {959, 960}
    assert len(uneven) in range(15, 20)
    assert packets.worst_s(after_s=2 * WINDOW_S) <= 0.06


# The network's part.


def test_frames_that_come_at_once_after_a_stall_keep_their_times() -> None:
    splice = Splice()
    times = [spliced(splice, number * TICKS, number * 0.04) for number in range(3)]
    times += [spliced(splice, number * TICKS, 4.0) for number in range(3, 100)]
    assert steps(times) == [TICKS] * 99


def test_a_pause_that_the_arrivals_show_too_is_no_jump() -> None:
    splice = Splice()
    times = [spliced(splice, 0, 0.0), spliced(splice, 15 * HZ, 15.1)]
    assert steps(times) == [15 * HZ]
    assert splice.jumps == 0


def test_a_first_frame_that_was_late_is_made_up_for_at_once() -> None:
    splice = Splice()
    spliced(splice, 0, 0.2)
    times = [spliced(splice, number * TICKS, 0.2 + 0.001 * number) for number in range(1, 6)]
    times += [spliced(splice, number * TICKS, number * 0.04) for number in range(6, 50)]
    assert min(steps(times)) >= MIN_STEP_S * HZ
    assert abs(times[-1] / HZ - 49 * 0.04) <= TOLERANCE_S


def test_pictures_from_before_the_session_do_not_delay_it() -> None:
    """Some cameras begin with the two seconds since their last key frame, all at once."""
    splice = Splice()
    times = [spliced(splice, number * TICKS, 10.0) for number in range(50)]
    assert set(steps(times)) == {round(MIN_STEP_S * HZ)}
    times += [spliced(splice, (50 + number) * TICKS, 10.04 + number * 0.04) for number in range(25)]
    assert abs(times[-1] / HZ - 11.0) <= TOLERANCE_S


def test_a_network_that_becomes_slow_and_fast_again() -> None:
    splice = Splice()
    camera = Camera().run(splice, 60)
    slow = [spliced(splice, round(t * HZ), t + 0.15) / HZ - t for t in (60 + number / FPS for number in range(2500))]
    assert slow[0] == pytest.approx(0.0, abs=0.001)
    assert slow[-1] == pytest.approx(0.15, abs=0.02)
    fast = [spliced(splice, round(t * HZ), t) / HZ - t for t in (160 + number / FPS for number in range(100))]
    assert abs(fast[10]) <= TOLERANCE_S + 0.001
    assert camera.worst_s() < 0.001


# Sessions.


def test_a_new_session_goes_on_after_the_pause() -> None:
    splice = Splice()
    before = spliced(splice, 5, 10.0)
    splice.begin_session()
    after = [spliced(splice, 0x80000000, 17.5), spliced(splice, 0x80000000 + TICKS, 17.54)]
    assert steps([before, *after]) == [round(7.5 * HZ), TICKS]
    assert splice.jumps == 0


def test_a_long_pause_is_shortened_by_whole_hours() -> None:
    video, sound = Splice(), Splice(48_000)
    for splice in (video, sound):
        spliced(splice, 5, 10.0)
        splice.begin_session()
    pause_s = 27 * HOUR_S + 12.5
    after = spliced(video, 5, 10.0 + pause_s)
    assert after == round(22.5 * HZ)
    assert spliced(sound, 5, 10.0 + pause_s + 0.25) / 48_000 == after / HZ + 0.25


# What the clock may do.


@pytest.mark.parametrize("jump_s", [-7200, -1.5, 1.5, 9, 7200])
def test_a_clock_that_is_set_shows_as_the_time_between_arrivals(jump_s: float) -> None:
    splice = Splice()
    before = spliced(splice, 10**6, 0.0)
    jumped = 10**6 + round(jump_s * HZ)
    after = [spliced(splice, jumped + number * TICKS, 0.05 + number * 0.04) for number in range(3)]
    assert steps([before, *after]) == [round(0.05 * HZ), TICKS, TICKS]
    assert splice.jumps == 1


def test_a_clock_that_is_set_within_a_burst_does_not_count_as_an_interval() -> None:
    splice = Splice()
    times = [spliced(splice, stamp, 0.0) for stamp in (0, TICKS, 961 * HZ, 961 * HZ, 961 * HZ, 961 * HZ + TICKS)]
    assert min(steps(times)) > 0
    assert times[-1] < 0.5 * HZ


def in_groups(pattern: list[int], groups: int) -> list[int]:
    """Return the display order of frames in decoding order, group after group."""
    return [0] + [1 + group * len(pattern) + place for group in range(groups) for place in pattern]


@pytest.mark.parametrize(
    "pattern", [[2, 0, 1], [1, 0], [7, 3, 1, 0, 2, 5, 4, 6]], ids=["two B-frames", "one", "seven, as a pyramid"]
)
def test_b_frames_rise_and_the_clock_does_not_drift(pattern: list[int]) -> None:
    splice = Splice()
    order = in_groups(pattern, 150)
    frames = [splice.map(Frame((), place * TICKS, number * 0.04, False)) for number, place in enumerate(order)]
    times = [frame.rtp_time for frame in frames]
    assert min(steps(times)) > 0
    assert splice.jumps == 0
    length = len(pattern)
    assert abs((times[-1] - times[0]) - (len(times) - 1) * TICKS) < (length + 1) * TICKS
    # The settled half: pictures are shown at regular distances, though they come in another order.
    shown = sorted(frame.display_time for frame in frames[len(frames) // 2 :])
    assert all(abs(step - TICKS) <= 0.1 * TICKS for step in steps(shown)[length:-length])
    assert {frame.camera_time for frame in frames} == {place * TICKS for place in order}


def test_b_frames_of_a_session_that_begins_in_their_midst() -> None:
    splice = Splice()
    Camera().run(splice, 20)
    splice.begin_session()
    order = in_groups([2, 0, 1], 300)
    times = [spliced(splice, place * TICKS, 30 + number * 0.04) for number, place in enumerate(order)]
    assert min(steps(times)) > 0
    assert abs(times[-1] / HZ - (30 + len(order) * 0.04)) < 0.15


def test_a_clock_that_stands_still_is_replaced_by_the_arrivals() -> None:
    splice = Splice()
    camera = Camera(lambda t: -t, jitter_s=0.05).run(splice, 120)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= 0.1


def test_a_clock_that_runs_backward_is_replaced_by_the_arrivals() -> None:
    splice = Splice()
    camera = Camera(lambda t: -2 * t, jitter_s=0.05).run(splice, 120)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= 0.1


@pytest.mark.parametrize("claimed", [10, 15, 40, 60])
def test_a_clock_that_counts_pictures_of_another_rate_is_replaced(claimed: int) -> None:
    """Timestamps of 25 pictures a second, as the camera was set, while it takes more or fewer."""
    splice = Splice()
    camera = Camera(lambda t: t * (claimed / FPS - 1), fps=FPS, jitter_s=0.02).run(splice, 240)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=120) <= 0.1


def test_a_clock_that_comes_to_its_senses_is_believed_again() -> None:
    splice = Splice()
    Camera(lambda t: -t, jitter_s=0.05).run(splice, 60)
    camera = Camera(jitter_s=0.05).run(splice, 120, start_s=60)
    assert camera.worst_s(after_s=60) <= BOUND_S
    late = camera.times[-500:]
    assert max(abs(step - TICKS) for step in steps(late)) <= SLEW * TICKS + 1


def test_a_small_step_back_is_bridged_at_once() -> None:
    splice = Splice()
    assert MAX_BETWEEN_REORDERED < 100
    times = [spliced(splice, number * TICKS, number * 0.04) for number in range(100)]
    times += [spliced(splice, number * TICKS - HZ // 2, number * 0.04) for number in range(100, 160)]
    assert steps(times) == [TICKS] * 159
    assert splice.jumps == 1


def test_a_clock_that_paused_with_its_camera_is_caught_up_with() -> None:
    splice = Splice()
    Camera().run(splice, 20)
    camera = Camera(lambda t: -5.0).run(splice, 100, start_s=25)
    assert camera.worst_s(after_s=60) <= BOUND_S
    assert splice.jumps == 1


# Anything.

arrival_steps = st.floats(0, 3, allow_nan=False)
camera_steps = st.one_of(st.just(TICKS), st.integers(-2 * HZ, 12 * HZ), st.integers(0, 0xFFFFFFFF))
moves_of_anything = st.lists(st.tuples(camera_steps, arrival_steps, st.sampled_from([False] * 9 + [True])), max_size=80)


def play(splice: Splice, moves: list[tuple[int, float, bool]]) -> tuple[list[int], float]:
    """Map frames that move by (camera ticks, seconds of arrival, whether a session begins); return times, the end."""
    rtp_time, arrival_s = 0, 0.0
    times = [spliced(splice, rtp_time, arrival_s)]
    for camera_step, arrival_step, new_session in moves:
        rtp_time += camera_step
        arrival_s += arrival_step
        if new_session:
            splice.begin_session()
        times.append(spliced(splice, rtp_time, arrival_s))
    return times, arrival_s


@given(moves_of_anything)
def test_time_always_rises(moves: list[tuple[int, float, bool]]) -> None:
    times, _ = play(Splice(), moves)
    assert all(step > 0 for step in steps(times))


@given(moves_of_anything)
def test_whatever_came_before_a_good_clock_is_right_again(moves: list[tuple[int, float, bool]]) -> None:
    splice = Splice()
    _, end_s = play(splice, moves)
    camera = Camera(fps=4).run(splice, 150, start_s=end_s + 0.2)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=140) <= BOUND_S


@given(moves_of_anything, st.floats(0, 0.2), st.integers(-500, 500), st.integers())
def test_any_drift_and_jitter_stays_within_the_bound(
    moves: list[tuple[int, float, bool]], jitter_s: float, ppm: int, seed: int
) -> None:
    splice = Splice()
    _, end_s = play(splice, moves[:10])
    splice.begin_session()
    camera = Camera(drift(ppm), jitter_s=jitter_s, seed=seed).run(splice, 40, start_s=end_s + 1)
    assert min(steps(camera.times)) > 0
    assert camera.worst_s(after_s=2 * WINDOW_S) <= BOUND_S + 0.02


def test_key_frames_behind_b_frames_are_shown_in_their_place() -> None:
    splice = Splice()
    order = [group * 7 + place for group in range(150) for place in (0, 3, 1, 2, 6, 4, 5)]
    frames = [splice.map(Frame((), place * TICKS, number * 0.04, False)) for number, place in enumerate(order)]
    shown = sorted(frame.display_time for frame in frames[len(frames) // 2 :])
    assert all(abs(step - TICKS) <= 0.1 * TICKS for step in steps(shown)[7:-7])
    assert min(steps([frame.rtp_time for frame in frames])) > 0
