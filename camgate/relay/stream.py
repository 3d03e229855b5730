"""One live video stream: frames in from one camera, out to many readers, with the key-frame cache beside them.

Runs no task: `publish` is called by whoever reads the camera, readers wait on their own subscriptions. Knows
nothing of cameras' states (see `source`), nor of what readers do with frames.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import trio

from camgate.relay.fan_out import FanOut
from camgate.relay.keyframes import KeyFrameCache
from camgate.relay.subscription import MAX_QUEUE_AGE_S, MAX_QUEUE_BYTES, Subscription
from camgate.relay.wants import Wants
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame

__all__ = ["Stream", "StreamStatistics", "Subscription"]

VIDEO_CLOCK_HZ = 90_000

KEY_FRAME_REQUEST_INTERVAL_S = 1.0
"""A camera is asked for a key frame at most so often, however many viewers want one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatistics:
    """A stream's figures at one moment; counts are since the stream began, over all camera sessions."""

    codec: str | None
    """None, like all that follows from it, before the format is known."""
    profile: str | None
    """In words, such as `High` or `Main 10`."""
    profile_level_id: str | None
    """Of H.264."""
    has_b_frames: bool | None
    """Or claims to have them: browsers cannot play them over WebRTC."""
    width: int | None
    height: int | None
    nominal_fps: float | None
    """What the camera claims; `fps` is what comes."""
    frames: int
    key_frames: int
    bytes: int
    fps: float
    """Over the last seconds; 0 when nothing comes."""
    bitrate_bps: float
    """Over the last seconds; 0 when nothing comes."""
    gop_s: float | None
    """Media time between the last two key frames; None before there were two."""
    frame_age_s: float | None
    """Since the last frame arrived; None before the first."""
    key_frame_age_s: float | None
    """Since the last key frame arrived; None before the first."""
    cache_frames: int
    cache_bytes: int
    cache_overflows: int
    """How often a group of pictures was too long or too big to cache, so that new viewers must wait."""
    gop_outgrows_cache: bool
    """The latest group of pictures did: who joins late in such a group waits for the next key frame."""
    subscribers: int
    viewers: int
    dropped_frames: int
    """Lost by readers that fell behind, summed over all readers."""
    shed_frames: int
    """Left out because this machine had more to send than it could, and this stream was of the heaviest."""
    queued_bytes: int
    """What waits in the readers' queues now; each is bounded by MAX_QUEUE_BYTES and MAX_QUEUE_AGE_S."""
    queue_age_s: float
    """How long the oldest frame in any reader's queue has waited."""


class Stream(FanOut):
    """Frames fan out from `publish` to every subscription; a slow reader loses frames, never holds up another."""

    def __init__(self, name: str, wants: Wants | None = None) -> None:
        """wants: who wants the camera, shared by all streams of one camera; each subscription counts there."""
        super().__init__(name, wants)
        self.format: VideoFormat | None = None
        self._cache = KeyFrameCache()
        self._key_frames = 0
        self._last_key_time: int | None = None
        self._gop_s: float | None = None
        self._last_key_arrival_s: float | None = None
        self._key_frame_requester: Callable[[], None] | None = None
        self._next_key_frame_request_s = float("-inf")

    def publish(self, frame: Frame) -> None:
        """Hand a frame to all readers; never blocks. Its `rtp_time` must rise from frame to frame (see `splice`)."""
        now = self._last_arrival_s = frame.arrival_s
        self._meter.count(frame.size_bytes, now)
        if frame.is_key:
            self._count_key_frame(frame)
        self._cache.append(frame)
        self._offer(frame)

    def subscribe(
        self, *, max_bytes: int = MAX_QUEUE_BYTES, max_age_s: float = MAX_QUEUE_AGE_S
    ) -> AbstractContextManager[Subscription]:
        """Read the stream inside a `with` block.

        The first frame received continues exactly behind what `gop()` returns right after this call; when that is
        empty, it is the next key frame, which the camera is asked for. max_bytes, max_age_s: how far the reader may
        fall behind.
        """
        if not len(self._cache):
            self.request_key_frame()
        return self._subscribe(max_bytes, max_age_s, at_key_frame=not len(self._cache))

    def gop(self) -> tuple[Frame, ...]:
        """Return the cached frames since the last key frame, that one first; empty when there are none."""
        return self._cache.frames()

    def key_frame_age_s(self, now: float) -> float | None:
        """Return how long ago the last key frame arrived; None before the first."""
        return None if self._last_key_arrival_s is None else max(0.0, now - self._last_key_arrival_s)

    def set_format(self, video_format: VideoFormat) -> None:
        """Say what the frames from now on look like.

        A reader gets frames of the codec that `format` names when it takes them, never one of the codec before.
        """
        if self.format is not None and self.format.codec != video_format.codec:
            self._cache.clear()
            for subscription in self._subscriptions:
                subscription.begin_anew()
        self.format = video_format

    def set_key_frame_requester(self, requester: Callable[[], None] | None) -> None:
        """Name the function that asks the camera for a key frame; None when this camera cannot be asked."""
        self._key_frame_requester = requester

    def request_key_frame(self) -> bool:
        """Ask the camera for a key frame, at most once a second; False when it cannot be asked."""
        if self._key_frame_requester is None:
            return False
        now = trio.current_time()
        if now >= self._next_key_frame_request_s:
            self._next_key_frame_request_s = now + KEY_FRAME_REQUEST_INTERVAL_S
            self._key_frame_requester()
        return True

    def forget_pictures(self) -> None:
        """Empty the key-frame cache: the camera was hung up on, and old pictures are none to start with."""
        self._cache.clear()

    def close(self) -> None:
        """End the stream for good: readers get what is queued for them, then trio.EndOfChannel."""
        super().close()
        self._cache.clear()

    def statistics(self) -> StreamStatistics:
        now = trio.current_time()
        fps, bitrate_bps = self._meter.rates(now)
        known = self.format
        return StreamStatistics(
            codec=known.codec if known else None,
            profile=known.profile if known else None,
            profile_level_id=known.profile_level_id or None if known else None,
            has_b_frames=known.may_reorder if known else None,
            width=known.width if known else None,
            height=known.height if known else None,
            nominal_fps=known.fps if known else None,
            frames=self._meter.frames,
            key_frames=self._key_frames,
            bytes=self._meter.bytes,
            fps=fps,
            bitrate_bps=bitrate_bps,
            gop_s=self._gop_s,
            frame_age_s=self.frame_age_s(now),
            key_frame_age_s=self.key_frame_age_s(now),
            cache_frames=len(self._cache),
            cache_bytes=self._cache.size_bytes,
            cache_overflows=self._cache.overflows,
            gop_outgrows_cache=self._cache.is_outgrown,
            subscribers=len(self._subscriptions),
            viewers=sum(subscription.viewers for subscription in self._subscriptions),
            dropped_frames=self._dropped_frames,
            shed_frames=self._shed_frames + sum(each.shed_frames for each in self._subscriptions),
            queued_bytes=sum(each.queued_bytes for each in self._subscriptions),
            queue_age_s=max((each.queue_age_s(now) for each in self._subscriptions), default=0.0),
        )

    def _count_key_frame(self, frame: Frame) -> None:
        self._key_frames += 1
        self._last_key_arrival_s = frame.arrival_s
        if self._last_key_time is not None:
            self._gop_s = (frame.rtp_time - self._last_key_time) / VIDEO_CLOCK_HZ
        self._last_key_time = frame.rtp_time
