"""Whether a stream's pictures come in the order in which they are shown: B-frames change it.

Parameter sets say what may happen, and many cameras claim more than they do; timestamps that step back show what does
happen. So a claim counts until enough pictures came in order, and steps back count without any claim.
"""

from dataclasses import replace

from camgate.wire.codec.format import VideoFormat

PROOF_FRAMES = 32
"""So many pictures in order disprove a claim: an encoder with B-frames has one in each handful of pictures."""

STEPS_BACK = 3
"""So many steps back, PROOF_FRAMES apart at the most, prove B-frames without a claim. One alone is a clock that was
set."""

MAX_STEP_BACK_TICKS = 90_000
"""One second: pictures are reordered by some frame intervals (16 pictures at the most, H.264 A.3.1)."""

FORGET_FRAMES = 256
"""So many pictures in order, and what was proven before no longer holds: somebody has changed the camera's settings."""


class PictureOrder:
    """What was seen of one stream so far. `frames`, of all methods, is how many frames it has had."""

    def __init__(self) -> None:
        self._claimed: VideoFormat | None = None
        self._judged: VideoFormat | None = None
        self._claimed_at = 0
        self._stepped_at = -PROOF_FRAMES
        self._steps = 0

    def note_step_back(self, ticks: int, frames: int) -> None:
        """The next frame is `ticks` (below 0) from its predecessor."""
        if ticks < -MAX_STEP_BACK_TICKS:
            return
        self._steps = self._steps + 1 if frames - self._stepped_at <= PROOF_FRAMES else 1
        self._stepped_at = frames

    def judge(self, claimed: VideoFormat | None, frames: int) -> VideoFormat | None:
        """Return the format with what is known of its order now; the same object as long as nothing changes."""
        if claimed is not self._claimed:
            if claimed is not None and claimed.may_reorder and not (self._claimed and self._claimed.may_reorder):
                self._claimed_at = frames
            self._claimed = self._judged = claimed
        if claimed is None or self._judged is None:
            return None
        reorders = self._reorders(claimed.may_reorder, frames)
        may_reorder = reorders or (claimed.may_reorder and self._frames_in_order(frames) < PROOF_FRAMES)
        if (may_reorder, reorders) != (self._judged.may_reorder, self._judged.reorders):
            self._judged = replace(claimed, may_reorder=may_reorder, reorders=reorders)
        return self._judged

    def _reorders(self, claim: bool, frames: int) -> bool:
        """Say whether pictures were seen out of order, and lately."""
        if self._steps < (1 if claim else STEPS_BACK):
            return False
        if self._frames_in_order(frames) >= FORGET_FRAMES:
            self._steps = 0
        return self._steps > 0

    def _frames_in_order(self, frames: int) -> int:
        return frames - max(self._claimed_at, self._stepped_at)
