"""The join burst: the pictures since the last key frame go out at once, so that a viewer sees something at once.

The frames keep their order and end exactly at the newest live frame's time and number, the earlier ones a few
milliseconds apart, so that the browser decodes them at speed and is in step with live right after. Live frames that
come meanwhile queue behind. Planned by the sender in one step, sent by the viewer's own task, paced: what overruns a
browser is lost, and freezes it (docs/design/join-burst.md).
"""

from collections import deque
from collections.abc import Sequence

import trio

from camgate.serve.webrtc.packets import MAX_PAYLOAD_BYTES, Batch, FrameBuffer, PacketizedFrame
from camgate.serve.webrtc.recovery import send_paced
from camgate.serve.webrtc.turns import Turns
from camgate.serve.webrtc.viewer import BURST_KEPT_S, Viewer
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.video_codecs import packetize_for_browsers

SPACING_TICKS = 450
"""5 ms at 90 kHz between a burst's frames: Chromium froze on joins with 1 tick, never with this."""
KEY_CHUNK_BYTES = 60_000
KEY_INTERVAL_S = 0.002
"""Pace of the key frame, which the first picture waits for: 30 MB/s, and a third of a usual receive buffer at once."""
CHUNK_BYTES = 40_000
CHUNK_INTERVAL_S = 0.005
"""Pace of what follows: 8 MB/s. A lost packet must come again before 1,024 others have (the SRTP replay window of
browsers), which leaves 0.15 s for it."""
MAX_SLOWER = 8
"""Each loss that the viewer tells of halves the pace, down to 1 MB/s: a link that carries less is none for a burst."""
LOSS_ROUND_S = 0.1
"""NACKs that come so soon behind one that slowed the burst are about the same loss."""
FULL_SOCKET_TRIES = 50
"""Of one batch, KEY_INTERVAL_S apart: a socket that takes nothing for 0.1 s will not carry a burst."""
MAX_BURST_S = 5.0
"""A burst takes 0.6 s at the most on a link that carries it; live frames that queue behind a slower one pile up."""


Payloads = Sequence[list[bytes]]
"""RTP payloads, a list a frame."""


def packetize(frame: Frame, codec: str = "H264") -> list[bytes]:
    """Return a frame's RTP payloads as browsers get them."""
    return packetize_for_browsers(codec, frame.nals, MAX_PAYLOAD_BYTES)


def burst_timestamps(count: int, last: int, after: int | None) -> list[int]:
    """Return `count` rising 32-bit RTP timestamps that end at `last`, SPACING_TICKS apart.

    after: the timestamp that the viewer saw last, None when it saw none; the burst is squeezed in behind it.
    """
    spacing = SPACING_TICKS
    if after is not None:
        spacing = max(1, min(spacing, ((last - after) & 0xFFFFFFFF) // (count + 1)))
    return [(last - (count - 1 - place) * spacing) & 0xFFFFFFFF for place in range(count)]


def plan_join(viewer: Viewer, payloads: Payloads, next_index: int, last_timestamp: int) -> None:
    """Give a new viewer the frames of `payloads`, a key frame to the newest one sent live, numbered to `next_index`."""
    viewer.numbers.start(next_index, sum(map(len, payloads)))
    _plan(viewer, payloads, next_index, burst_timestamps(len(payloads), last_timestamp, None))


def plan_repeat(viewer: Viewer, payloads: Payloads, live: PacketizedFrame) -> None:
    """Give a viewer that asked for a key frame those of `payloads`, which end with `live`'s, in place of `live`."""
    viewer.numbers.skip(live.first_index, len(live.payloads))
    viewer.numbers.insert(live.end_index, sum(map(len, payloads)))
    times = burst_timestamps(len(payloads), live.timestamp, viewer.last_timestamp)
    _plan(viewer, payloads, live.end_index, times)


def _plan(viewer: Viewer, payloads: Payloads, next_index: int, timestamps: list[int]) -> None:
    index = next_index - sum(map(len, payloads))
    own: list[PacketizedFrame] = []
    for packets, timestamp in zip(payloads, timestamps, strict=True):
        own.append(PacketizedFrame(packets, index, timestamp, is_key=not own))
        index += len(packets)
    viewer.own_frames = own
    viewer.own_offset = viewer.numbers.offset
    viewer.own_frames_until_s = trio.current_time() + BURST_KEPT_S
    viewer.bursting = deque(own)
    viewer.waiting_for_key = viewer.wants_burst = False
    viewer.burst_planned.set()


async def send_bursts(viewer: Viewer, turns: Turns | None = None) -> None:
    """Send each burst that the sender plans, for as long as the viewer lives. Run by the viewer's peer task.

    turns: taken for each chunk.
    """
    turns = turns or Turns()
    while True:
        await viewer.burst_planned.wait()
        viewer.burst_planned = trio.Event()
        if viewer.pace is None:
            await _send_burst(viewer, turns)
        if viewer.bursting is not None:
            # From the start, or because much of this burst was lost.
            await send_paced(viewer)


async def _send_burst(viewer: Viewer, turns: Turns) -> None:
    queue = viewer.bursting
    pace = _Pace(viewer, turns)
    nacks = viewer.nacks_received
    until_s = trio.current_time() + MAX_BURST_S
    await turns.take()
    if viewer.first_frame_s is None:
        viewer.first_frame_s = trio.current_time()
    while queue and viewer.pace is None:
        for batch in viewer.encrypt(FrameBuffer(queue.popleft(), viewer.profile, viewer.ssrc)):
            if not await _send_batch(viewer, batch) or trio.current_time() > until_s:
                viewer.give_up_burst()
                return
            await pace.sent(sum(map(len, batch[0])))
        pace.follow_up()
    if viewer.pace is not None:
        return
    # No await between the last look at the queue and this line: a live frame is either in it or comes after.
    viewer.bursting = None
    viewer.next_report_s = 0.0
    if viewer.nacks_received == nacks:
        # It has all that it can ask for, and is only slow to decode: a second burst would set it back by as much.
        viewer.key_frame_was_sent(trio.current_time())


async def _send_batch(viewer: Viewer, batch: Batch) -> bool:
    for _ in range(FULL_SOCKET_TRIES):
        if viewer.send_batch(*batch):
            return True
        await trio.sleep(KEY_INTERVAL_S)
    return False


class _Pace:
    """How fast a burst may go: the key frame first, then the rest, slower with each loss that the viewer tells of."""

    def __init__(self, viewer: Viewer, turns: Turns) -> None:
        self._viewer = viewer
        self._turns = turns
        self._nacks = viewer.nacks_received
        self._chunk_bytes = self._room = KEY_CHUNK_BYTES
        self._interval_s = KEY_INTERVAL_S
        self._slower = 1
        self._due_s = trio.current_time()
        self._next_loss_s = 0.0

    def follow_up(self) -> None:
        """The key frame is out."""
        self._chunk_bytes = CHUNK_BYTES
        self._interval_s = CHUNK_INTERVAL_S

    async def sent(self, octets: int) -> None:
        """Rest where a chunk is full; time that sending took is made up for, up to one chunk."""
        now = trio.current_time()
        self._heed_loss(now)
        self._room -= octets
        while self._room <= 0:
            self._room += self._chunk_bytes
            self._due_s = max(self._due_s, now - self._interval_s) + self._interval_s * self._slower
            await trio.sleep_until(self._due_s)
            await self._turns.take()

    def _heed_loss(self, now: float) -> None:
        if self._viewer.nacks_received == self._nacks:
            return
        self._nacks = self._viewer.nacks_received
        if now >= self._next_loss_s:
            self._next_loss_s = now + LOSS_ROUND_S
            self._slower = min(MAX_SLOWER, 2 * self._slower)
