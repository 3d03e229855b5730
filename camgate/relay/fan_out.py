"""Frames from one publisher to many readers: what the streams of pictures and of sound have in common.

Runs no task. A slow reader loses frames, never holds up another.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from camgate.base.log import get_logger
from camgate.relay.rate import RateMeter
from camgate.relay.subscription import Subscription
from camgate.relay.wants import Wants
from camgate.wire.codec.frame import Frame

DROP_LOG_INTERVAL_S = 1.0

log = get_logger("relay.stream")


class FanOut:
    """Readers' subscriptions, and what is counted over all of them. `name`: the camera's, for the log."""

    def __init__(self, name: str, wants: Wants | None = None) -> None:
        """wants: who wants the camera, shared by all streams of one camera; each subscription counts there."""
        self.name = name
        self.wants = wants or Wants()
        self.closed = False
        self._subscriptions: list[Subscription] = []
        self._meter = RateMeter()
        self._last_arrival_s: float | None = None
        self._dropped_frames = 0
        self._shed_frames = 0
        self._dropped_unlogged = 0
        self._next_drop_log_s = float("-inf")

    @contextmanager
    def _subscribe(self, max_bytes: int, max_age_s: float, *, at_key_frame: bool) -> Iterator[Subscription]:
        subscription = Subscription(max_bytes=max_bytes, max_age_s=max_age_s, at_key_frame=at_key_frame)
        if self.closed:
            subscription.close()
        else:
            self._subscriptions.append(subscription)
        try:
            with self.wants.hold():
                yield subscription
        finally:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            self._shed_frames += subscription.shed_frames
            subscription.abandon()

    @property
    def frames(self) -> int:
        """How many frames were published."""
        return self._meter.frames

    def bitrate_bps(self, now: float) -> float:
        """Return how many bits a second came in over the last seconds."""
        return self._meter.rates(now)[1]

    def close(self) -> None:
        """End the stream for good: readers get what is queued for them, then trio.EndOfChannel."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions.clear()

    def _offer(self, frame: Frame) -> None:
        """Hand a frame to all readers; never blocks."""
        lost = 0
        for subscription in self._subscriptions:
            lost += subscription.offer(frame)
        if lost or self._dropped_unlogged:
            self._count_dropped(lost, frame.arrival_s)

    def frame_age_s(self, now: float) -> float | None:
        """Return how long ago the last frame arrived; None before the first."""
        return None if self._last_arrival_s is None else max(0.0, now - self._last_arrival_s)

    def _count_dropped(self, lost: int, now: float) -> None:
        self._dropped_frames += lost
        self._dropped_unlogged += lost
        if now >= self._next_drop_log_s:
            log.warning("readers fell behind, and lose frames", camera=self.name, lost=self._dropped_unlogged)
            self._dropped_unlogged = 0
            self._next_drop_log_s = now + DROP_LOG_INTERVAL_S
