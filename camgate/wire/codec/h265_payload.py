"""H.265 frames to RTP payloads (RFC 7798 without DONL): single NAL unit, AP and FU."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from camgate.wire.codec.h265_nal import (
    LAYER_MASK,
    NAL_AP,
    NAL_FU,
    NAL_HEADER_BYTES,
    PARAMETER_SETS,
    TYPE_MASK,
    on_wire,
    type_of,
)
from camgate.wire.codec.nal_payload import Packing, packetize

_TID_MASK = 0x07


def packetize_h265(
    nals: Sequence[bytes], max_payload_bytes: int, *, without: AbstractSet[int] = frozenset()
) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; see `nal_payload.packetize`.

    without: NAL unit types to leave out, such as `h265_nal.NOT_FOR_BROWSERS`.
    """
    return packetize(_PACKING, nals, max_payload_bytes, without)


def _aggregate_header(nals: Sequence[bytes]) -> bytes:
    # RFC 7798 4.4.2: an AP has the lowest layer and the lowest temporal id of its units.
    headers = [int.from_bytes(nal[:NAL_HEADER_BYTES], "big") for nal in nals]
    layer = min(header & LAYER_MASK for header in headers)
    temporal_id = min(header & _TID_MASK for header in headers)
    return (on_wire(NAL_AP) << 8 | layer | temporal_id).to_bytes(2, "big")


def _fragment_indicator(nal: bytes) -> bytes:
    # RFC 7798 4.4.3: the NAL unit's header is not sent, the payload header and the FU header carry its bits.
    return bytes((nal[0] & ~TYPE_MASK & 0xFF | on_wire(NAL_FU), nal[1]))


_PACKING = Packing(NAL_HEADER_BYTES, type_of, PARAMETER_SETS, _aggregate_header, _fragment_indicator)
