"""Counting what came of viewers."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.webrtc.tally import JOIN_BOUNDS_S, Histogram, Sent
from camgate.serve.webrtc.viewer import ViewerStatistics


def test_a_bound_counts_what_is_at_most_as_long() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.100001, 1.0, 7.0):
        histogram.observe(seconds)
    assert histogram.buckets() == [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]


@given(st.lists(st.floats(0, 60)))
def test_buckets_never_fall_and_end_with_all(seconds: list[float]) -> None:
    histogram = Histogram()
    for each in seconds:
        histogram.observe(each)
    counts = [count for _, count in histogram.buckets()]
    assert counts == sorted(counts)
    assert counts[-1] == len(seconds)
    assert counts[:-1] == [sum(each <= bound for each in seconds) for bound in JOIN_BOUNDS_S]


def test_sent_adds_up() -> None:
    viewer = ViewerStatistics(
        packets_sent=7,
        bytes_sent=8,
        frames_sent=2,
        frames_dropped=1,
        packets_retransmitted=3,
        nacks_received=4,
        nacks_cut_short=0,
        key_frame_requests=5,
        loss_fraction=0.0,
        jitter_s=0.0,
        round_trip_s=None,
        frames_waiting=0,
        frames_kept=0,
        repeats_waiting=0,
    )
    assert Sent().plus(viewer).plus(viewer) == Sent(
        packets_sent=14,
        bytes_sent=16,
        frames_sent=4,
        frames_dropped=2,
        packets_retransmitted=6,
        nacks_received=8,
        key_frame_requests=10,
    )
