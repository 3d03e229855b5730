"""A burst at once, then no faster than the rate; who is a flooder, and who only has a bad network."""

import random
from collections.abc import Iterable

from camgate.serve.webrtc.budget import (
    CHECK_BURST,
    GARBAGE_BURST,
    MAX_EXCESS_IDS,
    MIN_REPORT_BYTES,
    NEW_PATH_CHECKS,
    PATIENCE,
    RECORD_BURST,
    REPORT_BURST_BYTES,
    Allowance,
)

NACK_BYTES = 46
"""SRTCP of one NACK of one item, as Chromium sends it."""


def test_short_reports_are_charged_as_longer_ones() -> None:
    allowance = Allowance()
    assert sum(allowance.take_report(0.0, 30) for _ in range(10_000)) == REPORT_BURST_BYTES // MIN_REPORT_BYTES


def test_checks_from_new_addresses_are_charged_more() -> None:
    allowance = Allowance()
    assert sum(allowance.take_check(0.0, is_new_path=True) for _ in range(1_000)) == CHECK_BURST // NEW_PATH_CHECKS


def _is_cut_off_by_checks(ids: Iterable[int]) -> bool:
    allowance = Allowance()
    for number in ids:
        if not allowance.take_check(0.0, is_new_path=False):
            allowance.mind_check(0.0, number.to_bytes(12, "big"))
    return allowance.is_flooding


def test_a_viewer_that_goes_on_with_checks_is_flooding() -> None:
    assert not _is_cut_off_by_checks(range(CHECK_BURST + PATIENCE))
    assert _is_cut_off_by_checks(range(CHECK_BURST + PATIENCE + 1))


def test_repeated_checks_make_nobody_a_flooder() -> None:
    """Who overhears a viewer's checks can repeat them."""
    assert not _is_cut_off_by_checks([number % 3_000 for number in range(50_000)])


def test_repetitions_are_remembered_within_a_bound() -> None:
    allowance = Allowance()
    for number in range(3 * MAX_EXCESS_IDS):
        allowance.mind_check(number * 1.0, number.to_bytes(12, "big"))
        assert len(allowance._excess_ids) <= MAX_EXCESS_IDS
    assert not allowance.is_flooding


def test_a_viewer_that_goes_on_with_reports_is_flooding() -> None:
    allowance = Allowance()
    for number in range(20_000):
        allowance.take_report(number / 2_000, 60)
    assert allowance.is_flooding
    assert allowance.refused().reports > PATIENCE


def test_garbage_and_records_are_dropped_but_make_nobody_a_flooder() -> None:
    """Anybody can send them under a viewer's address."""
    allowance = Allowance()
    for _ in range(100_000):
        if allowance.may_try_key(0.0):
            allowance.take_garbage(0.0)
        allowance.take_record(0.0)
    assert not allowance.is_flooding
    assert allowance.refused().garbage == 100_000 - GARBAGE_BURST
    assert allowance.refused().records == 100_000 - RECORD_BURST


def _nacks_per_second(bps: int, loss: float, noise: random.Random, seconds: int) -> list[float]:
    """When Chromium sends NACKs: at each packet that shows a gap, and each 20 ms while packets are missing."""
    interval_s = 1_200 * 8 / bps
    times = [20e-3 * tick for tick in range(seconds * 50)]
    lost_before = False
    for packet in range(int(seconds / interval_s)):
        lost = noise.random() < loss
        if lost_before and not lost:
            times.append(packet * interval_s)
        lost_before = lost
    return sorted(times)


def test_a_browser_on_a_bad_network_is_refused_nothing() -> None:
    for bps, loss in ((8_000_000, 0.1), (25_000_000, 0.1), (8_000_000, 0.5)):
        allowance = Allowance()
        for now in _nacks_per_second(bps, loss, random.Random(7), 60):
            assert allowance.take_report(now, NACK_BYTES)


def test_a_browser_on_the_worst_network_is_not_cut_off() -> None:
    """A quarter of the packets of 25 Mbit/s show a gap when every other one is lost: no network is worse."""
    allowance = Allowance()
    for now in _nacks_per_second(25_000_000, 0.5, random.Random(7), 120):
        allowance.take_report(now, NACK_BYTES)
    assert not allowance.is_flooding


def test_reports_that_a_stalled_network_delivers_at_once_are_taken() -> None:
    allowance = Allowance()
    assert all(allowance.take_report(10.0, NACK_BYTES) for _ in range(3 * 290))


def test_huge_nacks_of_a_browser_that_misses_a_thousand_packets_are_taken() -> None:
    allowance = Allowance()
    times = [tick * 20e-3 for tick in range(50 * 60)]
    assert all(allowance.take_report(now, 1_000 // 17 * 4 + 60) for now in times)
