"""H.265 from RTP: packets in, access units (`Frame`s) out (RFC 7798, made to live with real cameras)."""

from collections.abc import Iterable
from struct import Struct

from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h265_nal import (
    BLA,
    IRAP,
    LAYER_MASK,
    NAL_AP,
    NAL_FU,
    NAL_HEADER_BYTES,
    NAL_LAST_SLICE,
    NAL_TRAIL_R,
    PARAMETER_SETS,
    RASL,
    TYPE_MASK,
    on_wire,
    type_of,
)
from camgate.wire.codec.h265_sets import H265ParameterSets
from camgate.wire.codec.nal import FU_END, FU_START
from camgate.wire.codec.video import (
    MAX_ACCESS_UNIT_BYTES,
    MAX_PACKET_BYTES,
    PACKET_COST_BYTES,
    PLAIN_HEADER,
    VideoDepacketizer,
)

_FU_HEADERS = Struct("!BBHIIBBB")  # and behind them payload header and FU header (RFC 7798 4.4.3)
_FU_ON_WIRE = on_wire(NAL_FU)
_DON_BYTES = 2
_DOND_BYTES = 1
_TID_MASK = 0x07
_FU_TYPE_MASK = 0x3F


class H265Depacketizer(VideoDepacketizer):
    """Builds frames from the RTP packets of one H.265 track; see `VideoDepacketizer`.

    Key frames are IRAP pictures (H.265 8.1: BLA, IDR and CRA). RASL pictures behind one that decoding began at refer to
    what came before it, and are dropped.
    """

    TYPE_MASK = TYPE_MASK
    KEY_SLICES = frozenset(map(on_wire, IRAP))
    PLAIN_SLICE = on_wire(NAL_TRAIL_R)
    SLICE_HEADER_AT = NAL_HEADER_BYTES

    def __init__(
        self, parameter_sets: Iterable[bytes] = (), *, payload_type: int | None = None, has_don: bool = False
    ) -> None:
        """parameter_sets: of the SDP (sprop-vps, -sps, -pps). payload_type: others are ignored; None takes all.

        has_don: the packets carry decoding order numbers, as sprop-max-don-diff is above 0 (RFC 7798 4.4). They are
        read and dropped: no camera sends NAL units in another order than that of decoding.
        """
        super().__init__(H265ParameterSets(), parameter_sets, payload_type)
        self._don_bytes = _DON_BYTES if has_don else 0
        self._dond_bytes = _DOND_BYTES if has_don else 0
        self._drops_rasl = True

    def _receive_middle(self, packet: bytes | memoryview, end: int, now: float) -> bool:
        if end < _FU_HEADERS.size:
            return False
        first, second, sequence, timestamp, ssrc, indicator, _, fu_header = _FU_HEADERS.unpack_from(packet)
        if (
            first != PLAIN_HEADER
            or second != self._payload_type
            or sequence != self._next_sequence
            or timestamp != self._timestamp
            or ssrc != self._ssrc
            or indicator & TYPE_MASK != _FU_ON_WIRE
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
        nal_type = packet[start] >> 1 & 0x3F
        if nal_type == NAL_FU:
            self._receive_fragment(packet, start, end)
            return
        if self._fragments:
            # The FU's end bit is missing: as no packet is, its NAL unit is whole.
            self._end_fragments()
        if nal_type < NAL_AP:
            nal = bytes(packet[start:end])
            if self._don_bytes:
                # RFC 7798 4.4.1: a single NAL unit's DONL stands behind its header.
                nal = nal[:NAL_HEADER_BYTES] + nal[NAL_HEADER_BYTES + self._don_bytes :]
            self._add_nal(nal)
        elif nal_type == NAL_AP:
            self._receive_units(packet, start + NAL_HEADER_BYTES + self._don_bytes, end, self._dond_bytes)
        else:
            # RFC 7798 4.4.4: PACI carries what no camera sends; the types behind it mean nothing.
            self._mark_malformed()

    def _receive_fragment(self, packet: bytes | memoryview, start: int, end: int) -> None:
        """Take an FU (RFC 7798 4.4.3). OpenIPC sets start and end at once, which is forbidden and unmistakable."""
        body = start + NAL_HEADER_BYTES + 1
        if end < body:
            self._mark_malformed()
            return
        fu_header = packet[body - 1]
        if fu_header & FU_START:
            if self._fragments:
                self._end_fragments()
            # Only the first fragment has a DONL.
            body += self._don_bytes
            nal_type = fu_header & _FU_TYPE_MASK
            self._fragments.append(bytes((packet[start] & ~TYPE_MASK & 0xFF | on_wire(nal_type), packet[start + 1])))
        elif not self._fragments:
            self._damaged = True
            return
        self._fragments.append(packet[body:end])
        if fu_header & FU_END:
            self._end_fragments()

    def _keep_nal(self, nal: bytes) -> None:
        if len(nal) < NAL_HEADER_BYTES or not nal[1] & _TID_MASK:
            # 7.4.2.2: nuh_temporal_id_plus1 is never 0.
            self._malformed += 1
            return
        if (nal[0] << 8 | nal[1]) & LAYER_MASK:
            # 7.4.2.2: decoders of one layer ignore all others, whose parameter sets have ids of their own.
            return
        nal_type = type_of(nal)
        if nal_type <= NAL_LAST_SLICE:
            if len(nal) <= NAL_HEADER_BYTES:
                self._mark_malformed()
                return
            if self._first_slice is None:
                self._first_slice = nal
        elif nal_type in PARAMETER_SETS:
            if not self._sets.remember_untrusted(nal):
                self._malformed += 1
        elif nal_type >= NAL_AP:
            self._malformed += 1
            return
        self._nals.append(nal)

    def _finish_frame(self, nals: list[bytes], first_slice: bytes, frames: list[Frame]) -> None:
        nal_type = type_of(first_slice)
        if nal_type in RASL and self._drops_rasl:
            self.last_access_unit_s = self._arrival_s
            self._skipped += 1
            return
        begins = self._skipping
        super()._finish_frame(nals, first_slice, frames)
        if nal_type in IRAP:
            # 8.1.3: NoRaslOutputFlag is 1 of every BLA picture, and of a CRA picture that decoding begins at.
            self._drops_rasl = begins or nal_type in BLA
