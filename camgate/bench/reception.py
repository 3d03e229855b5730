"""What one viewer received, in figures: packets by sequence number, frames by mark, delay, the first key frame.

Does no I/O and knows no keys: it is given opened packets and when they arrived, in seconds of Unix time.
"""

from dataclasses import dataclass, field

from camgate.bench.marks import MARK_BYTES, Mark, find_mark
from camgate.bench.packet_filter import KEPT_ONE_IN
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.rtp.sequence import sequence_delta

_MARKER = 0x80
_CYCLE = 1 << 16


@dataclass(slots=True)
class Window:
    """What came in a time of measuring.

    received: packets that arrived, without repeats and stragglers; octets: their bytes, RTP headers included.
    delays_s: camera to viewer, by each mark seen.
    frames: at which packet index each marked frame ended. frames_missing: numbers left out between two frames.
    """

    received: int = 0
    octets: int = 0
    first_index: int = 0
    last_index: int = 0
    delays_s: list[float] = field(default_factory=list)
    frames: dict[int, int] = field(default_factory=dict)
    frames_missing: int = 0


class Reception:
    """Counts for one viewer.

    full: it takes every packet and looks at every frame. Others look at frames up to the first key frame; from then on
    (see `packet_filter`) they count packets with a sequence number that is a multiple of 32, and read marks.
    """

    def __init__(self, *, full: bool) -> None:
        self.full = full
        self.index = -1
        """The highest sequence number so far, counted on at its wraps; -1 before the first packet."""
        self.first_packet_s: float | None = None
        self.key_frame_s: float | None = None
        """When the first key frame was whole."""
        self.key_frame: Frame | None = None
        """That frame, kept by full viewers."""
        self.ssrc = 0
        self.window = Window()
        self._depacketizer: H264Depacketizer | None = H264Depacketizer()
        self._last_frame: int | None = None

    @property
    def packets_per_received(self) -> int:
        """How many packets one that was received stands for."""
        return 1 if self.full else KEPT_ONE_IN

    def begin_window(self) -> None:
        """Count from here."""
        self.window = Window(first_index=self.index, last_index=self.index)

    def receive_packet(self, packet: bytes, arrival_s: float) -> None:
        """Take an RTP packet."""
        sequence = packet[2] << 8 | packet[3]
        if self.index < 0:
            self.first_packet_s = arrival_s
            self.ssrc = int.from_bytes(packet[8:12], "big")
            self.index = _CYCLE + sequence
        else:
            ahead = sequence_delta(sequence, self.index & 0xFFFF)
            if ahead <= 0:
                return
            if self._depacketizer is None:
                self._find_mark(packet, self.index + ahead, arrival_s)
                if sequence % KEPT_ONE_IN:
                    return
            self.index += ahead
        window = self.window
        window.received += 1
        window.octets += len(packet)
        window.last_index = self.index
        if self._depacketizer is not None:
            for frame in self._depacketizer.receive_packet_untrusted(packet, arrival_s):
                self._take_frame(frame, arrival_s)

    def _find_mark(self, packet: bytes, index: int, arrival_s: float) -> None:
        mark = find_mark(packet[-MARK_BYTES:]) if packet[1] & _MARKER else None
        if mark is not None:
            self._take_mark(mark, index, arrival_s)

    def _take_frame(self, frame: Frame, arrival_s: float) -> None:
        if self.key_frame_s is None and frame.is_key:
            self.key_frame_s = arrival_s
            if self.full:
                self.key_frame = frame
            else:
                self._depacketizer = None
        mark = find_mark(frame.nals[-1][-MARK_BYTES:])
        if mark is None:
            return
        self._take_mark(mark, self.index, arrival_s)
        if mark.frame is not None:
            if self._last_frame is not None:
                self.window.frames_missing += max(0, mark.frame - self._last_frame - 1)
            self._last_frame = mark.frame

    def _take_mark(self, mark: Mark, index: int, arrival_s: float) -> None:
        self.window.delays_s.append(arrival_s - mark.unix_us / 1e6)
        if mark.frame is not None:
            self.window.frames[mark.frame] = index


def left_out(window: Window, reference: Window) -> int:
    """Return how many packets a server spared a viewer without a gap in its numbers: 0 unless it skipped frames.

    reference: the same stream's window at a viewer that saw every frame. Both number the packets of the same frames,
    so the distance between their numbers can only shrink by what was left out.
    """
    distances = [index - reference.frames[frame] for frame, index in window.frames.items() if frame in reference.frames]
    return max(0, distances[0] - distances[-1]) if distances else 0
