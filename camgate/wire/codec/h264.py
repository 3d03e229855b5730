"""H.264 from RTP: packets in, access units (`Frame`s) out (RFC 6184, made to live with real cameras).

One `H264Depacketizer` per camera session, owned by whoever reads the camera. It trusts nothing but timestamps and
sequence numbers: cameras set the marker on parameter sets or never, forget FU end bits, pad STAP-A, and put byte
stream start codes into RTP.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264_nal import (
    FU_END,
    FU_START,
    NAL_FU_A,
    NAL_IDR,
    NAL_PPS,
    NAL_SLICE,
    NAL_SPS,
    NAL_STAP_A,
    NAL_TYPE_MASK,
    START_CODE,
    split_annex_b,
)
from camgate.wire.codec.h264_sets import H264ParameterSets, parameter_sets_of
from camgate.wire.codec.h264_sps import SpsInfo, parse_sps_untrusted
from camgate.wire.rtp.errors import RtpMalformed
from camgate.wire.rtp.packet import payload_bounds_untrusted
from camgate.wire.rtp.sequence import sequence_delta, timestamp_delta

__all__ = ["H264Depacketizer", "H264Statistics", "SpsInfo", "VideoFormat", "parse_sps_untrusted"]

MAX_ACCESS_UNIT_BYTES = 8 << 20
"""A 4K key frame of a camera stays below 2 MiB; gortsplib and go2rtc stop at 5 MB."""

PACKET_COST_BYTES = 64
"""Counted per packet on top of its bytes, so that a flood of empty fragments meets the same bound."""

MAX_PACKET_BYTES = 1 << 16
"""An interleaved frame's length has 16 bits (RFC 2326 10.12), a datagram's too."""

MAX_ACCESS_UNIT_NALS = 4096
"""Far above the slices of any picture; bounds what a STAP-A of one-byte units can grow to."""

MAX_LATE_PACKETS = 64
"""So many packets in turn behind the expected sequence number mean that the camera began a new one (gortsplib)."""

MAX_LOST_PACKETS = 3000
"""A sequence number further ahead is a camera that began anew, not a loss (RFC 3550 A.1: MAX_DROPOUT)."""

_HEADER = Struct("!BBHII")
_FU_HEADERS = Struct("!BBHIIBB")  # and behind them FU indicator and FU header (RFC 6184 5.8)
_PLAIN_HEADER = 0x80  # version 2, no padding, no extension, no CSRC
_MARKER = 0x80
_NO_SSRC = -1
_NO_FRAMES: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class H264Statistics:
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
    """Of other payload types."""
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


class H264Depacketizer:
    """Builds frames from the RTP packets of one H.264 track.

    An access unit ends with the marker, once it holds a slice, or with a change of the timestamp; what holds only
    parameter sets is merged into the next one. Every key frame carries its parameter sets.

    A lost packet costs its frame and all frames up to the next key frame: they refer, directly or not, to what is
    missing, and a browser would freeze on them or show them broken. `frames_damaged` and `frames_skipped` count them.

    last_access_unit_s: when the last access unit ended, whether it became a frame or not; None before the first.
    A camera is alive as long as this moves, even when a loss makes it skip to a key frame far away.
    """

    def __init__(self, parameter_sets: Iterable[bytes] = (), *, payload_type: int | None = None) -> None:
        """parameter_sets: of the SDP (sprop-parameter-sets). payload_type: others are ignored; None takes all."""
        self.last_access_unit_s: float | None = None
        self._payload_type = payload_type
        self._ssrc = _NO_SSRC
        self._next_sequence = 0
        self._late_in_turn = 0
        self._packets_before_late = 0
        self._sets = H264ParameterSets()
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
        for nal in parameter_sets:
            # GW cameras leave start codes in sprop-parameter-sets.
            for unit in split_annex_b(nal):
                self._sets.remember_untrusted(unit)
        self._sets.note_promised()

    @property
    def format(self) -> VideoFormat | None:
        """The format of the latest key frame, before the first that of the SDP; a new object when it changes."""
        return self._sets.format

    def receive_packet_untrusted(self, packet: bytes | memoryview, now: float) -> Sequence[Frame]:
        """Take one whole RTP packet and return the frames that it completed. Never raises: defects are counted.

        Of a view nothing is copied before its NAL unit is whole: see `own_fragments`.
        """
        start, end = 12, len(packet)
        if self._fragments and self._receive_middle(packet, end, now):
            return _NO_FRAMES
        if end < start or packet[0] != _PLAIN_HEADER:
            try:
                start, end = payload_bounds_untrusted(packet)
            except RtpMalformed:
                self._malformed += 1
                return _NO_FRAMES
        _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        if second & 0x7F != self._payload_type and self._payload_type is not None:
            self._ignored += 1
            return _NO_FRAMES
        if (sequence != self._next_sequence or ssrc != self._ssrc) and not self._accept_gap(sequence, timestamp, ssrc):
            return _NO_FRAMES
        self._next_sequence = sequence + 1 & 0xFFFF
        self._packets += 1

        frames: list[Frame] = []
        if timestamp != self._timestamp:
            self._end_access_unit(frames)
            self._timestamp = timestamp
        self._arrival_s = now
        if start < end:
            self._receive_payload(packet, start, end)
        # RFC 6184 5.1: the marker is the access unit's last packet's; Tapo TC70 and Reolink set it on parameter sets.
        if second & _MARKER and not self._fragments and (self._first_slice is not None or self._damaged):
            self._end_access_unit(frames)
        return frames

    def own_fragments(self) -> None:
        """Copy what is kept of packets, which must not keep alive the whole read that they came in."""
        if len(self._fragments) > self._owned_fragments:
            self._fragments[self._owned_fragments :] = [b"".join(self._fragments[self._owned_fragments :])]
            self._owned_fragments = len(self._fragments)

    def statistics(self) -> H264Statistics:
        return H264Statistics(
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

    def _receive_middle(self, packet: bytes | memoryview, end: int, now: float) -> bool:
        """Take a packet from the middle of a fragmented NAL unit, which most packets are; False where it is none."""
        if end < _FU_HEADERS.size:
            return False
        first, second, sequence, timestamp, ssrc, indicator, fu_header = _FU_HEADERS.unpack_from(packet)
        if (
            first != _PLAIN_HEADER
            or second != self._payload_type
            or sequence != self._next_sequence
            or timestamp != self._timestamp
            or ssrc != self._ssrc
            or indicator & NAL_TYPE_MASK != NAL_FU_A
            or fu_header & (FU_START | FU_END)
            or self._cost_bytes > MAX_ACCESS_UNIT_BYTES - MAX_PACKET_BYTES
        ):
            return False
        self._next_sequence = sequence + 1 & 0xFFFF
        self._packets += 1
        self._arrival_s = now
        self._cost_bytes += end + PACKET_COST_BYTES
        self._fragments.append(packet[_FU_HEADERS.size :])
        return True

    def _accept_gap(self, sequence: int, timestamp: int, ssrc: int) -> bool:
        """Note that the packet does not follow its predecessor; False when it is late and has to be dropped."""
        if ssrc == self._ssrc:
            ahead = sequence_delta(sequence, self._next_sequence)
            if ahead < 0 and not self._is_restart():
                return False
            if 0 < ahead <= MAX_LOST_PACKETS:
                self._lost += ahead
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

    def _receive_payload(self, packet: bytes | memoryview, start: int, end: int) -> None:
        self._cost_bytes += end - start + PACKET_COST_BYTES
        if self._cost_bytes > MAX_ACCESS_UNIT_BYTES or len(self._nals) > MAX_ACCESS_UNIT_NALS:
            self._nals.clear()
            self._drop_fragments()
            self._damaged = True
            return
        nal_type = packet[start] & NAL_TYPE_MASK
        if nal_type == NAL_FU_A:
            self._receive_fragment(packet, start, end)
            return
        if self._fragments:
            # The FU's end bit is missing: as no packet is, its NAL unit is whole.
            self._end_fragments()
        if nal_type < NAL_STAP_A:
            self._add_nal(bytes(packet[start:end]))
        elif nal_type == NAL_STAP_A:
            self._receive_aggregate(packet, start + 1, end)
        else:
            # RFC 6184 6.3: STAP-B, MTAP and FU-B belong to interleaved mode, which no camera uses; 30 and 31 are free.
            self._malformed += 1
            self._damaged = True

    def _receive_fragment(self, packet: bytes | memoryview, start: int, end: int) -> None:
        """Take an FU-A (RFC 6184 5.8). CostarHD sets start and end at once, Tiandy changes the type on the way."""
        if end - start < 2:
            self._malformed += 1
            self._damaged = True
            return
        fu_header = packet[start + 1]
        if fu_header & FU_START:
            if self._fragments:
                self._end_fragments()
            self._fragments.append(bytes((packet[start] & ~NAL_TYPE_MASK | fu_header & NAL_TYPE_MASK,)))
        elif not self._fragments:
            self._damaged = True
            return
        self._fragments.append(packet[start + 2 : end])
        if fu_header & FU_END:
            self._end_fragments()

    def _end_fragments(self) -> None:
        nal = b"".join(self._fragments)
        self._drop_fragments()
        self._add_nal(nal)

    def _drop_fragments(self) -> None:
        self._fragments.clear()
        self._owned_fragments = 0

    def _receive_aggregate(self, packet: bytes | memoryview, at: int, end: int) -> None:
        """Take the units of a STAP-A (RFC 6184 5.7.1); some cameras pad it with units of size zero."""
        while at + 2 <= end:
            size = packet[at] << 8 | packet[at + 1]
            at += 2
            if size > end - at:
                self._malformed += 1
                self._damaged = True
                return
            if size:
                self._add_nal(bytes(packet[at : at + size]))
            at += size

    def _add_nal(self, data: bytes) -> None:
        """Add what one payload or FU held. V380 puts whole byte streams there, start codes between NAL units."""
        # Searching every slice would cost a third of the time per packet; such cameras give themselves away by
        # what comes with each key frame.
        is_plain_slice = data[0] & NAL_TYPE_MASK == NAL_SLICE and not self._annex_b
        if not is_plain_slice and START_CODE in data:
            self._annex_b = True
            for unit in split_annex_b(data):
                self._keep_nal(unit)
        # Annex B: trailing zeros are no part of a NAL unit, which always ends with a set bit.
        elif nal := data.rstrip(b"\x00"):
            self._keep_nal(nal)

    def _keep_nal(self, nal: bytes) -> None:
        nal_type = nal[0] & NAL_TYPE_MASK
        if NAL_SLICE <= nal_type <= NAL_IDR:
            if len(nal) < 2:
                self._malformed += 1
                self._damaged = True
                return
            if self._first_slice is None:
                self._first_slice = nal
        elif nal_type in (NAL_SPS, NAL_PPS):
            if not self._sets.remember_untrusted(nal):
                self._malformed += 1
        elif not 0 < nal_type < NAL_STAP_A:
            self._malformed += 1
            return
        self._nals.append(nal)

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
            # 7.3.3: first_mb_in_slice is 0, one set bit, in a picture's first slice; else its beginning was lost.
            if after_gap and not first_slice[1] & 0x80:
                self._note_damaged()
            else:
                self._finish_frame(nals, first_slice, frames)
        elif nals:
            # Some cameras give parameter sets a timestamp of their own.
            self._begin_access_unit(parameter_sets_of(nals))
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
        is_key = first_slice[0] & NAL_TYPE_MASK == NAL_IDR
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
        if self._frames and timestamp_delta(self._timestamp, self._last_frame_timestamp) < 0:
            self._out_of_order += 1
        self._last_frame_timestamp = self._timestamp
        self._frames += 1
        frames.append(Frame(tuple(nals), self._timestamp, self._arrival_s, is_key))
