"""H.265 frames to RTP payloads (RFC 7798 without DONL): single NAL unit, AP and FU.

Knows payloads only: RTP headers, sequence numbers and markers are the sender's.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from camgate.base.errors import LocalError
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
from camgate.wire.codec.nal import fragment

MIN_PAYLOAD_BYTES = 16
"""Below this a fragment would be mostly headers; no path has so small an MTU."""

_TID_MASK = 0x07


def packetize_h265(
    nals: Sequence[bytes], max_payload_bytes: int, *, without: AbstractSet[int] = frozenset()
) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; the marker belongs on the last.

    A NAL unit that does not fit becomes fragments of equal size, of which only the last may be shorter, so that
    the packets fit one UDP_SEGMENT send. Neighbouring parameter sets share one AP.

    without: NAL unit types to leave out, such as `h265_nal.NOT_FOR_BROWSERS`.
    """
    if max_payload_bytes < MIN_PAYLOAD_BYTES:
        raise LocalError(f"max_payload_bytes must be at least {MIN_PAYLOAD_BYTES}, not {max_payload_bytes}")
    payloads: list[bytes] = []
    parameter_sets: list[bytes] = []
    for nal in nals:
        nal_type = type_of(nal)
        if nal_type in without:
            continue
        if nal_type in PARAMETER_SETS:
            parameter_sets.append(nal)
            continue
        if parameter_sets:
            payloads += _aggregate(parameter_sets, max_payload_bytes)
            parameter_sets = []
        if len(nal) <= max_payload_bytes:
            payloads.append(nal)
        else:
            payloads += _fragment(nal, max_payload_bytes)
    if parameter_sets:
        payloads += _aggregate(parameter_sets, max_payload_bytes)
    return payloads


def _aggregate(nals: list[bytes], max_payload_bytes: int) -> list[bytes]:
    if len(nals) == 1 or NAL_HEADER_BYTES + sum(2 + len(nal) for nal in nals) > max_payload_bytes:
        return [part for nal in nals for part in _whole_or_fragments(nal, max_payload_bytes)]
    # RFC 7798 4.4.2: an AP has the lowest layer and the lowest temporal id of its units.
    headers = [int.from_bytes(nal[:NAL_HEADER_BYTES], "big") for nal in nals]
    layer = min(header & LAYER_MASK for header in headers)
    temporal_id = min(header & _TID_MASK for header in headers)
    header = on_wire(NAL_AP) << 8 | layer | temporal_id
    units = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
    return [header.to_bytes(2, "big") + units]


def _whole_or_fragments(nal: bytes, max_payload_bytes: int) -> list[bytes]:
    return [nal] if len(nal) <= max_payload_bytes else _fragment(nal, max_payload_bytes)


def _fragment(nal: bytes, max_payload_bytes: int) -> list[bytes]:
    # RFC 7798 4.4.3: the NAL unit's header is not sent, the payload header and the FU header carry its bits.
    indicator = bytes((nal[0] & ~TYPE_MASK & 0xFF | on_wire(NAL_FU), nal[1]))
    return fragment(nal, NAL_HEADER_BYTES, indicator, type_of(nal), max_payload_bytes)
