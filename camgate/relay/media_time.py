"""Where a track's media time stands at any moment: what a sender report ties to the wall clock (RFC 3550 6.4.1).

`splice` makes media time this machine's own clock, less whole hours of long pauses. So nothing has to be measured: the
latest frame only tells how many hours were left out. Both tracks of a camera are told by the same clock, and belong
together as well as their times do, however late the one or the other frame was.
"""

from camgate.relay.splice import HOUR_S
from camgate.wire.codec.frame import Frame

MAX_LATE_S = 30.0
"""Frames further from this machine's clock than any network delays them were not put on it."""


def ticks_since(frame: Frame, now: float, clock_hz: int) -> int:
    """Return by how many ticks media time at `now` is ahead of that of `frame`, the latest that came.

    Frames that `splice` has not seen are taken to have been on time.
    """
    late_s = frame.arrival_s - frame.rtp_time / clock_hz
    late_s -= round(late_s / HOUR_S) * HOUR_S
    if abs(late_s) > MAX_LATE_S:
        late_s = 0.0
    return round((now - frame.arrival_s + late_s) * clock_hz)
