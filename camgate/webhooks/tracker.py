"""`Tracker`: from cameras' states to what one receiver is told. Pure: states and time in, messages and a deadline out.

A state becomes a message when it is another one than the receiver knows of: `up` at once, `down` and `stalled` when the
camera has been without pictures for `after_s`, so that a camera that reconnects within seconds is no news. How many
messages one camera may cause is bounded as well; beyond that only the latest state is told, once there is room.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from camgate.base.budget import Budget
from camgate.relay.source import CameraState
from camgate.webhooks.messages import Event, Message

BURST, PER_S = 6, 1 / 60
"""Messages of one camera: six at once, one a minute in the long run. Three outages in a row are told in full."""

EVENTS = {CameraState.LIVE: Event.UP, CameraState.BACKOFF: Event.DOWN, CameraState.STALLED: Event.STALLED}
"""While it connects, a camera is as it was before."""
RESTING = (CameraState.IDLE, CameraState.STOPPED)
"""Nothing is asked of it, so nothing can be wrong with it."""


@dataclass(slots=True, eq=False)
class _Camera:
    """told: what the receiver knows, by message `told_by`; None where it knows nothing. seen: what is so now, since
    `seen_s`, without pictures since `away_s`.
    """

    told: Event | None = None
    told_by: str = ""
    seen: Event | None = None
    seen_s: float = 0.0
    away_s: float = 0.0
    title: str = ""
    reason: str | None = None
    skipped: int = 0
    budget: Budget = field(default_factory=lambda: Budget(BURST, PER_S))


class Tracker:
    """What one receiver knows of all cameras."""

    def __init__(self, events: Collection[str], after_s: float) -> None:
        """events: what it is told of."""
        self._cameras: dict[str, _Camera] = {}
        self.set(events, after_s)

    def set(self, events: Collection[str], after_s: float) -> None:
        """Go on by other settings; what is known stays known."""
        self._events = frozenset(events)
        self._after_s = after_s

    def note(self, name: str, title: str, state: CameraState, reason: str | None, now: float) -> None:
        """Take the state that a camera is in. reason: why, where it is not live."""
        camera = self._cameras.setdefault(name, _Camera())
        camera.title = title
        seen = camera.told if state in RESTING else EVENTS.get(state, camera.seen)
        if seen is camera.seen:
            if seen is not Event.UP:
                camera.reason = reason or camera.reason
            return
        if camera.seen not in (camera.told, None):
            camera.skipped += 1  # it came and went untold
        if seen is not Event.UP and camera.seen in (Event.UP, None):
            camera.away_s = now
        camera.seen, camera.seen_s = seen, now
        camera.reason = None if seen is Event.UP else reason

    def note_lost(self, message: Message) -> None:
        """Take it that a message never arrived: unless a later one has, what is so now is to be told."""
        camera = self._cameras.get(message.camera or "")
        if camera is not None and camera.told_by == message.id:
            camera.told = None

    def forget_others(self, names: Collection[str]) -> None:
        """Forget all cameras but these: the others are gone, and are told of no more."""
        kept = set(names)
        self._cameras = {name: camera for name, camera in self._cameras.items() if name in kept}

    def due(self, now: float, wall_s: float) -> tuple[list[Message], float]:
        """Return the messages that are due, and when to ask again at the latest; infinity where nothing is pending."""
        messages, next_s = [], math.inf
        for name, camera in self._cameras.items():
            if camera.seen is camera.told or camera.seen is None:
                continue
            due_s = camera.seen_s if camera.seen is Event.UP else max(camera.seen_s, camera.away_s + self._after_s)
            if camera.seen.value not in self._events:
                camera.told, camera.skipped = camera.seen, 0
            elif now < due_s:
                next_s = min(next_s, due_s)
            elif not camera.budget.take(now):
                next_s = min(next_s, now + camera.budget.wait_s())
            else:
                message = _message(name, camera, wall_s - (now - camera.seen_s))
                messages.append(message)
                camera.told, camera.told_by, camera.skipped = camera.seen, message.id, 0
        return messages, next_s


def _message(name: str, camera: _Camera, happened_s: float) -> Message:
    assert camera.seen is not None
    return Message(
        event=camera.seen,
        happened_s=happened_s,
        camera=name,
        title=camera.title,
        reason=camera.reason,
        skipped=camera.skipped,
    )
