"""H.264 from RTP: packets in, access units (`Frame`s) out (RFC 6184, made to live with real cameras)."""

from collections.abc import Iterable
from struct import Struct

from camgate.wire.codec.format import VideoFormat
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
)
from camgate.wire.codec.h264_sets import H264ParameterSets
from camgate.wire.codec.h264_sps import SpsInfo, parse_sps_untrusted
from camgate.wire.codec.video import (
    MAX_ACCESS_UNIT_BYTES,
    MAX_PACKET_BYTES,
    PACKET_COST_BYTES,
    PLAIN_HEADER,
    VideoDepacketizer,
)

__all__ = ["H264Depacketizer", "SpsInfo", "VideoFormat", "parse_sps_untrusted"]

_FU_HEADERS = Struct("!BBHIIBB")  # and behind them FU indicator and FU header (RFC 6184 5.8)


class H264Depacketizer(VideoDepacketizer):
    """Builds frames from the RTP packets of one H.264 track; see `VideoDepacketizer`."""

    TYPE_MASK = NAL_TYPE_MASK
    KEY_SLICES = frozenset({NAL_IDR})
    PLAIN_SLICE = NAL_SLICE
    SLICE_HEADER_AT = 1

    def __init__(self, parameter_sets: Iterable[bytes] = (), *, payload_type: int | None = None) -> None:
        """parameter_sets: of the SDP (sprop-parameter-sets). payload_type: others are ignored; None takes all."""
        super().__init__(H264ParameterSets(), parameter_sets, payload_type)

    def _receive_middle(self, packet: bytes | memoryview, end: int, now: float) -> bool:
        if end < _FU_HEADERS.size:
            return False
        first, second, sequence, timestamp, ssrc, indicator, fu_header = _FU_HEADERS.unpack_from(packet)
        if (
            first != PLAIN_HEADER
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

    def _receive_payload(self, packet: bytes | memoryview, start: int, end: int) -> None:
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
            self._receive_units(packet, start + 1, end)
        else:
            # RFC 6184 6.3: STAP-B, MTAP and FU-B belong to interleaved mode, which no camera uses; 30 and 31 are free.
            self._mark_malformed()

    def _receive_fragment(self, packet: bytes | memoryview, start: int, end: int) -> None:
        """Take an FU-A (RFC 6184 5.8). CostarHD sets start and end at once, Tiandy changes the type on the way."""
        if end - start < 2:
            self._mark_malformed()
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

    def _keep_nal(self, nal: bytes) -> None:
        nal_type = nal[0] & NAL_TYPE_MASK
        if NAL_SLICE <= nal_type <= NAL_IDR:
            if len(nal) < 2:
                self._mark_malformed()
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
