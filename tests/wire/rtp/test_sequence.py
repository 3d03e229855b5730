from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp.sequence import sequence_delta, timestamp_delta


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_sequence_delta_is_the_distance_across_wraps(older: int, distance: int) -> None:
    assert sequence_delta(older + distance & 0xFFFF, older) == distance


@given(st.integers(0, 0xFFFFFFFF), st.integers(-0x80000000, 0x7FFFFFFF))
def test_timestamp_delta_is_the_distance_across_wraps(older: int, distance: int) -> None:
    assert timestamp_delta(older + distance & 0xFFFFFFFF, older) == distance
