"""What a sender report says of media time: this machine's clock, less the hours of long pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.media_time import ticks_since
from camgate.relay.splice import HOUR_S
from camgate.wire.codec.frame import Frame


def frame_at(media_s: float, arrival_s: float, clock_hz: int) -> Frame:
    return Frame((b"",), round(media_s * clock_hz), arrival_s, is_key=True)


@given(
    taken_s=st.floats(0, 1e6),
    late_s=st.floats(0, 5),
    hours=st.integers(0, 1000),
    later_s=st.floats(0, 10),
    clock_hz=st.sampled_from([8_000, 48_000, 90_000]),
)
def test_it_is_this_machines_clock_however_late_the_frame_was(
    taken_s: float, late_s: float, hours: int, later_s: float, clock_hz: int
) -> None:
    frame = frame_at(taken_s, taken_s + late_s + hours * HOUR_S, clock_hz)
    now = frame.arrival_s + later_s
    told = frame.rtp_time + ticks_since(frame, now, clock_hz)
    assert told / clock_hz == pytest.approx(now - hours * HOUR_S, abs=1e-3)


def test_frames_of_another_time_are_taken_to_be_in_time() -> None:
    assert ticks_since(frame_at(7.0, 1000.0, 90_000), 1000.5, 90_000) == 45_000
