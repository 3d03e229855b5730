"""Lip sync in virtual time: honest cameras are followed, liars move nothing far, and nothing ever jumps."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.lip_sync import AGREE_S, MAX_SKEW_S, SLEW, Kind, LipSync

VIDEO, AUDIO = Kind.VIDEO, Kind.AUDIO
INTERVAL_S = 5.0


def report(sync: LipSync, now: float, skew_s: float, clock_s: float = 1.7e9) -> None:
    """Let an honest camera report on both tracks, whose sound arrives `skew_s` sooner than its pictures do."""
    # Media time is when frames arrive: pictures 0.2 s after they were taken, sound 0.2 s less the skew.
    sync.note_report(VIDEO, now + clock_s - 0.2, now, now)
    sync.note_report(AUDIO, now + clock_s - 0.2 + skew_s, now, now)


def settle(sync: LipSync, now: float, seconds: float = 200.0) -> float:
    for _ in range(int(seconds)):
        now += 1.0
        sync.skew_s(now)
    return sync.skew_s(now)


def test_without_reports_sound_is_played_as_it_arrives() -> None:
    assert settle(LipSync(), 0.0) == 0.0


@given(skew_s=st.floats(-1.9, 1.9), clock_s=st.floats(-1e9, 4e9))
def test_an_honest_camera_is_followed_whatever_year_it_believes_in(skew_s: float, clock_s: float) -> None:
    sync = LipSync()
    for number in range(2):
        report(sync, 1000 + INTERVAL_S * number, skew_s, clock_s)
    assert settle(sync, 1010.0) == pytest.approx(skew_s, abs=1e-5)


def test_one_report_proves_nothing() -> None:
    sync = LipSync()
    report(sync, 0.0, 0.3)
    assert settle(sync, 0.0) == 0.0


@pytest.mark.parametrize("skew_s", [-3600.0, -2.5, 2.5, 7200.0])
def test_tracks_with_clocks_of_their_own_are_not_compared(skew_s: float) -> None:
    sync = LipSync()
    for number in range(4):
        report(sync, INTERVAL_S * number, skew_s)
    assert settle(sync, 20.0) == 0.0


def test_reports_about_long_ago_are_not_believed() -> None:
    sync = LipSync()
    for number in range(4):
        now = 100 + INTERVAL_S * number
        sync.note_report(VIDEO, now, now, now)
        sync.note_report(AUDIO, now, now - 60, now)
        sync.note_report(AUDIO, math.nan, math.nan, now)
    assert settle(sync, 120.0) == 0.0


@given(step_s=st.floats(-3600, 3600).filter(lambda step: abs(step) > AGREE_S), order=st.booleans())
def test_a_clock_that_is_set_between_the_reports_of_two_tracks_moves_nothing(step_s: float, order: bool) -> None:
    sync = LipSync()
    for number in range(3):
        report(sync, INTERVAL_S * number, 0.1)
    before = settle(sync, 15.0)
    first, second = (VIDEO, AUDIO) if order else (AUDIO, VIDEO)
    skews = {VIDEO: -0.2, AUDIO: -0.1}
    now, clock_s = 300.0, 1.7e9
    sync.note_report(first, now + clock_s + skews[first], now, now)
    for _ in range(4):
        clock_s += step_s
        step_s = 0.0
        sync.note_report(second, now + clock_s + skews[second], now, now)
        now += INTERVAL_S
        assert sync.skew_s(now) == pytest.approx(before, abs=1e-5)
        sync.note_report(first, now + clock_s + skews[first], now, now)


def test_a_new_session_keeps_the_sound_where_it_was_until_it_is_told_otherwise() -> None:
    sync = LipSync()
    for number in range(2):
        report(sync, INTERVAL_S * number, 0.4)
    assert settle(sync, 10.0) == pytest.approx(0.4)
    sync.begin_session()
    report(sync, 300.0, 0.1, clock_s=5.0)
    assert settle(sync, 300.0) == pytest.approx(0.4)
    report(sync, 505.0, 0.1, clock_s=5.0)
    assert settle(sync, 505.0) == pytest.approx(0.1)


_REPORTS = st.lists(
    st.tuples(
        st.sampled_from([VIDEO, AUDIO]),
        st.floats(-5000, 5000) | st.just(-2_208_988_800.0),
        st.floats(-20, 20),
        st.floats(0, 20),
    ),
    max_size=60,
)


@given(_REPORTS)
def test_whatever_a_camera_says_nothing_jumps_and_nothing_goes_far(
    reports: list[tuple[Kind, float, float, float]],
) -> None:
    sync, now = LipSync(), 0.0
    skew_s = sync.skew_s(now)
    for kind, camera_s, late_s, pause_s in reports:
        now += pause_s
        sync.note_report(kind, camera_s, now - late_s, now)
        moved_s, skew_s = sync.skew_s(now) - skew_s, sync.skew_s(now)
        assert abs(moved_s) <= SLEW * pause_s + 1e-9
        assert abs(skew_s) <= MAX_SKEW_S


@pytest.mark.parametrize("seed", range(3))
def test_an_hour_with_jitter_steps_and_drift(seed: int) -> None:
    random, sync = Random(seed), LipSync()
    now, clock_s, worst_s = 0.0, 1.7e9, 0.0
    while now < 3600:
        now += INTERVAL_S
        if random.random() < 0.02:
            clock_s += random.choice([-3600, -0.5, 0.3, 86_400])
        # Oscillators of both tracks drift together; what their reports are written by is some milliseconds off.
        drift_s = 1e-4 * now
        for kind, skew_s in ((VIDEO, 0.0), (AUDIO, 0.15)):
            jitter_s = random.uniform(-0.01, 0.01)
            sync.note_report(kind, now + clock_s + drift_s + skew_s + jitter_s, now, now)
        if now > 30:
            worst_s = max(worst_s, abs(sync.skew_s(now) - 0.15))
    assert worst_s < 0.04
