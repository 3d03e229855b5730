"""What the depacketisers of H.264 and H.265 share: RTP packets in, access units (`Frame`s) out, made for real cameras.

One depacketiser per camera session, owned by whoever reads the camera. It trusts nothing but timestamps and sequence
numbers: cameras set the marker on parameter sets or never, forget end bits of fragments, pad aggregates, and put byte
stream start codes into RTP. What a payload holds is the business of each codec's own class.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Protocol

from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.nal import START_CODE, split_annex_b
from camgate.wire.codec.order import PictureOrder
from camgate.wire.rtp.errors import RtpMalformed
from camgate.wire.rtp.packet import payload_bounds_untrusted
from camgate.wire.rtp.sequence import sequence_delta, timestamp_delta
from camgate.wire.rtp.sources import SourceChoice

MAX_ACCESS_UNIT_BYTES = 8 << 20
"""A 4K key frame of a camera stays below 2 MiB; gortsplib and go2rtc stop at 5 MB."""

PACKET_COST_BYTES = 64
"""Counted per packet on top of its bytes, so that a flood of empty fragments meets the same bound."""

MAX_PACKET_BYTES = 1 << 16
"""An interleaved frame's length has 16 bits (RFC 2326 10.12), a datagram's too."""

MAX_ACCESS_UNIT_NALS = 1536
"""H.265 has at most 600 slice segments (A.4.2), H.264 in 4K 1,365 slices (A.3.3: level 5.2, 30 pictures a second): a
camera that makes a packet of each comes near that with a key frame of 1.4 MB. Each NAL unit becomes a packet to each
viewer."""

MAX_WAITING_SETS = 64
"""Parameter sets that came at times of their own and wait for their picture; cameras send three. Of more than that the
key frame gets those that it needs, which are remembered by their ids."""

MAX_LATE_PACKETS = 64
"""So many packets in turn behind the expected sequence number mean that the camera began a new one (gortsplib)."""

MAX_UNDESCRIBED_PACKETS = 16
"""So many packets of another payload type than the session description's, and none of that, are the track's own.
go2rtc does not look at the type at all; but Geovision mixes in packets of a second one."""

MAX_LOST_PACKETS = 3000
"""A sequence number further ahead is a camera that began anew, not a loss (RFC 3550 A.1: MAX_DROPOUT)."""

PLAIN_HEADER = 0x80  # version 2, no padding, no extension, no CSRC
_HEADER = Struct("!BBHII")
_MARKER = 0x80
_NO_SSRC = -1
_NO_FRAMES: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoStatistics:
    """What came in and what became of it, since the session began."""

    ssrc: int
    """Of the latest packet, like `sequence`; both mean nothing before there was one."""
    sequence: int
    packets: int
    packets_lost: int
    """Numbers missing in the sequence."""
    packets_late: int
    """Duplicates and stragglers, dropped."""
    packets_ignored: int
    """Of other payload types, or of a second SSRC."""
    packets_malformed: int
    frames: int
    key_frames: int
    frames_damaged: int
    """Dropped because a part of them is missing or they are too big."""
    frames_skipped: int
    """Dropped whole, because they build on one that was: everything up to the next key frame."""
    frames_out_of_order: int
    """Earlier in media time than their predecessor: B-frames, which browsers cannot play."""
    key_frames_without_sets: int
    """Dropped because their parameter sets came neither in band nor in the SDP."""


class ParameterSets(Protocol):
    """A codec's parameter sets, remembered by id.

    format: of the latest key frame, before it what the SDP promised.
    """

    format: VideoFormat | None

    def remember_untrusted(self, nal: bytes) -> bool:
        """Keep a parameter set; False when it cannot be read and is not kept."""

    def note_promised(self) -> None:
        """Take the sets known so far, from the SDP, as the format until a key frame says otherwise."""

    def complete(self, nals: list[bytes], slice_nal: bytes) -> list[bytes] | None:
        """Return a key frame with all parameter sets that it and its successors need; None when they are not known."""

    def among(self, nals: Sequence[bytes]) -> list[bytes]:
        """Return the parameter sets among some NAL units, each once, in order."""


class VideoDepacketizer(ABC):
    """Builds frames from the RTP packets of one video track.

    An access unit ends with the marker, once it holds a slice, or with a change of the timestamp; what holds only
    parameter sets is merged into the next one. Every key frame carries its parameter sets.

    A lost packet costs its frame and all frames up to the next key frame: they refer, directly or not, to what is
    missing, and a browser would freeze on them or show them broken. `frames_damaged` and `frames_skipped` count them.

    last_access_unit_s: when the last access unit ended, whether it became a frame or not; None before the first.
    A camera is alive as long as this moves, even when a loss makes it skip to a key frame far away.
    """

    TYPE_MASK: ClassVar[int]
    """Of a NAL unit's first byte; the types below are as they stand behind it."""
    KEY_SLICES: ClassVar[frozenset[int]]
    """Types of the slices that decoding can start at."""
    PLAIN_SLICE: ClassVar[int]
    """The type of most slices, in which start codes are looked for only once one was found elsewhere."""
    SLICE_HEADER_AT: ClassVar[int]
    """Where the byte is whose first bit says that a picture begins here."""

    def __init__(self, sets: ParameterSets, promised: Iterable[bytes], payload_type: int | None) -> None:
        """sets: where the codec keeps its parameter sets, still empty. promised: those of the SDP."""
        self.last_access_unit_s: float | None = None
        self._payload_type = payload_type
        self._ssrc = _NO_SSRC
        self._sources = SourceChoice()
        self._next_sequence = 0
        self._late_in_turn = 0
        self._packets_before_late = 0
        self._sets = sets
        self._order = PictureOrder()
        self._annex_b = False

        # The access unit that is being put together.
        self._timestamp = 0
        self._arrival_s = 0.0
        self._nals: list[bytes] = []
        self._fragments: list[bytes | memoryview] = []
        self._owned_fragments = 0
        self._cost_bytes = 0
        self._first_slice: bytes | None = None
        self._damaged = False
        self._after_gap = True

        self._skipping = True
        self._last_frame_timestamp = 0
        self._packets = self._lost = self._late = self._ignored = self._malformed = 0
        self._frames = self._key_frames = self._damaged_frames = self._skipped = self._out_of_order = 0
        self._without_sets = 0
        for nal in promised:
            # GW cameras leave start codes in sprop-parameter-sets.
            for unit in split_annex_b(nal):
                self._sets.remember_untrusted(unit)
        self._sets.note_promised()

    @property
    def format(self) -> VideoFormat | None:
        """The format of the latest key frame, before the first that of the SDP; a new object when it changes."""
        return self._order.judge(self._sets.format, self._frames)

    def receive_packet_untrusted(self, packet: bytes | memoryview, now: float) -> Sequence[Frame]:
        """Take one whole RTP packet and return the frames that it completed. Never raises: defects are counted.

        Of a view nothing is copied before its NAL unit is whole: see `own_fragments`.
        """
        start, end = 12, len(packet)
        if self._fragments and self._receive_middle(packet, end, now):
            return _NO_FRAMES
        if end < start or packet[0] != PLAIN_HEADER:
            try:
                start, end = payload_bounds_untrusted(packet)
            except RtpMalformed:
                self._malformed += 1
                return _NO_FRAMES
        _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        if second & 0x7F != self._payload_type and not self._accept_payload_type(second & 0x7F):
            return _NO_FRAMES
        is_next = sequence == self._next_sequence and ssrc == self._ssrc
        if not is_next and not self._accept_gap(sequence, timestamp, ssrc, now):
            return _NO_FRAMES
        self._next_sequence = sequence + 1 & 0xFFFF
        self._packets += 1

        frames: list[Frame] = []
        if timestamp != self._timestamp:
            self._end_access_unit(frames)
            self._timestamp = timestamp
        self._arrival_s = now
        if start < end:
            self._cost_bytes += end - start + PACKET_COST_BYTES
            if self._cost_bytes > MAX_ACCESS_UNIT_BYTES:
                self._give_up_access_unit()
            else:
                self._receive_payload(packet, start, end)
        # RFC 6184 5.1, RFC 7798 4.1: the marker is the access unit's last packet's; Tapo TC70 and Reolink set it on
        # parameter sets.
        if second & _MARKER and not self._fragments and (self._first_slice is not None or self._damaged):
            self._end_access_unit(frames)
        return frames

    def own_fragments(self) -> None:
        """Copy what is kept of packets, which must not keep alive the whole read that they came in."""
        if len(self._fragments) > self._owned_fragments:
            self._fragments[self._owned_fragments :] = [b"".join(self._fragments[self._owned_fragments :])]
            self._owned_fragments = len(self._fragments)

    def statistics(self) -> VideoStatistics:
        return VideoStatistics(
            ssrc=self._ssrc,
            sequence=self._next_sequence - 1 & 0xFFFF,
            packets=self._packets,
            packets_lost=self._lost,
            packets_late=self._late,
            packets_ignored=self._ignored,
            packets_malformed=self._malformed,
            frames=self._frames,
            key_frames=self._key_frames,
            frames_damaged=self._damaged_frames,
            frames_skipped=self._skipped,
            frames_out_of_order=self._out_of_order,
            key_frames_without_sets=self._without_sets,
        )

    @abstractmethod
    def _receive_middle(self, packet: bytes | memoryview, end: int, now: float) -> bool:
        """Take a packet from the middle of a fragmented NAL unit, which most packets are; False where it is none."""

    @abstractmethod
    def _receive_payload(self, packet: bytes | memoryview, start: int, end: int) -> None:
        """Take a payload that is not empty."""

    @abstractmethod
    def _keep_nal(self, nal: bytes) -> None:
        """Add a NAL unit to the access unit."""

    def _accept_payload_type(self, payload_type: int) -> bool:
        """Say whether packets of a type that was not described are the track's: if no others come, they must be."""
        if self._payload_type is None:
            return True
        self._ignored += 1
        if self._packets or self._ignored <= MAX_UNDESCRIBED_PACKETS:
            return False
        self._payload_type = payload_type
        return True

    def _accept_source(self, ssrc: int, now: float) -> bool:
        """Say whether the track's packets now have this SSRC; those of a stream that is mixed in are ignored."""
        if self._ssrc == _NO_SSRC or self._sources.is_taken(
            ssrc, instead_of=self._ssrc, silent_s=now - self._arrival_s
        ):
            return True
        self._ignored += 1
        return False

    def _accept_gap(self, sequence: int, timestamp: int, ssrc: int, now: float) -> bool:
        """Note that the packet does not follow its predecessor; False when it is late and has to be dropped."""
        if ssrc == self._ssrc:
            ahead = sequence_delta(sequence, self._next_sequence)
            if ahead < 0 and not self._is_restart():
                return False
            if 0 < ahead <= MAX_LOST_PACKETS:
                self._lost += ahead
        elif not self._accept_source(ssrc, now):
            return False
        self._ssrc = ssrc
        self._skipping = True
        self._drop_fragments()
        is_open = self._cost_bytes > 0
        if is_open:
            self._damaged = True
        if not is_open or timestamp != self._timestamp:
            self._end_access_unit([])
            self._timestamp = timestamp
            self._after_gap = True
        return True

    def _is_restart(self) -> bool:
        """Count a late packet; say whether there were so many in turn that the camera must have begun anew."""
        self._late += 1
        if self._packets != self._packets_before_late:
            self._packets_before_late = self._packets
            self._late_in_turn = 0
        self._late_in_turn += 1
        return self._late_in_turn > MAX_LATE_PACKETS

    def _give_up_access_unit(self) -> None:
        self._nals.clear()
        self._drop_fragments()
        self._damaged = True

    def _mark_malformed(self) -> None:
        """Count a payload that makes no sense and spoils its frame."""
        self._malformed += 1
        self._damaged = True

    def _end_fragments(self) -> None:
        nal = b"".join(self._fragments)
        self._drop_fragments()
        self._add_nal(nal)

    def _drop_fragments(self) -> None:
        self._fragments.clear()
        self._owned_fragments = 0

    def _receive_units(self, packet: bytes | memoryview, at: int, end: int, gap_bytes: int = 0) -> None:
        """Take the units of an aggregate (RFC 6184 5.7.1, RFC 7798 4.4.2); some cameras pad it with units of size zero.

        gap_bytes: what stands between one unit and the next one's size.
        """
        count = 0
        while at + 2 <= end:
            size = packet[at] << 8 | packet[at + 1]
            at += 2
            if size > end - at:
                self._mark_malformed()
                return
            if size:
                count += 1
                if count > MAX_ACCESS_UNIT_NALS:
                    self._give_up_access_unit()
                    return
                self._add_nal(bytes(packet[at : at + size]))
            at += size + gap_bytes

    def _add_nal(self, data: bytes) -> None:
        """Add what one payload or FU held. V380 puts whole byte streams there, start codes between NAL units."""
        # Searching every slice would cost a third of the time per packet; such cameras give themselves away by
        # what comes with each key frame.
        is_plain_slice = data[0] & self.TYPE_MASK == self.PLAIN_SLICE and not self._annex_b
        if not is_plain_slice and START_CODE in data:
            self._annex_b = True
            if data.count(START_CODE) < MAX_ACCESS_UNIT_NALS:
                for unit in split_annex_b(data):
                    self._keep_nal(unit)
            else:
                self._give_up_access_unit()
        # Annex B: trailing zeros are no part of a NAL unit, which always ends with a set bit.
        elif nal := data.rstrip(b"\x00"):
            self._keep_nal(nal)
        if len(self._nals) > MAX_ACCESS_UNIT_NALS:
            self._give_up_access_unit()

    def _end_access_unit(self, frames: list[Frame]) -> None:
        """End the present access unit, append its frame, if any, to `frames`, and begin the next one."""
        if self._fragments:
            self._end_fragments()
        nals, first_slice, after_gap = self._nals, self._first_slice, self._after_gap
        if self._damaged:
            self._begin_access_unit([])
            self._note_damaged()
        elif first_slice is not None:
            self._begin_access_unit([])
            # H.264 7.3.3: first_mb_in_slice is 0, one set bit, in a picture's first slice; H.265 7.3.6.1 has a flag
            # there. Else its beginning was lost.
            if after_gap and not first_slice[self.SLICE_HEADER_AT] & 0x80:
                self._note_damaged()
            else:
                self._finish_frame(nals, first_slice, frames)
        elif nals:
            # Some cameras give parameter sets a timestamp of their own.
            self._begin_access_unit(self._sets.among(nals)[-MAX_WAITING_SETS:])
            self._after_gap = after_gap

    def _begin_access_unit(self, nals: list[bytes]) -> None:
        self._nals = nals
        self._cost_bytes = sum(map(len, nals))
        self._first_slice = None
        self._damaged = False
        self._after_gap = False

    def _note_damaged(self) -> None:
        self.last_access_unit_s = self._arrival_s
        self._damaged_frames += 1
        self._skipping = True

    def _finish_frame(self, nals: list[bytes], first_slice: bytes, frames: list[Frame]) -> None:
        self.last_access_unit_s = self._arrival_s
        is_key = first_slice[0] & self.TYPE_MASK in self.KEY_SLICES
        if is_key:
            complete = self._sets.complete(nals, first_slice)
            if complete is None:
                self._without_sets += 1
                self._skipping = True
                return
            nals = complete
            self._skipping = False
            self._key_frames += 1
        elif self._skipping:
            self._skipped += 1
            return
        if self._frames:
            step = timestamp_delta(self._timestamp, self._last_frame_timestamp)
            if step < 0:
                self._out_of_order += 1
                self._order.note_step_back(step, self._frames)
        self._last_frame_timestamp = self._timestamp
        self._frames += 1
        frames.append(Frame(tuple(nals), self._timestamp, self._arrival_s, is_key))
