"""Whether a camera is well: what it delivers, held against what is expected of it, look by look.

`state` says what a camera is doing at this moment. Health says whether somebody should look after it: a camera that is
live may send a tenth of its frames, or no key frame, or connect anew all the time, and one that is away for a second is
not ill. Knows no clock and runs no task: `watch_health` looks.
"""

from dataclasses import dataclass

from camgate.config.model import HealthSettings

SANE_FPS = (0.2, 240.0)
"""Frame rates that a camera's parameter sets may claim and be believed: some claim the clock rate, or nothing."""

AVERAGE_S = 300.0
"""The running average follows a camera that really changed its rate within minutes, and no hiccup."""


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on a camera, and what the latest look found."""

    healthy: bool = True
    reason: str | None = None
    """Why it is not healthy, in words; None while it is."""
    expected_fps: float | None = None
    """What its frame rate is held against; None before that is known."""
    loss: float = 0.0
    """Share of its packets that were lost between the latest two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A camera at one moment. Counts are over all its sessions."""

    is_idle: bool
    is_live: bool
    trouble: str | None
    """Why it is not live, in words."""
    sessions: int
    frames: int
    frame_age_s: float | None
    key_frame_age_s: float | None
    packets: int
    packets_lost: int
    claimed_fps: float | None


class HealthJudge:
    """Judges one camera: unhealthy after `rules.misses` bad looks in a row, healthy again with the first good one.

    expected_fps: the frame rate that its owner expects; where not given, what the camera claims, or else what it sent
    over the last minutes.
    """

    def __init__(self, rules: HealthSettings, expected_fps: float | None = None) -> None:
        self._rules = rules
        self._configured_fps = expected_fps
        self._before: Observation | None = None
        self._before_s = 0.0
        self._average_fps = 0.0
        self._averaged_s = 0.0
        self._misses = 0
        self.health = Health()

    def expect(self, rules: HealthSettings, expected_fps: float | None) -> None:
        """Judge by these from now on; what was seen before still counts."""
        self._rules = rules
        self._configured_fps = expected_fps

    def look(self, seen: Observation, now: float) -> Health:
        """Take one look, and return the verdict."""
        if seen.is_idle:
            # Nobody asks anything of it. The verdict stays: a camera that failed its last viewer has not mended itself.
            self._before = None
            self._misses = 0
            return self.health
        before, elapsed_s = self._before, now - self._before_s
        self._before, self._before_s = seen, now
        expected_fps = self._expected_fps(seen)
        loss = 0.0
        if not seen.is_live:
            fault = seen.trouble or "it is being connected, and has sent no picture yet"
        elif before is None or not before.is_live:
            fault = None
        else:
            fps, loss = (seen.frames - before.frames) / elapsed_s, _loss(before, seen)
            fault = self._fault(before, seen, elapsed_s, expected_fps, loss)
            self._average(fps, elapsed_s)
        self._misses = self._misses + 1 if fault else 0
        is_ill = self._misses >= self._rules.misses or (fault is not None and not self.health.healthy)
        self.health = Health(not is_ill, fault if is_ill else None, expected_fps, loss)
        return self.health

    def _fault(
        self, before: Observation, seen: Observation, elapsed_s: float, expected_fps: float | None, loss: float
    ) -> str | None:
        """Return in words what is wrong with a camera that was live at the last look, too."""
        if seen.sessions > before.sessions:
            return "its connection is lost and made anew all the time"
        frames, rules = seen.frames - before.frames, self._rules
        # A frame more or less is where the look fell, not what the camera did.
        if expected_fps is not None and (frames + 1) / elapsed_s < rules.min_fps_share * expected_fps:
            if not frames and seen.frame_age_s is not None:
                return f"no whole picture for {seen.frame_age_s:.0f} s"
            return f"{_rate(frames / elapsed_s)} frames a second instead of {_rate(expected_fps)}"
        if loss > rules.max_loss_share:
            return f"{100 * loss:.2g} % of its packets are lost on the way"
        if seen.key_frame_age_s is not None and seen.key_frame_age_s > rules.max_key_frame_age_s:
            return f"no key frame for {seen.key_frame_age_s:.0f} s"
        return None

    def _expected_fps(self, seen: Observation) -> float | None:
        if self._configured_fps is not None:
            return self._configured_fps
        if seen.claimed_fps is not None and SANE_FPS[0] <= seen.claimed_fps <= SANE_FPS[1]:
            return seen.claimed_fps
        return self._average_fps if self._averaged_s else None

    def _average(self, fps: float, elapsed_s: float) -> None:
        self._averaged_s = min(self._averaged_s + elapsed_s, AVERAGE_S)
        self._average_fps += (fps - self._average_fps) * min(1.0, elapsed_s / self._averaged_s)


def _rate(fps: float) -> str:
    """As exact as it stands still: each other reason is told to all pages."""
    return f"{fps:.0f}" if fps >= 10 else f"{fps:.2g}"


def _loss(before: Observation, seen: Observation) -> float:
    lost = seen.packets_lost - before.packets_lost
    expected = seen.packets - before.packets + lost
    return max(0, lost) / expected if expected > 0 else 0.0
