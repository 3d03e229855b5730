"""The parameter sets of one H.265 stream: remembered by id, put before every key frame that comes without them.

Cameras send them in band, only in the SDP, partly here and partly there, or change them on the way; libwebrtc takes no
key frame that lacks one of the three (h26x_packet_buffer.cc), and would show nothing from there on.
"""

from collections.abc import Sequence

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import BitstreamMalformed, SpsMalformed
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.h265_nal import NAL_AUD, NAL_HEADER_BYTES, NAL_SPS, NAL_VPS, PARAMETER_SETS, type_of
from camgate.wire.codec.h265_sps import MAX_SPS_ID, parse_h265_sps_head_untrusted, parse_h265_sps_untrusted
from camgate.wire.codec.nal import unescape, with_sets

MAX_PARAMETER_SET_BYTES = 4096
"""A set with every scaling list takes less; bounds what 16 + 16 + 64 remembered sets can hold."""

SLICE_HEADER_BYTES = 16
"""Two flags and an Exp-Golomb code of 63 bits: as far as a slice header is read."""

MAX_PPS_ID = 63  # 7.4.3.3.1


class H265ParameterSets:
    """`format` describes the latest key frame, or what the SDP promised before the first one."""

    def __init__(self) -> None:
        self.format: VideoFormat | None = None
        self._vps: dict[int, bytes] = {}
        self._sps: dict[int, tuple[bytes, int]] = {}
        self._pps: dict[int, tuple[bytes, int]] = {}

    def remember_untrusted(self, nal: bytes) -> bool:
        """Keep a VPS, SPS or PPS under its id; False when it cannot be read and is not kept."""
        if not NAL_HEADER_BYTES < len(nal) <= MAX_PARAMETER_SET_BYTES:
            return False
        try:
            match type_of(nal):
                case nal_type if nal_type == NAL_VPS:
                    self._vps[nal[NAL_HEADER_BYTES] >> 4] = nal
                case nal_type if nal_type == NAL_SPS:
                    head = parse_h265_sps_head_untrusted(nal)
                    self._sps[head.sps_id] = (nal, head.vps_id)
                case _:
                    reader = BitReader(unescape(nal[NAL_HEADER_BYTES:]))
                    pps_id = reader.set_id(MAX_PPS_ID)
                    self._pps[pps_id] = (nal, reader.set_id(MAX_SPS_ID))
        except BitstreamMalformed:
            return False
        return True

    def note_promised(self) -> None:
        """Take the sets known so far, from the SDP, as the format until a key frame says otherwise."""
        for pps_id in self._pps:
            found = self._with_id(pps_id)
            if found is not None:
                self._note_format(*found)
                return

    def complete(self, nals: list[bytes], slice_nal: bytes) -> list[bytes] | None:
        """Return a key frame with all parameter sets that it and its successors need; None when they are not known.

        slice_nal: the key frame's first slice, which names the PPS. All PPS of the same SPS are included, since
        later slices may use any of them.
        """
        found = self._find(slice_nal)
        if found is None:
            return None
        vps, sps, pps = found
        known = self.format
        if known is None or sps != known.sps or pps != known.pps or vps != known.vps:
            self._note_format(vps, sps, pps)
        needed = [vps, sps, *(other for other, sps_id in self._pps.values() if self._sps.get(sps_id, ("",))[0] is sps)]
        # 7.4.2.4.4: the access unit delimiter comes first, parameter sets before the slices; each builds on the last.
        return with_sets(nals, needed, _is_set, at=int(type_of(nals[0]) == NAL_AUD))

    def among(self, nals: Sequence[bytes]) -> list[bytes]:
        """Return the parameter sets among some NAL units, each once, in order."""
        return list(dict.fromkeys(nal for nal in nals if _is_set(nal)))

    def _find(self, slice_nal: bytes) -> tuple[bytes, bytes, bytes] | None:
        reader = BitReader(unescape(slice_nal[NAL_HEADER_BYTES:SLICE_HEADER_BYTES]))
        try:
            reader.bits(2)  # first_slice_segment_in_pic_flag, and of IRAP pictures no_output_of_prior_pics_flag
            return self._with_id(reader.ue())  # slice_pic_parameter_set_id
        except BitstreamMalformed:
            return None

    def _with_id(self, pps_id: int) -> tuple[bytes, bytes, bytes] | None:
        """Return VPS, SPS and PPS that belong together; None where one of them never came."""
        try:
            pps, sps_id = self._pps[pps_id]
            sps, vps_id = self._sps[sps_id]
            return self._vps[vps_id], sps, pps
        except KeyError:
            return None

    def _note_format(self, vps: bytes, sps: bytes, pps: bytes) -> None:
        head = parse_h265_sps_head_untrusted(sps)
        width = height = fps = None
        may_reorder = False
        try:
            info = parse_h265_sps_untrusted(sps)
        except SpsMalformed:
            pass
        else:
            width, height, fps, may_reorder = info.width, info.height, info.fps, bool(info.max_reorder)
        self.format = VideoFormat(
            codec="H265",
            vps=vps,
            sps=sps,
            pps=pps,
            profile_id=head.profile_idc,
            tier_flag=head.tier_flag,
            level_id=head.level_idc,
            width=width,
            height=height,
            fps=fps,
            may_reorder=may_reorder,
        )


def _is_set(nal: bytes) -> bool:
    return type_of(nal) in PARAMETER_SETS
