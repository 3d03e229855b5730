"""One continuous media time out of many camera sessions.

A camera begins each session at a random RTP timestamp, lets it wrap every 13 hours, and steps it when its clock is
set. Readers must see none of that: their time is 64 bits wide, rises with every frame, and follows the camera's
own clock as long as that can be believed, since that is smoother than arrival times are.
"""

from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.sequence import timestamp_delta

MAX_BACKWARD_S = 1.0
"""B-frames step back by some frame intervals; anything beyond is a clock that was set."""

MAX_AHEAD_S = 1.0
"""A step forward may exceed the time between the arrivals by so much, which covers what a network delays.
A greater one is a clock that was set: passed on, it would make a browser hold the picture until that time."""

MAX_GAP_S = 3600.0
"""The longest pause between sessions that media time shows: 32-bit timestamps can tell 6.6 h from a step back."""

MAX_HELD_FRAMES = 16
"""Frames in turn that are not later than one before: no more than H.264 can reorder (A.3.1: 16), else a step back."""


class Splice:
    """Maps the RTP times of one track's frames to continuous time, session after session.

    The output is the camera's own time plus an offset. The offset is chosen anew, so that the output advances by
    as much as passed between the arrivals, at each session's first frame and wherever the camera's time jumps.
    A frame that is not later than its predecessor advances by its arrival, too, without touching the offset.
    """

    def __init__(self, clock_hz: int = 90_000) -> None:
        self._clock_hz = clock_hz
        self._max_backward = round(MAX_BACKWARD_S * clock_hz)
        self._max_ahead = round(MAX_AHEAD_S * clock_hz)
        self._last_input = 0
        self._last_arrival_s = 0.0
        self._last_output = 0
        self._natural = 0
        self._held_frames = 0
        self._rebase = True
        self.jumps = 0
        """Times that the camera's clock jumped within a session."""

    def begin_session(self) -> None:
        """The next frame comes from a new camera session: its timestamp says nothing against the last one's."""
        self._rebase = True

    def map(self, frame: Frame) -> Frame:
        """Set `frame.rtp_time` to continuous time and return the frame, which must not be published yet."""
        elapsed = self._ticks_since_last(frame.arrival_s)
        step = timestamp_delta(frame.rtp_time, self._last_input)
        if not self._rebase and not -self._max_backward <= step <= elapsed + self._max_ahead:
            self._rebase = True
            self.jumps += 1
        self._natural += step
        output = self._natural
        if self._rebase:
            output = self._last_output + max(1, elapsed)
            self._rebase = False
            self._held_frames = 0
            self._natural = output
        elif output <= self._last_output:
            output = self._hold(elapsed)
        else:
            self._held_frames = 0
        self._last_input = frame.rtp_time
        self._last_arrival_s = frame.arrival_s
        self._last_output = frame.rtp_time = output
        return frame

    def _hold(self, elapsed: int) -> int:
        output = self._last_output + max(1, elapsed)
        self._held_frames += 1
        if self._held_frames > MAX_HELD_FRAMES:
            self._natural = output
        return output

    def _ticks_since_last(self, arrival_s: float) -> int:
        elapsed_s = min(max(0.0, arrival_s - self._last_arrival_s), MAX_GAP_S)
        return round(elapsed_s * self._clock_hz)
