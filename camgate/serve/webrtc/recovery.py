"""What happens when packets are lost: repeats, a pace for slow paths, and patience of the browser for bad ones.

Called by the sender; `send_paced` is run by the viewer's own task, in turn with bursts.
"""

from collections import deque
from collections.abc import Iterable

import trio

from camgate.serve.webrtc.pace import Found, Pace
from camgate.serve.webrtc.packets import MAX_PACKET_BYTES, Batch, FrameBuffer, PacketizedFrame
from camgate.serve.webrtc.viewer import Viewer

MANY_AT_ONCE = 16
"""Packets (19 kB) that one NACK names for the first time: a queue that overflows loses so many in a row, chance that
takes a tenth does not."""
TWICE_LOSS = 0.05
"""Share lost, from where on a repeat is sent twice: at 10 % that halves the freezes, for 8 % more packets."""
AT_ONCE_PACKETS = 12
"""Frames up to this size (14 kB) leave at once even at a pace: they are what a 3 Mbit/s camera sends all the time."""
PIECE_PACKETS = 4
SHORTEST_REST_S = 0.005
"""Shorter rests are saved up: a timer costs more than a packet."""
LATE_S = 0.25
"""A new key frame takes the place of what waits, when that would take longer than this to send."""
LONGEST_S = 10.0
"""Of sending without a pause, which only a path slower than the stream needs: then skip to the next key frame."""


def take_losses(viewer: Viewer, lost: list[tuple[int, Found]], now: float, stream_bytes_per_s: float) -> None:
    """Send again what a viewer asked for, with the viewer indices; at once, or at its pace where it needs one."""
    if viewer.repeats.count_new([index for index, _ in lost]) >= MANY_AT_ONCE:
        _slow_down(viewer, lost, now, stream_bytes_per_s)
    pace = viewer.pace
    for index, found in lost:
        if pace is None:
            viewer.repeats.note_sent(index, now)
            viewer.resend(*found)
            if viewer.loss_fraction > TWICE_LOSS:
                viewer.resend(*found)
        else:
            pace.repeat(index, found)
    if lost and pace is not None and viewer.bursting is None:
        viewer.bursting = deque()
        viewer.burst_planned.set()


def _slow_down(viewer: Viewer, lost: list[tuple[int, Found]], now: float, stream_bytes_per_s: float) -> None:
    next_index = viewer.last_index + 1
    if viewer.pace is None:
        in_burst = viewer.find_own(lost[0][0]) is not None
        viewer.pace = Pace(next_index, stream_bytes_per_s, in_burst=in_burst)
    elif lost[-1][0] >= viewer.pace.since_index:
        viewer.pace.slow_down(now, next_index, stream_bytes_per_s)
    viewer.be_patient(now)


def is_paced(viewer: Viewer, packets: PacketizedFrame, stream_bytes_per_s: float) -> bool:
    """Say whether a live frame is too large to be sent at once to a viewer with a pace; then its own task sends it."""
    assert viewer.pace is not None
    if packets.is_key and not viewer.pace.speed_up(trio.current_time(), stream_bytes_per_s):
        viewer.pace = None
        return False
    if len(packets.payloads) <= AT_ONCE_PACKETS:
        return False
    viewer.bursting = deque([packets])
    viewer.burst_planned.set()
    return True


def queue_live(viewer: Viewer, packets: PacketizedFrame, stream_bytes_per_s: float) -> None:
    """Queue a live frame behind what the viewer's own task is sending."""
    queue, pace = viewer.bursting, viewer.pace
    assert queue is not None
    if pace is not None and packets.is_key:
        pace.follow(stream_bytes_per_s)
        waiting = sum(len(frame.payloads) for frame in queue) + pace.repeats
        if waiting * MAX_PACKET_BYTES > LATE_S * pace.bytes_per_s:
            # The browser jumps to this key frame: all before it would only hold it up.
            viewer.skip_queue()
            pace.forget_repeats()
    queue.append(packets)


async def send_paced(viewer: Viewer) -> None:
    """Send what is queued for a viewer, at its pace; what it asked for again goes first."""
    queue, pace = viewer.bursting, viewer.pace
    assert queue is not None
    assert pace is not None
    pieces: deque[Batch] = deque()
    until_s = trio.current_time() + LONGEST_S
    while pace.repeats or pieces or queue:
        if not (pieces or pace.repeats):
            pieces.extend(_pieces(viewer.encrypt(FrameBuffer(queue.popleft(), viewer.profile, viewer.ssrc))))
        now = trio.current_time()
        rest_s = pace.rest_s(_send_next(viewer, pace, pieces, now), now)
        if rest_s > SHORTEST_REST_S:
            await trio.sleep(rest_s)
        if now > until_s:
            pace.forget_repeats()
            viewer.give_up_burst()
            return
    # No await between the last look at the queue and this line: a live frame is either in it or comes after.
    viewer.bursting = None


def _send_next(viewer: Viewer, pace: Pace, pieces: deque[Batch], now: float) -> int:
    """Send one packet again, or else the next piece of a frame; returns how many bytes these were."""
    repeat = pace.next_repeat()
    if repeat is not None:
        index, found = repeat
        viewer.repeats.note_sent(index, now)
        return viewer.resend(*found)
    parts, segment_bytes, packets = pieces.popleft()
    # What a full socket does not take is lost as on the network, and can be asked for again.
    viewer.send_batch(parts, segment_bytes, packets)
    return sum(map(len, parts))


def _pieces(batches: Iterable[Batch]) -> list[Batch]:
    """Cut batches into such of PIECE_PACKETS packets."""
    pieces: list[Batch] = []
    for parts, segment_bytes, packets in batches:
        if packets <= PIECE_PACKETS:
            pieces.append((parts, segment_bytes, packets))
            continue
        whole = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
        step = PIECE_PACKETS * segment_bytes
        for start in range(0, len(whole), step):
            piece = whole[start : start + step]
            count = -(-len(piece) // segment_bytes)
            pieces.append(((piece,), segment_bytes if count > 1 else 0, count))
    return pieces
