"""Which picture that a decoder gives back has which time."""

from collections import deque
from heapq import heappop, heappush

MAX_REORDERED = 17
"""H.264 A.3.1 and H.265 A.4.2: a decoder holds back 16 pictures at most."""


class PictureTimes:
    """Times of frames go in in decoding order, those of pictures come out as they are shown, and always rise.

    A picture's own time is believed as long as these rise. Where they do not, the camera's B-frames were given times in
    the order in which they came (`relay.splice`): from then on the earliest time that is left is a picture's.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, float]] = []
        self._passed_over: deque[tuple[int, float]] = deque(maxlen=MAX_REORDERED)
        self._own_times_rise = True
        self._last_own = -1
        self._last = -1
        self._last_arrival_s = 0.0

    def note_frame(self, rtp_time: int, arrival_s: float) -> None:
        """A frame goes into the decoder."""
        heappush(self._waiting, (rtp_time, arrival_s))
        # Frames that never become pictures must not shift the times of all that follow.
        while len(self._waiting) > MAX_REORDERED:
            heappop(self._waiting)

    def of_picture(self, own: int) -> tuple[int, float]:
        """Return time and arrival of the next picture; own: the time of the frame that it was decoded from."""
        if own <= self._last_own and self._own_times_rise:
            self._own_times_rise = False
            for each in self._passed_over:
                heappush(self._waiting, each)
        self._last_own = own
        rtp_time, arrival_s = heappop(self._waiting) if self._waiting else (own, self._last_arrival_s)
        while self._own_times_rise and rtp_time < own and self._waiting:
            self._passed_over.append((rtp_time, arrival_s))
            rtp_time, arrival_s = heappop(self._waiting)
        self._last, self._last_arrival_s = max(self._last + 1, rtp_time), arrival_s
        return self._last, arrival_s
