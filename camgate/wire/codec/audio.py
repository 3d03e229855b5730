"""Sound from RTP: packets in, audio `Frame`s out.

`AudioDepacketizer` does what all formats have in common: which packets are the track's, which are late or doubled. What
a payload holds is told by a `PayloadReader`: `WholePayload` for formats where a payload is one frame, others in modules
of their own beside this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.errors import RtpMalformed
from camgate.wire.rtp.packet import MARKER, payload_bounds_untrusted
from camgate.wire.rtp.sequence import sequence_delta

MAX_LATE_PACKETS = 64
"""So many packets in turn behind the expected sequence number mean that the camera began a new one (gortsplib)."""

MAX_LOST_PACKETS = 3000
"""A sequence number further ahead is a camera that began anew, not a loss (RFC 3550 A.1: MAX_DROPOUT)."""

MAX_FRAME_BYTES = 8192
"""An AAC frame has at most 6,144 bits a channel, an Opus packet 1,275 bytes; G.711 fills 1 s with as much."""

_HEADER = Struct("!BBHII")
_NO_SSRC = -1
_NO_FRAMES: tuple[Frame, ...] = ()

Pieces = Sequence[tuple[bytes, int]]
"""What a payload holds: (one encoded frame, its 32-bit RTP timestamp) each."""


class PayloadReader(Protocol):
    """Knows what the payloads of one audio format hold; may keep the beginning of a frame that spans several."""

    def read_untrusted(self, payload: bytes, timestamp: int, *, is_marked: bool, follows_gap: bool) -> Pieces:
        """Return the frames that a payload completes. Raises AudioMalformed.

        payload: never empty. is_marked: the packet has the marker bit. follows_gap: packets before it are missing.
        """


class WholePayload:
    """One payload is one frame: G.711, G.722 and L16 (RFC 3551 4.5), Opus (RFC 7587 4.2)."""

    def read_untrusted(self, payload: bytes, timestamp: int, *, is_marked: bool, follows_gap: bool) -> Pieces:
        """See PayloadReader."""
        if len(payload) > MAX_FRAME_BYTES:
            raise AudioMalformed(f"a frame of {len(payload)} bytes, {MAX_FRAME_BYTES} are accepted")
        return ((payload, timestamp),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrackStatistics:
    """What came in and what became of it, since the session began; the fields are those of video tracks."""

    ssrc: int
    """Of the latest packet, like `sequence`; both mean nothing before there was one."""
    sequence: int
    packets: int
    packets_lost: int
    """Numbers missing in the sequence."""
    packets_late: int
    """Duplicates and stragglers, dropped."""
    packets_ignored: int
    """Of other payload types."""
    packets_malformed: int
    frames: int


class AudioDepacketizer:
    """Builds frames from the RTP packets of one audio track.

    Never raises and never waits: a bad packet is counted and dropped, a lost one leaves a gap that decoders conceal.

    last_access_unit_s: when the last frame came; None before the first.
    """

    def __init__(
        self, audio: AudioFormat, reader: PayloadReader | None = None, *, payload_type: int | None = None
    ) -> None:
        """reader: of the payloads; WholePayload where absent. payload_type: others are ignored; None takes all."""
        self.format = audio
        self.last_access_unit_s: float | None = None
        self._reader = reader or WholePayload()
        self._payload_type = payload_type
        self._ssrc = _NO_SSRC
        self._next_sequence = 0
        self._late_in_turn = 0
        self._follows_gap = False
        self._packets = self._lost = self._late = self._ignored = self._malformed = self._frames = 0

    def receive_packet_untrusted(self, packet: bytes | memoryview, now: float) -> Sequence[Frame]:
        """Take one whole RTP packet and return the frames that it completed. Never raises: defects are counted."""
        try:
            start, end = payload_bounds_untrusted(packet)
        except RtpMalformed:
            self._malformed += 1
            return _NO_FRAMES
        _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        # Before the sequence is looked at: Geovision numbers packets of another type along.
        if second & 0x7F != self._payload_type and self._payload_type is not None:
            self._ignored += 1
            return _NO_FRAMES
        if (sequence != self._next_sequence or ssrc != self._ssrc) and not self._accept_gap(sequence, ssrc):
            return _NO_FRAMES
        self._next_sequence = sequence + 1 & 0xFFFF
        self._packets += 1
        self._late_in_turn = 0
        return self._read(bytes(packet[start:end]), timestamp, now, is_marked=bool(second & MARKER))

    def own_fragments(self) -> None:
        """Nothing is kept of packets: audio payloads are small, and copied as they come."""

    def statistics(self) -> AudioTrackStatistics:
        """Take a snapshot."""
        return AudioTrackStatistics(
            ssrc=self._ssrc,
            sequence=self._next_sequence - 1 & 0xFFFF,
            packets=self._packets,
            packets_lost=self._lost,
            packets_late=self._late,
            packets_ignored=self._ignored,
            packets_malformed=self._malformed,
            frames=self._frames,
        )

    def _read(self, payload: bytes, timestamp: int, now: float, *, is_marked: bool) -> Sequence[Frame]:
        follows_gap, self._follows_gap = self._follows_gap, False
        if not payload:
            # RFC 3550 leaves it open, cameras with silence suppression send it: nothing to play, nothing wrong.
            return _NO_FRAMES
        try:
            pieces = self._reader.read_untrusted(payload, timestamp, is_marked=is_marked, follows_gap=follows_gap)
        except AudioMalformed:
            self._malformed += 1
            self._follows_gap = True
            return _NO_FRAMES
        if pieces:
            self.last_access_unit_s = now
            self._frames += len(pieces)
        return [Frame((piece,), rtp_time, now, is_key=True) for piece, rtp_time in pieces]

    def _accept_gap(self, sequence: int, ssrc: int) -> bool:
        """Note that the packet does not follow its predecessor; False when it is late and has to be dropped."""
        if ssrc == self._ssrc:
            ahead = sequence_delta(sequence, self._next_sequence)
            if ahead < 0:
                self._late += 1
                self._late_in_turn += 1
                if self._late_in_turn <= MAX_LATE_PACKETS:
                    return False
            elif ahead <= MAX_LOST_PACKETS:
                self._lost += ahead
        self._follows_gap = self._ssrc != _NO_SSRC
        self._ssrc = ssrc
        return True
