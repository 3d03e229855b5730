"""Where a camera's sound belongs beside its pictures, by what the camera itself says (docs/design/lip-sync.md).

Both tracks' media time is this machine's clock, set by when their frames arrive. A picture that took 150 ms to encode
and a sound that took 20 ms arrive that much apart, and only the camera knows. Its sender reports tell, as far as they
can be believed: what they say of the two tracks is compared, the absolute time does not matter. Sans-IO: the time comes
in as an argument.
"""

from enum import Enum

MAX_SKEW_S = 2.0
"""No camera's encoders are further apart; reports that say so have tracks with clocks of their own."""

AGREE_S = 0.1
"""Two reports in turn of a track that differ by more were made before and after the camera's clock was set."""

MAX_REPORT_AGE_S = 10.0
"""A report is about its track's present; cameras that repeat an old timestamp for ever tell nothing."""

SLEW = 0.02
"""Sound is moved by so many seconds a second, at most. Browsers themselves follow within 80 ms a second."""


class Kind(Enum):
    """Whose report it is."""

    VIDEO = "video"
    AUDIO = "audio"


class LipSync:
    """The skew of one camera's sound: 0, which means "as it arrives", until both tracks' reports say otherwise."""

    def __init__(self) -> None:
        # How far media time is ahead of the camera's wall clock: by the last report, by the last that was confirmed.
        self._heard: dict[Kind, float] = {}
        self._confirmed: dict[Kind, float] = {}
        self._target_s = self._skew_s = 0.0
        self._moved_at_s = float("-inf")

    def begin_session(self) -> None:
        """Forget what the last session's reports said; the sound stays where it was until new ones are confirmed."""
        self._heard.clear()
        self._confirmed.clear()

    def note_report(self, kind: Kind, camera_s: float, media_s: float, now: float) -> None:
        """Take a sender report. camera_s: its wall clock, any epoch. media_s: media time at its RTP timestamp."""
        if not abs(media_s - now) <= MAX_REPORT_AGE_S:
            return
        ahead_s = media_s - camera_s
        before_s = self._heard.get(kind)
        self._heard[kind] = ahead_s
        if before_s is None:
            return
        if abs(ahead_s - before_s) > AGREE_S:
            # The clock was set: the other track's reports are about the time before, too.
            self._confirmed.clear()
            return
        self._confirmed[kind] = ahead_s
        if len(self._confirmed) == len(Kind):
            # Catch up first: the time until now was under the old target.
            self.skew_s(now)
            skew_s = self._confirmed[Kind.VIDEO] - self._confirmed[Kind.AUDIO]
            self._target_s = skew_s if abs(skew_s) <= MAX_SKEW_S else 0.0

    def skew_s(self, now: float) -> float:
        """Return by how much later than its media time the sound belongs; negative where earlier."""
        step_s = SLEW * (now - self._moved_at_s) if self._moved_at_s > float("-inf") else 0.0
        self._moved_at_s = now
        distance_s = self._target_s - self._skew_s
        self._skew_s += max(-step_s, min(step_s, distance_s))
        return self._skew_s
