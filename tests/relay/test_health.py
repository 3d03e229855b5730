from dataclasses import replace

import pytest

from camgate.config.model import HealthSettings
from camgate.relay.health import Health, HealthJudge, Observation

RULES = HealthSettings()
LIVE = Observation(
    is_idle=False,
    is_live=True,
    trouble=None,
    sessions=1,
    frames=0,
    frame_age_s=0.04,
    key_frame_age_s=1.0,
    packets=0,
    packets_lost=0,
    claimed_fps=25.0,
)
AWAY = replace(LIVE, is_live=False, trouble="192.0.2.7:554 refuses the connection")


class Looks:
    """A camera that is looked at each period; `look` says what it did in that time."""

    def __init__(self, seen: Observation = LIVE, **configured: float) -> None:
        self.judge = HealthJudge(RULES, **configured)
        self.seen = seen
        self.now = 1000.0
        self.look(0)

    def look(self, fps: float, *, lost: int = 0, times: int = 1, **changes: object) -> Health:
        for _ in range(times):
            frames = round(fps * RULES.period_s)
            self.seen = replace(
                self.seen,
                frames=self.seen.frames + frames,
                packets=self.seen.packets + 10 * frames,
                packets_lost=self.seen.packets_lost + lost,
                **changes,  # type: ignore[arg-type]
            )
            self.now += RULES.period_s
            self.judge.look(self.seen, self.now)
        return self.judge.health


def test_a_camera_that_sends_what_it_claims_is_well() -> None:
    looks = Looks()
    assert looks.look(25, times=10) == Health(expected_fps=25)
    assert looks.look(9, times=10).healthy, "many cameras send fewer frames at night"


def test_it_takes_three_bad_looks_in_a_row_and_one_good_one() -> None:
    looks = Looks()
    looks.look(25)
    assert looks.look(3, times=2).healthy
    assert looks.look(25).healthy
    assert looks.look(3, times=2).healthy
    assert looks.look(3) == Health(False, "3 frames a second instead of 25", 25)
    assert looks.look(25) == Health(True, None, 25)


def test_a_camera_that_is_away_is_unhealthy_for_the_reason_that_it_gives() -> None:
    looks = Looks(AWAY)
    assert looks.look(0).healthy
    assert looks.look(0) == Health(False, AWAY.trouble, 25)
    assert not looks.look(0, trouble=None, times=5).healthy
    assert looks.judge.health.reason == "it is being connected, and has sent no picture yet"
    assert looks.look(0, is_live=True).healthy, "it has only just come: nothing is known against it"


def test_a_camera_that_connects_anew_all_the_time() -> None:
    looks = Looks()
    looks.look(25)
    for sessions in (2, 3, 4):
        health = looks.look(25, sessions=sessions)
    assert health.reason == "its connection is lost and made anew all the time"
    assert looks.look(25).healthy


def test_one_reconnect_is_no_illness() -> None:
    looks = Looks()
    assert looks.look(25, sessions=2).healthy
    assert looks.look(25).healthy
    assert looks.judge._misses == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fps": 25, "key_frame_age_s": 90.0}, "no key frame for 90 s"),
        ({"fps": 25, "lost": 300}, "19 % of its packets are lost on the way"),
        ({"fps": 0, "frame_age_s": 12.3}, "no whole picture for 12 s"),
    ],
)
def test_reasons(changes: dict[str, float], reason: str) -> None:
    looks = Looks()
    assert looks.look(**changes, times=RULES.misses).reason == reason  # type: ignore[arg-type]


def test_loss_is_that_of_the_latest_period() -> None:
    looks = Looks()
    assert looks.look(25, lost=1250).loss == pytest.approx(0.5)
    assert looks.look(25).loss == 0
    assert looks.look(25, lost=-5).loss == 0, "late packets are found again"


def test_a_camera_that_claims_nothing_is_held_against_its_own_average() -> None:
    looks = Looks(replace(LIVE, claimed_fps=None))
    assert looks.look(0).expected_fps is None
    looks = Looks(replace(LIVE, claimed_fps=90_000.0))
    assert looks.look(12, times=20).healthy
    assert looks.look(12).expected_fps == pytest.approx(12)
    assert str(looks.look(2, times=3).reason).startswith("2 frames a second instead of 11")
    assert looks.look(2, times=200).healthy, "what it does for a quarter of an hour is what it does"


def test_what_its_owner_expects_counts_more_than_what_it_claims() -> None:
    looks = Looks(replace(LIVE, claimed_fps=100.0), expected_fps=10.0)
    assert looks.look(10, times=10) == Health(expected_fps=10)
    assert Looks(replace(LIVE, claimed_fps=100.0)).look(10, times=10).reason == "10 frames a second instead of 100"


def test_slow_cameras_are_not_judged_by_where_the_look_fell() -> None:
    looks = Looks(replace(LIVE, claimed_fps=None), expected_fps=0.1)
    for frames in (0, 0, 0, 0, 1, 0, 0, 0, 0, 1):
        assert looks.look(frames / RULES.period_s).healthy


def test_an_idle_camera_keeps_its_verdict_and_starts_anew_with_its_next_viewer() -> None:
    looks = Looks()
    looks.look(25)
    assert looks.look(0, is_idle=True, is_live=False, times=10).healthy
    assert looks.look(0, is_idle=False, is_live=True, sessions=2).healthy
    assert looks.look(0, is_live=False, trouble="refused", times=3).reason == "refused"
    assert not looks.look(0, is_idle=True, times=100).healthy
    assert looks.look(0, is_idle=False, is_live=True, trouble=None).healthy
