"""What is dropped when there is more to send than this machine can: the rest of the group of pictures of the heaviest
streams, so that light ones go on and nobody's delay grows.

A stream's queue drops by itself what is older than its bound (`relay.subscription`). That hits whoever stands at the
back, light streams too. So once any queue is half as old, the streams that send most are told to skip to their next key
frame, heaviest first, until the rest can be sent in time. No task: `relieve` is called once a tick.
"""

from collections.abc import Iterable
from typing import Protocol

from camgate.base.log import get_logger
from camgate.relay.subscription import MAX_QUEUE_AGE_S

log = get_logger("load.shedding")

LATE_S = MAX_QUEUE_AGE_S / 2
"""A frame that has waited this long says that sending is behind: half the bound leaves two ticks to do something."""
DRAIN_S = 0.05
"""What may stay queued: as much as is sent in this time."""
RESPITE_S = 10.0
RESPITE = 4
"""A stream that was shed lately counts as so much lighter for so long: of streams like each other the same ones would
stay black for ever."""
LOG_INTERVAL_S = 1.0


class Sending(Protocol):
    """A stream's sender, as shedding sees it."""

    @property
    def name(self) -> str:
        """The camera's."""

    def load_bytes_per_s(self, now: float) -> float:
        """What it has to send to all its viewers together."""

    def queued_bytes(self) -> int:
        """What waits to be sent, times its viewers."""

    def queue_age_s(self, now: float) -> float:
        """How long the oldest frame has waited; 0 when none does."""

    def shed(self) -> int:
        """Drop what waits and skip to the next key frame; returns how many frames that dropped at once."""


class Shedding:
    """Decides which streams are relieved of what they cannot send in time anyway."""

    def __init__(self) -> None:
        self.sheds = 0
        self._unlogged: dict[str, int] = {}
        self._shed_s: dict[str, float] = {}
        self._next_log_s = float("-inf")

    def relieve(self, senders: Iterable[Sending], bytes_per_s: float, now: float) -> None:
        """Where a queue is late, shed the heaviest streams. bytes_per_s: what a second of sending carries."""
        active = [sender for sender in senders if sender.load_bytes_per_s(now)]
        waiting = [sender for sender in active if sender.queued_bytes()]
        # A stream that is alone takes nothing from others: its queue's own bound leaves it more pictures.
        if len(active) > 1 and any(sender.queue_age_s(now) > LATE_S for sender in waiting):
            self._shed(waiting, bytes_per_s, now)
        if self._unlogged and now >= self._next_log_s:
            self._log(now)

    def _shed(self, waiting: list[Sending], bytes_per_s: float, now: float) -> None:
        excess = sum(sender.queued_bytes() for sender in waiting) - bytes_per_s * DRAIN_S
        waiting.sort(key=lambda sender: self._weight(sender, now), reverse=True)
        for sender in waiting:
            if excess <= 0:
                return
            excess -= sender.queued_bytes()
            self._unlogged[sender.name] = self._unlogged.get(sender.name, 0) + sender.shed()
            self._shed_s[sender.name] = now
            self.sheds += 1

    def _weight(self, sender: Sending, now: float) -> float:
        is_spared = now - self._shed_s.get(sender.name, float("-inf")) < RESPITE_S
        return sender.load_bytes_per_s(now) / (RESPITE if is_spared else 1)

    def _log(self, now: float) -> None:
        log.warning(
            "more to send than this machine can: the heaviest streams skip to their next key frame",
            cameras=", ".join(self._unlogged),
            frames=sum(self._unlogged.values()),
        )
        self._unlogged.clear()
        self._next_log_s = now + LOG_INTERVAL_S
