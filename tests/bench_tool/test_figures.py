"""How figures are reckoned, and what they are taken to say."""

import json
import re
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from camgate.bench.figures import Idle, Joined, Measured, Result, Spread, Storm, joined_of, measured_of, storm_of
from camgate.bench.report import table_of

SPREAD = Spread(5.0, 8.0, 12.0, 14.0, 100)
IDLE = Idle(
    cameras=2,
    live_s=0.4,
    cpu_s=0.02,
    elapsed_s=4.0,
    memory_bytes=100_000_000,
    camera_bytes=900_000.0,
    cache_bytes=400_000.0,
)
JOINED = Joined(
    viewers=40,
    connected=40,
    errors=0,
    first_error=None,
    connect=SPREAD,
    first_packet=SPREAD,
    key_frame=SPREAD,
    key_frames_seen=40,
    pictures_decoded=2,
    pictures_failed=0,
    cpu_s=0.655,
    elapsed_s=5.0,
    viewer_seconds=160.0,
)
MEASURED = Measured(
    elapsed_s=10.0,
    delivered=80_000,
    expected=80_000,
    refused=0,
    left_out=0,
    frames_missing=0,
    stalled=0,
    bps_of_full_viewer=2e6,
    cpu_s=0.85,
    memory_bytes=108_000_000,
    delay=SPREAD,
)
RESULT = Result(
    cameras=2, viewers=40, camera_bps=2e6, idle=IDLE, joined=JOINED, measured=MEASURED, lag=SPREAD, answers=SPREAD
)
STORM = Storm(
    rate=100.0,
    joined=replace(JOINED, viewers=500, connected=500, key_frames_seen=500),
    watchers=MEASURED,
    after=replace(MEASURED, cpu_s=5.85),
)


def test_quantiles_are_values_that_were_measured() -> None:
    assert Spread.of_seconds([n / 1000 for n in range(100, 0, -1)]) == Spread(50.0, 95.0, 99.0, 100.0, 100)
    assert Spread.of_seconds([0.003]) == Spread(3.0, 3.0, 3.0, 3.0, 1)
    assert Spread.of_seconds([]) == Spread(None, None, None, None, 0)


def test_costs() -> None:
    assert RESULT.cpu_percent == pytest.approx(8.5)
    assert RESULT.cpu_us_per_packet == pytest.approx(0.85e6 / 80_000)
    assert RESULT.cpu_percent_per_idle_camera == pytest.approx(0.25)
    assert RESULT.viewer_bytes == 200_000


def test_a_join_is_charged_without_what_is_sent_to_those_who_joined_before() -> None:
    # 0.8 s for 400 viewer seconds of watching; 160 of them, and five idle seconds, while they joined.
    assert RESULT.cpu_ms_per_join == pytest.approx((0.655 - 0.32 - 0.025) / 40 * 1e3)
    assert RESULT.cpu_ms_per_join_at_most == pytest.approx(0.655 / 40 * 1e3)


def test_all_went_well() -> None:
    assert RESULT.is_delivery_right
    assert "carries 40 viewers of 2 cameras, with 8 % of a core" in RESULT.conclusion()
    assert "about 397 viewers" in RESULT.conclusion()


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (replace(RESULT, joined=replace(JOINED, connected=39, first_error="no answer")), r"1 did not connect \(no ans"),
        (replace(RESULT, joined=replace(JOINED, key_frames_seen=37)), "3 saw no key frame"),
        (replace(RESULT, joined=replace(JOINED, pictures_failed=1)), "1 got a key frame that cannot be decoded"),
        (replace(RESULT, measured=replace(MEASURED, delivered=79_200)), r"99\.00 % of the packets arrived"),
        (replace(RESULT, measured=replace(MEASURED, stalled=2)), "2 stood still"),
        (replace(RESULT, measured=replace(MEASURED, refused=5)), "5 packets did not authenticate"),
        (replace(RESULT, measured=replace(MEASURED, expected=0, delivered=0)), "nothing arrived"),
    ],
)
def test_wrong_delivery_is_told(result: Result, told: str) -> None:
    assert not result.is_delivery_right
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(result.conclusion())


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (replace(MEASURED, delay=replace(SPREAD, p99=251.0)), "the delay's p99 was 251.0 ms"),
        (replace(MEASURED, left_out=9), "frames were left out (9 packets"),
        (replace(MEASURED, frames_missing=3), "3 frames)"),
    ],
)
def test_a_slow_machine_is_no_wrong_delivery(measured: Measured, told: str) -> None:
    result = replace(RESULT, measured=measured)
    assert result.is_delivery_right
    assert "too slow for them now" in result.conclusion()
    assert told in result.conclusion()


def test_the_limit() -> None:
    late = replace(MEASURED, delay=replace(SPREAD, p99=300.0))
    assert replace(RESULT, carried=40).conclusion().endswith("the most that were asked for.")
    assert replace(RESULT, carried=32, measured=late).conclusion() == (
        "This machine carries 32 viewers; at 40: the delay's p99 was 300.0 ms."
    )
    lost = replace(MEASURED, delivered=1)
    assert "carries 32 viewers; at 40: 0.00 %" in replace(RESULT, carried=32, measured=lost).conclusion()
    assert not replace(RESULT, carried=32, measured=lost).has_failed
    assert "did not even carry 40" in replace(RESULT, carried=0, measured=late).conclusion()
    assert replace(RESULT, carried=0, measured=lost).has_failed


def test_a_server_whose_process_is_not_known() -> None:
    result = replace(RESULT, idle=None, lag=None, answers=None, camera_bps=None)
    assert "with --pid" in result.conclusion()
    figures = result.as_json()
    assert [figures[key] for key in ("cpu_percent", "cpu_us_per_packet", "cpu_ms_per_join")] == [None] * 3
    assert _text(result).count("n/a") == 8


def test_figures_cross_the_link() -> None:
    assert joined_of(json.loads(json.dumps(asdict(JOINED)))) == JOINED
    assert measured_of(json.loads(json.dumps(asdict(MEASURED)))) == MEASURED
    beside = replace(MEASURED, lone=SPREAD)
    assert measured_of(json.loads(json.dumps(asdict(beside)))) == beside
    assert storm_of(json.loads(json.dumps(asdict(STORM)))) == STORM


def test_a_storm() -> None:
    result = replace(RESULT, storm=STORM)
    assert result.conclusion().endswith(
        "Of 500 who joined at 100 a second none failed; the delay's p99 was 12.0 ms for the others."
    )
    assert not result.has_failed
    # 500 more viewers took 0.5 of a core more: 1 ms a second each, and what 40 took beyond that is constant.
    assert result.cpu_ms_per_join_in_storm == pytest.approx((0.655 - 160 * 0.001 - 5 * 0.045) / 500 * 1e3)
    text = _text(result)
    for words in ("500 of 500", "joined at 100 a second", "camera to the others, at most"):
        assert words in text


@pytest.mark.parametrize(
    ("storm", "told"),
    [
        (replace(STORM, joined=replace(STORM.joined, connected=498, first_error="503")), r"2 failed \(503\);"),
        (replace(STORM, joined=replace(STORM.joined, key_frames_seen=490)), "10 failed;"),
        (
            replace(STORM, watchers=replace(MEASURED, delivered=79_200)),
            "none failed, and 99.00 % of the others' packets",
        ),
    ],
)
def test_a_storm_that_does_harm(storm: Storm, told: str) -> None:
    result = replace(RESULT, storm=storm)
    assert result.has_failed
    assert re.search(told, result.conclusion())


def test_what_a_crowd_adds_to_a_lone_viewer() -> None:
    assert RESULT.lone_p99_added_ms is None
    beside = replace(MEASURED, lone=replace(SPREAD, p99=20.0))
    result = replace(RESULT, alone=SPREAD, measured=beside)
    assert result.lone_p99_added_ms == 8.0
    assert "lone viewer beside the crowd" in _text(result)


def test_json_has_all_of_it() -> None:
    figures = json.loads(json.dumps(RESULT.as_json()))
    assert figures["delivered_percent"] == 100
    assert figures["joined"]["connect"]["p95"] == 8.0
    assert figures["delivery_is_right"] is True


def test_the_table_says_the_same() -> None:
    text = _text(RESULT)
    for words in ("40 of 40", "100.00 %, 8000 packets/s", "5.0 / 8.0 / 12.0 ms", "10.6 us", "200.0 kB", "900.0 kB"):
        assert words in text


def _text(result: Result) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table_of(result))
    return capture.get()
