"""H.264 frames to RTP payloads (RFC 6184, packetization-mode 1): single NAL unit, STAP-A and FU-A."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from camgate.wire.codec.h264_nal import (
    NAL_FU_A,
    NAL_REF_IDC_MASK,
    NAL_STAP_A,
    NAL_TYPE_MASK,
    PARAMETER_SETS,
)
from camgate.wire.codec.nal_payload import Packing, packetize


def packetize_h264(
    nals: Sequence[bytes], max_payload_bytes: int, *, without: AbstractSet[int] = frozenset()
) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; see `nal_payload.packetize`.

    without: NAL unit types to leave out, such as `h264_nal.NOT_FOR_BROWSERS`.
    """
    return packetize(_PACKING, nals, max_payload_bytes, without)


def _type_of(nal: bytes) -> int:
    return nal[0] & NAL_TYPE_MASK


def _aggregate_header(nals: Sequence[bytes]) -> bytes:
    # RFC 6184 5.7.1: the aggregate's NRI is the highest of its units.
    return bytes((max(nal[0] & NAL_REF_IDC_MASK for nal in nals) | NAL_STAP_A,))


def _fragment_indicator(nal: bytes) -> bytes:
    # RFC 6184 5.8: the NAL unit's own first byte is not sent, the indicator and the FU header carry its bits.
    return bytes((nal[0] & ~NAL_TYPE_MASK | NAL_FU_A,))


_PACKING = Packing(1, _type_of, PARAMETER_SETS, _aggregate_header, _fragment_indicator)
