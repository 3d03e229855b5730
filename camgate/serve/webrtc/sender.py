"""One task a stream: each frame is packetised once, then encrypted and sent for one viewer after the other.

All viewers of a stream share SSRC, sequence numbers and timestamps (see `numbering` for those who do not quite). The
sender owns its viewers' sending state and runs without waiting on any of them: a full socket drops, it never blocks.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from camgate.load.sending import SendingMeter
from camgate.relay.media_time import ticks_since
from camgate.relay.stream import Stream
from camgate.relay.subscription import Subscription
from camgate.serve.webrtc import burst, recovery
from camgate.serve.webrtc.attention import Attention
from camgate.serve.webrtc.pace import Found
from camgate.serve.webrtc.packets import FrameBuffer, HeaderProfile, PacketizedFrame, find_frame
from camgate.serve.webrtc.turns import Turns
from camgate.serve.webrtc.viewer import CLOCK_HZ, Viewer
from camgate.serve.webrtc.wall_clock import unix_now_s
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp

YIELD_AFTER_S = 0.001
"""Other tasks (STUN answers, cameras, HTTP) wait no longer than about this for a stream with many viewers."""
RING_PACKETS = 2_048
"""Packets kept for retransmission: over a second of an 8 Mbit/s stream; browsers ask for nothing older."""
RING_TICKS = 2 * CLOCK_HZ
"""How far back a slower stream's packets are kept: two seconds."""
REPORT_INTERVAL_S = 1.0
MAX_START_SEQUENCE = 0x7FFF
"""A first sequence number in the lower half leaves the receiver no doubt about the rollover counter."""


@dataclass(frozen=True, slots=True)
class SenderStatistics:
    """What a stream's sender keeps now."""

    name: str
    viewers: int
    frames_queued: int
    bytes_queued: int
    """Waiting to be sent, each counted once however many viewers there are."""
    frames_dropped: int
    frames_shed: int
    ring_packets: int
    """Kept for retransmission."""
    cached_packets: int
    """Of the key-frame cache, cut for bursts."""


class Sender:
    """Sends one stream to all its WebRTC viewers.

    `run` is its only task, started by the endpoint; `add`, `remove` and the RTCP methods are called from others and
    never wait. sending, attention, turns: told of each frame. first_index: of its first packet; at random where not
    given.
    """

    def __init__(
        self,
        stream: Stream,
        sending: SendingMeter | None = None,
        attention: Attention | None = None,
        turns: Turns | None = None,
        *,
        first_index: int | None = None,
    ) -> None:
        self.stream = stream
        self._sending = sending or SendingMeter()
        self._attention = attention or Attention()
        self._turns = turns or Turns()
        self.ssrc = secrets.randbits(32)
        if first_index is None:
            first_index = (1 << 16) + secrets.randbelow(MAX_START_SEQUENCE)
        self._next_index = first_index
        self._format: VideoFormat | None = None
        self._codec = "H264"
        self.on_format: Callable[[VideoFormat], None] | None = None
        """Told of another format before the first frame of it is sent: who can no longer be sent to must be closed."""
        self._timestamp_offset = secrets.randbits(32)
        self._viewers: list[Viewer] = []
        self._ring: deque[PacketizedFrame] = deque()
        self._ring_packets = 0
        self._payloads: dict[int, list[bytes]] = {}
        self._newest_time = -1
        self._running = False
        self._subscription: Subscription | None = None
        self._wanted = trio.Event()
        self._idle = trio.CancelScope()

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    @property
    def viewer_count(self) -> int:
        """How many viewers get this stream."""
        return len(self._viewers)

    async def run(self) -> None:
        """Send while there are viewers, wait while there are none; returns when the stream is closed."""
        while True:
            # A viewer may come and be gone again before this task gets its turn.
            while not self._viewers:
                if self.stream.closed:
                    return
                await self._wanted.wait()
            with trio.CancelScope() as self._idle, self.stream.subscribe() as subscription:
                self._subscription = subscription
                self._start()
                await self._forward(subscription)
            if not self._idle.cancelled_caught:
                return

    def _start(self) -> None:
        self._heed_format()
        cached = self.stream.gop()
        self._newest_time = cached[-1].rtp_time if cached else -1
        self._running = True
        self._count_viewers()
        for viewer in self._viewers:
            self._join(viewer)

    def _heed_format(self) -> None:
        video = self.stream.format
        if video is None or video is self._format:
            return
        if video.codec != self._codec:
            # Nothing that was sent can be asked for again under the new codec.
            self._codec = video.codec
            self._payloads.clear()
            self._ring.clear()
            self._ring_packets = 0
        self._format = video
        if self.on_format is not None:
            self.on_format(video)

    async def _forward(self, subscription: Subscription) -> None:
        try:
            while True:
                await self._send(await subscription.receive())
        except trio.EndOfChannel:
            return

    def add(self, viewer: Viewer) -> None:
        """Take in a viewer: it gets the cached pictures at once, then every frame."""
        self._viewers.append(viewer)
        self._count_viewers()
        if self._running:
            self._join(viewer)
        self._wanted.set()

    def look_for_end(self) -> None:
        """See whether the stream was closed, which a sender that rests is not told. Called now and then."""
        if self.stream.closed:
            self._wanted.set()

    def remove(self, viewer: Viewer) -> None:
        """Stop sending to a viewer; the last one's leaving ends the subscription."""
        viewer.closed = True
        self._viewers.remove(viewer)
        self._count_viewers()
        if not self._viewers:
            self._rest()

    def _rest(self) -> None:
        self._running = False
        self._wanted = trio.Event()
        self._idle.cancel()
        self._ring.clear()
        self._ring_packets = 0
        self._payloads.clear()

    def _count_viewers(self) -> None:
        if self._subscription is not None:
            self._subscription.set_viewers(len(self._viewers))

    def _join(self, viewer: Viewer) -> None:
        frames = self._cached_until(self._newest_time)
        if frames:
            burst.plan_join(viewer, self._packetize(frames), self._next_index, self._timestamp(frames[-1]))
        else:
            self.stream.request_key_frame()

    def _packetize(self, cached: list[Frame]) -> list[list[bytes]]:
        """Return the payloads of cached frames: made once, as all who join while they are cached share them."""
        for frame in cached:
            if frame.rtp_time not in self._payloads:
                self._payloads[frame.rtp_time] = burst.packetize(frame, self._codec)
        return [payloads for frame in cached if (payloads := self._payloads[frame.rtp_time])]

    async def _send(self, frame: Frame) -> None:
        clock: Callable[[], float] = time.perf_counter
        started_s, busy_s = clock(), 0.0
        if not self._running:
            # The last viewer left while this frame was on its way to us; who joined since is not in step yet.
            return
        if frame.is_key:
            self._payloads.clear()
        if self.stream.format is not self._format:
            self._heed_format()
        payloads = burst.packetize(frame, self._codec)
        if not payloads:
            return
        packets = PacketizedFrame(payloads, self._next_index, self._timestamp(frame), frame.is_key)
        self._next_index = packets.end_index
        self._newest_time = frame.rtp_time
        self._remember(packets)
        buffers: dict[HeaderProfile, FrameBuffer] = {}
        until = clock() + YIELD_AFTER_S
        now = trio.current_time()
        with self._turns.live():
            for viewer in tuple(self._viewers):
                self._send_to(viewer, frame, packets, buffers)
                if now >= viewer.next_report_s:
                    self._report(viewer, frame, now)
                if clock() > until:
                    busy_s += clock() - started_s
                    await trio.lowlevel.checkpoint()
                    started_s = clock()
                    until = started_s + YIELD_AFTER_S
                    now = trio.current_time()
        delay_s = trio.current_time() - frame.arrival_s
        self._sending.note(busy_s + clock() - started_s, frame.size_bytes * len(self._viewers), delay_s)
        self._attention.note_frame()

    def _send_to(
        self, viewer: Viewer, frame: Frame, packets: PacketizedFrame, buffers: dict[HeaderProfile, FrameBuffer]
    ) -> None:
        if viewer.closed:
            return
        if viewer.bursting is not None:
            recovery.queue_live(viewer, packets, self._bytes_per_s())
            return
        if viewer.wants_burst and self._repeat(viewer, frame, packets):
            return
        if viewer.waiting_for_key and not self._resume(viewer, packets):
            return
        if viewer.pace is not None and recovery.is_paced(viewer, packets, self._bytes_per_s()):
            return
        buffer = buffers.get(viewer.profile)
        if buffer is None:
            buffer = buffers[viewer.profile] = FrameBuffer(packets, viewer.profile, self.ssrc)
        sent = viewer.send_frame(buffer)
        if sent < len(buffer.batches):
            self._drop(viewer, packets, sent)

    def _resume(self, viewer: Viewer, packets: PacketizedFrame) -> bool:
        """Say whether a viewer that waits for a key frame gets this one; its numbers take no notice of the others."""
        started = viewer.last_index >= 0
        if packets.is_key:
            viewer.waiting_for_key = False
            if not started:
                viewer.numbers.start(packets.first_index)
                viewer.first_frame_s = trio.current_time()
            return True
        if started:
            viewer.numbers.skip(packets.first_index, len(packets.payloads))
        return False

    def _drop(self, viewer: Viewer, packets: PacketizedFrame, batches_sent: int) -> None:
        viewer.frames_dropped += 1
        if batches_sent == 0:
            # Nothing left: later frames take these numbers, and as they need this one, wait for a key frame.
            viewer.numbers.skip(packets.first_index, len(packets.payloads))
            viewer.last_index -= len(packets.payloads)
            viewer.waiting_for_key = True

    def _repeat(self, viewer: Viewer, frame: Frame, packets: PacketizedFrame) -> bool:
        """Plan the burst that answers a key frame request; False where this very frame answers it."""
        viewer.wants_burst = False
        cached = self._cached_until(frame.rtp_time)
        if packets.is_key or not cached or viewer.last_index < 0:
            return False
        burst.plan_repeat(viewer, self._packetize(cached), packets)
        return True

    def _cached_until(self, rtp_time: int) -> list[Frame]:
        return [frame for frame in self.stream.gop() if frame.rtp_time <= rtp_time]

    def _report(self, viewer: Viewer, frame: Frame, now: float) -> None:
        if viewer.closed or viewer.bursting is not None or viewer.last_index < 0:
            return
        viewer.next_report_s = now + REPORT_INTERVAL_S
        viewer.forget_burst(now)
        viewer.judge_path(now)
        ticks = ticks_since(frame, now, CLOCK_HZ)
        viewer.send_report((self._timestamp(frame) + ticks) & 0xFFFFFFFF, unix_now_s(), self.stream.name)

    def _timestamp(self, frame: Frame) -> int:
        return (frame.rtp_time + self._timestamp_offset) & 0xFFFFFFFF

    def _remember(self, packets: PacketizedFrame) -> None:
        self._ring.append(packets)
        self._ring_packets += len(packets.payloads)
        while len(self._ring) > 1 and (self._ring_packets > RING_PACKETS or self._ring_ticks() > RING_TICKS):
            self._ring_packets -= len(self._ring.popleft().payloads)

    def _ring_ticks(self) -> int:
        return (self._ring[-1].timestamp - self._ring[0].timestamp) & 0xFFFFFFFF

    def _bytes_per_s(self) -> float:
        return self.stream.bitrate_bps(trio.current_time()) / 8

    @property
    def codec(self) -> str:
        """What is sent, such as `H264`."""
        return self._codec

    def statistics(self) -> SenderStatistics:
        """Take a snapshot."""
        queue = self._subscription
        return SenderStatistics(
            self.name,
            len(self._viewers),
            queue.queued_frames if queue else 0,
            queue.queued_bytes if queue else 0,
            queue.dropped_frames if queue else 0,
            queue.shed_frames if queue else 0,
            self._ring_packets,
            sum(map(len, self._payloads.values())),
        )

    def load_bytes_per_s(self, now: float) -> float:
        """How much there is to send to all viewers together; this and what follows is what `load.shedding` looks at."""
        return self.stream.bitrate_bps(now) / 8 * len(self._viewers)

    def queued_bytes(self) -> int:
        """How much waits to be sent to all viewers together."""
        return self._subscription.queued_bytes * len(self._viewers) if self._subscription else 0

    def queue_age_s(self, now: float) -> float:
        """How long the oldest frame has waited."""
        return self._subscription.queue_age_s(now) if self._subscription else 0.0

    def shed(self) -> int:
        """Skip to the next key frame, for all viewers; their numbers run on. Returns how many frames that drops now."""
        return self._subscription.shed() if self._subscription else 0

    def receive_nack(self, viewer: Viewer, nack: rtcp.Nack) -> None:
        """Send again what a viewer misses (RFC 4585 section 6.2.1), as far as its budget and the ring go."""
        viewer.nacks_received += 1
        self._attention.call()
        now = trio.current_time()
        lost: list[tuple[int, Found]] = []
        for sequence in nack.sequences:
            # Asking costs as well as getting: a NACK can name a thousand packets that we do not have.
            if not viewer.retransmissions.take(now):
                break
            viewer_index = viewer.numbers.extend(sequence, viewer.last_index)
            if viewer.is_on_its_way(viewer_index, now):
                continue
            found = self._find(viewer, viewer_index)
            if found is not None:
                lost.append((viewer_index, found))
        recovery.take_losses(viewer, lost, now, self._bytes_per_s())

    def _find(self, viewer: Viewer, viewer_index: int) -> Found | None:
        if viewer_index > viewer.last_index:
            return None
        own = viewer.find_own(viewer_index)
        if own is not None:
            return own
        index = viewer.numbers.shared_index(viewer_index)
        if index is None:
            return None
        packets = find_frame(self._ring, index)
        return None if packets is None else (packets, index - packets.first_index, viewer_index - index)

    def receive_key_frame_request(self, viewer: Viewer) -> None:
        """Answer PLI or FIR from the key-frame cache with the next live frame, else ask the camera (RFC 4585 6.3.1)."""
        self._attention.call()
        if viewer.bursting is not None or not viewer.may_request_key_frame(trio.current_time()):
            return
        if self.stream.gop():
            viewer.wants_burst = True
        else:
            self.stream.request_key_frame()
