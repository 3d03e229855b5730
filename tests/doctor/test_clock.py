"""Clock and time zone, as the doctor judges them."""

from datetime import timedelta

import pytest

from camgate.doctor.clock import judge_clock, judge_zone, look_at_clock, look_at_zone, offset_in
from camgate.doctor.finding import FAILED, OK, WARNING, Verdict

NOW_S = 1_795_000_000
SYNCED, FREE = "Timezone=UTC\nNTPSynchronized=yes\n", "Timezone=UTC\nNTPSynchronized=no\n"
STATUS = """       Server: 192.0.2.123 (ntp.example.org)
Poll interval: 17min 4s (min: 32s; max 34min 8s)
       Offset: {}
        Delay: 32.3ms
"""


@pytest.mark.parametrize(
    ("shown", "offset_s"),
    [("+1.5ms", 0.0015), ("-250us", -0.00025), ("+1min 2.5s", 62.5), ("-3d 1h", -262_800), ("n/a", None), ("", None)],
)
def test_timedatectls_offsets(shown: str, offset_s: float | None) -> None:
    assert offset_in(STATUS.format(shown)) == (pytest.approx(offset_s) if offset_s is not None else None)


@pytest.mark.parametrize(
    ("now_s", "shown", "status", "verdict"),
    [
        (0, SYNCED, None, FAILED),
        (5e9, SYNCED, None, FAILED),
        (NOW_S, SYNCED, None, OK),
        (NOW_S, SYNCED, STATUS.format("+2ms"), OK),
        (NOW_S, SYNCED, STATUS.format("-3s"), WARNING),
        (NOW_S, FREE, None, WARNING),
        (NOW_S, None, None, OK),
    ],
    ids=["1970", "2128", "synced", "synced, offset", "off", "no ntp", "no timedatectl"],
)
def test_the_clock(now_s: float, shown: str | None, status: str | None, verdict: Verdict) -> None:
    finding = judge_clock(now_s, shown, status)
    assert finding.verdict is verdict
    assert bool(finding.to_do) == (verdict is not OK)


def test_the_zone_says_what_hours_in_the_log_mean() -> None:
    assert judge_zone("CEST", timedelta(hours=2)).what.startswith("CEST (UTC+2)")
    assert "in UTC" in judge_zone("UTC", timedelta()).what


def test_this_machine_can_be_looked_at() -> None:
    assert look_at_clock().check == "Clock"
    assert look_at_zone().verdict is OK
