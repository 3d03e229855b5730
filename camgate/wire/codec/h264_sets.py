"""The parameter sets of one H.264 stream: remembered by id, put before every key frame that comes without them.

Cameras send them in band, only in the SDP, or change them on the way (day and night, another resolution); RFC 6184
8.4 allows all of it, browsers need them with every key frame.
"""

from collections.abc import Sequence

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import BitstreamMalformed, SpsMalformed
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.h264_nal import NAL_AUD, NAL_SPS, NAL_TYPE_MASK, PARAMETER_SETS, unescape
from camgate.wire.codec.h264_sps import parse_sps_untrusted
from camgate.wire.codec.nal import with_sets

MAX_PARAMETER_SET_BYTES = 4096
"""An SPS or PPS with every scaling list takes less; bounds what 32 + 256 remembered sets can hold."""

SLICE_HEADER_BYTES = 24
"""Three Exp-Golomb codes of 63 bits: as far as a slice header is read."""

MAX_SPS_ID = 31  # 7.4.2.1.1
MAX_PPS_ID = 255  # 7.4.2.2


class H264ParameterSets:
    """`format` describes the latest key frame, or what the SDP promised before the first one."""

    def __init__(self) -> None:
        self.format: VideoFormat | None = None
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, tuple[bytes, int]] = {}

    def remember_untrusted(self, nal: bytes) -> bool:
        """Keep an SPS or PPS under its id; False when it cannot be read and is not kept."""
        if len(nal) > MAX_PARAMETER_SET_BYTES:
            return False
        try:
            if nal[0] & NAL_TYPE_MASK == NAL_SPS:
                # The id follows profile_idc, the constraint flags and level_idc (7.3.2.1.1).
                self._sps[BitReader(unescape(nal[4:])).set_id(MAX_SPS_ID)] = nal
            else:
                reader = BitReader(unescape(nal[1:]))
                pps_id = reader.set_id(MAX_PPS_ID)
                self._pps[pps_id] = (nal, reader.set_id(MAX_SPS_ID))
        except BitstreamMalformed:
            return False
        return True

    def note_promised(self) -> None:
        """Take the sets known so far, from the SDP, as the format until a key frame says otherwise."""
        for pps, sps_id in self._pps.values():
            if sps_id in self._sps:
                self._note_format(self._sps[sps_id], pps)
                return

    def complete(self, nals: list[bytes], slice_nal: bytes) -> list[bytes] | None:
        """Return a key frame with all parameter sets that it and its successors need; None when they are not known.

        slice_nal: the key frame's first slice, which names the PPS. All PPS of the same SPS are included, since
        later slices may use any of them.
        """
        found = self._find(slice_nal)
        if found is None:
            return None
        sps, pps = found
        if self.format is None or sps != self.format.sps or pps != self.format.pps:
            self._note_format(sps, pps)
        if len(self._pps) == 1:
            needed = [sps, pps]
        else:
            needed = [sps, *(other for other, sps_id in self._pps.values() if self._sps.get(sps_id) is sps)]
        # 7.4.1.2.3: the access unit delimiter comes first, parameter sets before the slices; PPS build on their SPS.
        return with_sets(nals, needed, _is_set, at=int(nals[0][0] & NAL_TYPE_MASK == NAL_AUD))

    def among(self, nals: Sequence[bytes]) -> list[bytes]:
        """Return the parameter sets among some NAL units, each once, in order."""
        return list(dict.fromkeys(nal for nal in nals if _is_set(nal)))

    def _find(self, slice_nal: bytes) -> tuple[bytes, bytes] | None:
        reader = BitReader(unescape(slice_nal[1:SLICE_HEADER_BYTES]))
        try:
            reader.ue()  # first_mb_in_slice
            reader.ue()  # slice_type
            pps, sps_id = self._pps[reader.ue()]
            return self._sps[sps_id], pps
        except (BitstreamMalformed, KeyError):
            return None

    def _note_format(self, sps: bytes, pps: bytes) -> None:
        width = height = fps = None
        may_reorder = False
        try:
            info = parse_sps_untrusted(sps)
        except SpsMalformed:
            pass
        else:
            width, height, fps, may_reorder = info.width, info.height, info.fps, bool(info.max_reorder)
        self.format = VideoFormat(
            sps=sps,
            pps=pps,
            profile_level_id=sps[1:4].hex(),
            width=width,
            height=height,
            fps=fps,
            may_reorder=may_reorder,
        )


def _is_set(nal: bytes) -> bool:
    return nal[0] & NAL_TYPE_MASK in PARAMETER_SETS
