"""Frame rate and bit rate over the last few seconds."""

from collections import deque

WINDOW_S = 4.0
"""A whole number of the usual groups of pictures (1, 2, 4 s), so that key frames do not make the bit rate swing."""

STEP_S = 0.25
"""How far apart marks are set: bounds them to 17 a meter, and the window's error to one frame."""


class RateMeter:
    """Counts frames and bytes, and tells how many a second there were in the last `WINDOW_S`.

    Marks (time, frames, bytes) of the running totals stand at least `STEP_S` apart; a rate is the difference
    between now and the oldest mark inside the window. Costs nothing per frame but two additions.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0
        self._marks: deque[tuple[float, int, int]] = deque()
        self._next_mark_s = float("-inf")

    def count(self, size_bytes: int, now: float) -> None:
        if now >= self._next_mark_s:
            self._marks.append((now, self.frames, self.bytes))
            self._next_mark_s = now + STEP_S
            self._forget(now)
        self.frames += 1
        self.bytes += size_bytes

    def rates(self, now: float) -> tuple[float, float]:
        """Return (frames a second, bits a second); both 0 when nothing came within the window."""
        self._forget(now)
        if not self._marks:
            return 0.0, 0.0
        since, frames, size = self._marks[0]
        # The first seconds of a stream: a burst of old frames within milliseconds is not a rate.
        elapsed_s = max(now - since, STEP_S)
        return (self.frames - frames) / elapsed_s, 8 * (self.bytes - size) / elapsed_s

    def _forget(self, now: float) -> None:
        marks = self._marks
        while marks and marks[0][0] < now - WINDOW_S:
            marks.popleft()
