"""One live audio stream: frames of sound in from one camera, out to many readers.

Like `stream`, without key frames: every frame can be decoded by itself, so a reader begins at the live edge, and one
that falls behind goes on there. Its format never changes; a camera that changes it gets a new stream.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import trio

from camgate.relay.fan_out import FanOut
from camgate.relay.lip_sync import LipSync
from camgate.relay.subscription import MAX_QUEUE_AGE_S, Subscription
from camgate.relay.wants import Wants
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame

MAX_AUDIO_QUEUE_BYTES = 256 << 10
"""A quarter of a second of stereo sound at 48 kHz without compression is 48 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStatistics:
    """An audio stream's figures at one moment; counts are since the stream began, over all camera sessions."""

    codec: str
    clock_hz: int
    channels: int
    frames: int
    bytes: int
    bitrate_bps: float
    """Over the last seconds; 0 when nothing comes."""
    frame_age_s: float | None
    """Since the last frame arrived; None before the first."""
    listeners: int
    """Viewers that are sent it, whether they have unmuted it or not."""
    skew_s: float
    """How much later than it arrives the sound is played, by the camera's reports; 0 where they tell nothing."""
    dropped_frames: int
    """Lost by readers that fell behind, summed over all readers."""


class AudioStream(FanOut):
    """Sound fans out from `publish` to every subscription."""

    def __init__(
        self, name: str, audio: AudioFormat, wants: Wants | None = None, lip_sync: LipSync | None = None
    ) -> None:
        """lip_sync: where the sound belongs beside the pictures, shared by all streams made of one camera's sound."""
        super().__init__(name, wants)
        self.format = audio
        self.lip_sync = lip_sync or LipSync()

    def publish(self, frame: Frame) -> None:
        """Hand a frame to all readers; never blocks. Its `rtp_time` must rise from frame to frame (see `splice`)."""
        self._last_arrival_s = frame.arrival_s
        self._meter.count(frame.size_bytes, frame.arrival_s)
        self._offer(frame)

    def subscribe(
        self, *, max_bytes: int = MAX_AUDIO_QUEUE_BYTES, max_age_s: float = MAX_QUEUE_AGE_S
    ) -> AbstractContextManager[Subscription]:
        """Read the stream inside a `with` block, from the next frame on.

        max_bytes, max_age_s: how far the reader may fall behind.
        """
        return self._subscribe(max_bytes, max_age_s, at_key_frame=False)

    def statistics(self) -> AudioStatistics:
        """Take a snapshot."""
        now = trio.current_time()
        return AudioStatistics(
            codec=self.format.codec,
            clock_hz=self.format.clock_hz,
            channels=self.format.channels,
            frames=self._meter.frames,
            bytes=self._meter.bytes,
            bitrate_bps=self.bitrate_bps(now),
            frame_age_s=self.frame_age_s(now),
            listeners=sum(subscription.viewers for subscription in self._subscriptions),
            skew_s=self.lip_sync.skew_s(now),
            dropped_frames=self._dropped_frames,
        )
