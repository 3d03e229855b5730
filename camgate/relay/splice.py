"""One continuous media time out of many camera sessions, bound to this machine's clock (docs/design/time.md).

A camera begins each session at a random RTP timestamp and lets it wrap every 13 hours. Its oscillator is off by up to
some hundred parts per million, and its clock is set now and then, stands still, or counts something else than time.
Readers must see none of that: their time is 64 bits wide and rises with every frame.

The camera's timestamps tell how far frames are apart, since they are smoother than arrivals. The arrivals tell what
time it is: media time is `arrival_s` of the frames that the network delayed least, in clock ticks. So the tracks of a
camera stay together, whatever each of their clocks does. Deviations are slewed, so slowly that nobody notices; what
cannot be slewed is stepped, and only forward.
"""

import math

from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.sequence import timestamp_delta

SLEW = 0.005
"""Media time runs so much faster or slower than the camera's, at most. A video that plays 0.5 % faster looks the same,
and it is ten times what an oscillator may be off (the worst that Moonfire reckons with: 500 ppm)."""

SETTLE_S = 10.0
"""Time constant of the slewing: what jitter is left in the estimate is spread over so long."""

LEAST_ERROR_S = 0.001
"""What is not worth to be slewed."""

WINDOW_S = 8.0
"""In one to two windows some frame is hardly delayed: of 200 frames with 200 ms of jitter, two within 20 ms. A clock
that is 500 ppm off moves by 8 ms meanwhile."""

TOLERANCE_S = 0.03
"""A frame that is earlier than the earliest before it, by more than this, proves the estimate wrong: no network makes
frames come before they were taken. Below are coarse timestamps, which cameras round to 10 ms and more."""

MAX_BACKWARD_S = 1.0
"""B-frames step back by some frame intervals; anything beyond is a clock that was set."""

MAX_INTERVAL_S = 1.0
"""Frames further apart are not taken for regular."""

MAX_AHEAD_S = 1.0
"""Before a frame interval is known, a step forward may exceed the time between arrivals by so much."""

JUMP_S = 0.2
"""A clock that was set by less is mended without being counted."""

MAX_JITTER_S = 0.5
"""Arrivals further apart than this are a pause of the camera's, not jitter."""

MAX_LATE_S = 0.25
"""Frames that are later than this for MAX_LATE_WINDOWS in turn will not catch up any more, and are the new time."""

MAX_LATE_WINDOWS = 3

MAX_BETWEEN_REORDERED = 64
"""Streams with B-frames step back every few frames. Where none did among so many, the clock was set."""

MAX_HELD_FRAMES = 16
"""Frames in turn that are not later than one before: no more than H.264 can reorder (A.3.1: 16), else a step back."""

MAX_RATE_ERROR = 0.05
"""A camera whose clock runs further from real time than this counts something else: some add the nominal frame
interval to each picture, while they take fewer of them in the dark."""

RATE_WINDOWS = 3
"""Windows in turn after which a clock is believed no more, or again; a network that fills up lasts less."""

HEARSAY_SLEW, HEARSAY_SETTLE_S = 0.1, 1.0
"""The same as SLEW and SETTLE_S, for a time that is made from the mean distance of arrivals."""

MIN_STEP_S = 0.005
"""Media time between frames that it would put closer: what browsers take from our own join bursts as well."""

HOUR_S = 3600.0
"""The longest pause between sessions that media time shows: 32-bit timestamps can tell 6.6 h from a step back. Whole
hours are left out, so that the tracks of a camera stay together."""


class Splice:
    """Maps the RTP times of one track's frames to continuous time, session after session.

    clock_hz: of the track's RTP timestamps and of the output.
    least_correction_s: slew by whole steps of this length instead of a little with every frame. For audio that is
        passed on as it came: each packet must begin where its predecessor ends, or receivers conceal a loss.
    jumps: times that the camera's clock jumped within a session.
    """

    def __init__(self, clock_hz: int = 90_000, *, least_correction_s: float = 0.0) -> None:
        self.jumps = 0
        self._clock_hz = clock_hz
        self._least_correction = least_correction_s * clock_hz
        self._least_error = 1.5 * self._least_correction or LEAST_ERROR_S * clock_hz
        self._min_step = MIN_STEP_S * clock_hz
        self._window = WINDOW_S * clock_hz
        self._tolerance = (TOLERANCE_S + 2 * least_correction_s) * clock_hz
        self._begins = True
        # All in clock ticks from here on. Times are those of this machine, less the hours that were skipped.
        self._skipped = 0.0
        self._last_input = 0
        self._last_arrival = -math.inf
        self._last_output = -1
        self._time = 0.0  # of the frame at hand, which lies before the output's while frames are held
        self._latest = 0.0  # the greatest such time
        self._interval = 0.0  # least distance of frames lately, 0 while unknown
        self._held = 0
        self._since_backward = 0
        # How late frames are: the least of the present window and of the one before it.
        self._least = math.inf
        self._before = math.inf
        self._window_began = 0.0
        self._late_windows = 0
        # How fast the camera's clock runs, and what replaces it if that cannot be believed.
        self._heard = 0.0
        self._frames = 0
        self._drift = 0.0
        self._rate_windows = 0
        self._distrusted = False
        self._mean_interval = 0.0

    def begin_session(self) -> None:
        """The next frame comes from a new camera session: its timestamp says nothing against the last one's."""
        self._begins = True

    def map(self, frame: Frame) -> Frame:
        """Set `frame.rtp_time` to continuous time and return the frame, which must not be published yet.

        `frame.display_time` is set, too: it differs from `rtp_time` where frames are reordered (B-frames).
        """
        arrival = frame.arrival_s * self._clock_hz - self._skipped
        step, elapsed = 0, 0.0
        if self._begins:
            arrival = self._begin(arrival)
        else:
            step = timestamp_delta(frame.rtp_time, self._last_input)
            elapsed = arrival - self._last_arrival
            if step > 0 and self._time + step - arrival <= self._tolerance and not self._distrusted:
                self._since_backward += 1
                if step != self._interval:
                    self._note_interval(step)
                self._time += step
            else:
                self._time += self._advance(step, elapsed, arrival)
            self._follow(arrival)
        self._last_input = frame.rtp_time
        self._last_arrival = arrival
        if self._time > self._latest:
            output = shown = round(self._time)
            if output - self._last_output < self._min_step:
                output = self._spread(output)
            # Behind B-frames, which were held, a key frame is later than it is shown, like these.
            frame.display_time = shown if self._held else output
            self._held = 0
            self._latest = self._time
        else:
            output = self._hold(step, elapsed)
            frame.display_time = round(self._time)
        self._last_output = frame.rtp_time = output
        return frame

    def _begin(self, arrival: float) -> float:
        """Take a session's first frame to be undelayed, and return its arrival, less whole hours of a long pause."""
        self._begins = False
        pause_s = (arrival - self._last_arrival) / self._clock_hz
        if HOUR_S < pause_s < math.inf:
            hours = pause_s // HOUR_S * HOUR_S * self._clock_hz
            self._skipped += hours
            arrival -= hours
        self._time = arrival
        self._latest = arrival - 1
        self._held = 0
        self._since_backward = 0
        self._least, self._before = 0.0, math.inf
        self._late_windows = 0
        self._start_window(arrival)
        return arrival

    def _advance(self, step: int, elapsed: float, arrival: float) -> float:
        """Return by how much a frame is later than the one before it, if its timestamp is not plainly right."""
        if self._has_leapt(step, self._time + step - arrival):
            believed = self._replace(elapsed)
            self.jumps += not self._distrusted and abs(step - believed) > JUMP_S * self._clock_hz
            return believed
        if self._distrusted:
            self._frames += 1
            self._heard += max(0, step)
            return self._replace(elapsed)
        if step:
            self._note_interval(abs(step))
        return step

    def _has_leapt(self, step: int, early: float) -> bool:
        """Whether the clock was set before this frame, which comes `early` if it was not."""
        if step < 0:
            since_last, self._since_backward = self._since_backward, 0
            return since_last > MAX_BETWEEN_REORDERED or step < -MAX_BACKWARD_S * self._clock_hz
        self._since_backward += 1
        if early <= self._tolerance:
            return False
        # It is too early because of its own step only if that is so long.
        return step >= max(early, 2 * self._interval) if self._interval else early > MAX_AHEAD_S * self._clock_hz

    def _note_interval(self, distance: int) -> None:
        # Falls at once and rises slowly: neither pauses nor reordered frames are the distance of frames.
        if distance > MAX_INTERVAL_S * self._clock_hz:
            return
        if not self._interval or distance < self._interval:
            self._interval = float(distance)
        else:
            self._interval += (distance - self._interval) / 64

    def _replace(self, elapsed: float) -> float:
        """Return what to believe in place of a timestamp: that the frame comes as regularly as those before it."""
        interval = self._mean_interval if self._distrusted and self._mean_interval else self._interval
        if not interval or elapsed > interval + MAX_JITTER_S * self._clock_hz:
            return elapsed
        return interval

    def _follow(self, arrival: float) -> None:
        """Bring media time nearer to that of the least delayed frames."""
        late = arrival - self._time
        if late < -self._tolerance:
            self._correct(late)
            late = 0.0
        if late < self._least:
            self._least = late
        if arrival - self._window_began >= self._window:
            self._end_window(arrival)
        error = self._least if self._least < self._before else self._before
        if not -self._least_error < error < self._least_error:
            self._slew(error)

    def _slew(self, error: float) -> None:
        progress = self._time - self._latest
        if progress <= 0:
            return
        if self._least_correction:
            self._correct(math.trunc(error / self._least_correction) * self._least_correction)
            return
        slew, settle_s = (HEARSAY_SLEW, HEARSAY_SETTLE_S) if self._distrusted else (SLEW, SETTLE_S)
        limit = progress * slew
        self._correct(max(-limit, min(limit, error * progress / (settle_s * self._clock_hz))))

    def _correct(self, ticks: float) -> None:
        """Move media time, and what is measured by it, without taking that for a progress."""
        self._time += ticks
        self._latest += ticks
        self._least -= ticks
        self._before -= ticks

    def _start_window(self, arrival: float) -> None:
        self._window_began = arrival
        self._heard = 0.0
        self._frames = 0

    def _end_window(self, arrival: float) -> None:
        span = arrival - self._window_began
        self._mean_interval = span / self._frames if self._frames else 0.0
        self._judge_clock(span)
        self._late_windows = self._late_windows + 1 if self._least > MAX_LATE_S * self._clock_hz else 0
        if self._late_windows >= MAX_LATE_WINDOWS:
            self._late_windows = 0
            self.jumps += 1
            self._correct(self._least)
        self._before, self._least = self._least, math.inf
        self._start_window(arrival)

    def _judge_clock(self, span: float) -> None:
        """Believe the camera's clock no more, or again, once it was wrong, or right, for some windows."""
        if self._distrusted:
            speaks_against = abs(self._heard / span - 1) <= MAX_RATE_ERROR
        else:
            # By the least delayed frames, and not by what came: else a network that stalls would be the clock's fault.
            drift = self._least - self._before
            speaks_against = math.isfinite(drift) and abs(drift) > MAX_RATE_ERROR * span
            speaks_against &= (drift > 0) is (self._drift > 0) or not self._rate_windows
            self._drift = drift
        self._rate_windows = self._rate_windows + 1 if speaks_against else 0
        if self._rate_windows >= RATE_WINDOWS:
            self._rate_windows = 0
            self._distrusted = not self._distrusted
            self._correct(self._least)

    def _spread(self, output: int) -> int:
        """Return the time of a frame that would come too close to the one before, or before it."""
        least = self._last_output + max(1, round(min(self._time - self._latest, self._min_step)))
        if output < least and self._held:
            # The frames that were held came too far apart.
            self._interval *= 7 / 8
        return max(output, least)

    def _hold(self, step: int, elapsed: float) -> int:
        """Return the time of a frame that is not later than one before it."""
        self._held += 1
        is_far_ahead = self._last_output - self._last_arrival > MAX_BACKWARD_S * self._clock_hz
        output = self._last_output + max(1, round(self._min_step if is_far_ahead else self._interval or elapsed))
        if self._held > MAX_HELD_FRAMES:
            # Nobody reorders so many: the clock was set back, or does not move forward at all.
            self._held = 0
            if step <= 0:
                self._distrusted = True
            else:
                self.jumps += self._latest - self._time > JUMP_S * self._clock_hz
            self._time = self._latest = float(output)
        return output
