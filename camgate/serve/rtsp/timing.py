"""What RTP timestamps one client's track has: those of the stream, less what the cached frames are squeezed by.

Theory. A client that joins gets the frames since the last key frame at once. With the camera's own times it would show
them at the camera's pace, and stay as far behind as the key frame is old; GStreamer, which compares timestamps with
arrivals, would take two seconds that arrive at once for a clock that was set. So these frames get timestamps 5 ms apart
that end where the live ones go on: they are decoded at speed, and the client is at the live picture. A recording shows
them in a flash. Who wants none of that asks for `?start=key`, and waits for the next key frame.

B-frames keep their order, also those that come behind the cached ones and are shown before the newest of them: the map
from the stream's time to the client's rises everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from camgate.relay.splice import HOUR_S
from camgate.wire.codec.frame import Frame

JOIN_SPACING_S = 0.005
"""Between the cached frames of a join, as in the join burst of WebRTC, where 5 ms was measured."""


class Timeline:
    """Maps the display times of one track's frames to RTP timestamps.

    start: the first timestamp, random (RFC 3550 section 5.1). It is that of the first of the `cached` frames, with
    which the client begins; without them that of the time `at`; without both that of the first frame there will be.
    """

    def __init__(self, start: int, clock_hz: int, *, cached: Sequence[Frame] = (), at: int | None = None) -> None:
        self._start = start
        self._offset = None if at is None else start - at
        self._pivot = 0
        self._squeeze = (1, 1)
        self.lead = 0
        """How many ticks the client's time has from the first cached frame to the newest."""
        if cached:
            self._fit(cached, clock_hz)

    def timestamp(self, time: int) -> int:
        """Return the RTP timestamp, 32 bits, of what is shown at `time`."""
        if self._offset is None:
            self._offset = self._start - time
        behind = self._pivot - time
        if behind > 0:
            numerator, denominator = self._squeeze
            time = self._pivot - behind * numerator // denominator
        return time + self._offset & 0xFFFFFFFF

    def _fit(self, cached: Sequence[Frame], clock_hz: int) -> None:
        times = [frame.display_time for frame in cached]
        first, newest = times[0], max(times)
        self._pivot = newest
        if span := newest - first:
            self._squeeze = min(span, round(JOIN_SPACING_S * clock_hz) * (len(cached) - 1)), span
        self._offset = 0
        self._offset = self._start - self.timestamp(first)
        self.lead = self.timestamp(newest) - self._start & 0xFFFFFFFF


@dataclass(slots=True)
class SessionClock:
    """What time it is in the streams of one camera and on the wall, for all tracks of one client's session.

    The time of a stream is this machine's monotonic clock, less whole hours of long pauses (`relay.splice`). So reports
    of all tracks fit together exactly, and none contradicts the one before: FFmpeg computes all times from the latest.

    epoch_s: the wall clock when the monotonic clock was 0. Kept for the session: a wall clock that is set meanwhile
        would be a jump in a recording.
    """

    epoch_s: float
    skipped_s: float = 0.0

    def follow(self, frame: Frame, clock_hz: int) -> None:
        """Learn from a frame which hours were skipped."""
        self.skipped_s = round((frame.arrival_s - frame.rtp_time / clock_hz) / HOUR_S) * HOUR_S

    def media_time(self, now: float, clock_hz: int) -> int:
        """Return the time of the streams at the monotonic time `now`, in ticks."""
        return round((now - self.skipped_s) * clock_hz)

    def unix_time_s(self, now: float) -> float:
        """Return the wall-clock time at the monotonic time `now`."""
        return self.epoch_s + now
