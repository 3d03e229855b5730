"""NAL units to RTP payloads: what H.264 (RFC 6184) and H.265 (RFC 7798) do alike; `Packing` says where they differ.

Knows payloads only: RTP headers, sequence numbers and markers are the sender's.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from camgate.base.errors import LocalError
from camgate.wire.codec.nal import fragment

MIN_PAYLOAD_BYTES = 16
"""Below this a fragment would be mostly headers; no path has so small an MTU."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How a codec packs its NAL units.

    header_bytes: of a NAL unit, and as many of an aggregate. type_of: of a NAL unit. parameter_sets: types that share
    aggregates. aggregate_header: of some units. fragment_indicator: what stands before a unit's FU headers.
    """

    header_bytes: int
    type_of: Callable[[bytes], int]
    parameter_sets: AbstractSet[int]
    aggregate_header: Callable[[Sequence[bytes]], bytes]
    fragment_indicator: Callable[[bytes], bytes]


def packetize(
    packing: Packing, nals: Sequence[bytes], max_payload_bytes: int, without: AbstractSet[int]
) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; the marker belongs on the last.

    A NAL unit that does not fit becomes fragments of equal size, of which only the last may be shorter, so that
    the packets fit one UDP_SEGMENT send. Neighbouring parameter sets share one aggregate.

    without: NAL unit types to leave out.
    """
    if max_payload_bytes < MIN_PAYLOAD_BYTES:
        raise LocalError(f"max_payload_bytes must be at least {MIN_PAYLOAD_BYTES}, not {max_payload_bytes}")
    payloads: list[bytes] = []
    parameter_sets: list[bytes] = []
    for nal in nals:
        nal_type = packing.type_of(nal)
        if nal_type in without:
            continue
        if nal_type in packing.parameter_sets:
            parameter_sets.append(nal)
            continue
        if parameter_sets:
            payloads += _aggregate(packing, parameter_sets, max_payload_bytes)
            parameter_sets = []
        if len(nal) <= max_payload_bytes:
            payloads.append(nal)
        else:
            payloads += _fragment(packing, nal, max_payload_bytes)
    if parameter_sets:
        payloads += _aggregate(packing, parameter_sets, max_payload_bytes)
    return payloads


def _aggregate(packing: Packing, nals: list[bytes], max_payload_bytes: int) -> list[bytes]:
    if len(nals) == 1 or packing.header_bytes + sum(2 + len(nal) for nal in nals) > max_payload_bytes:
        return [part for nal in nals for part in _whole_or_fragments(packing, nal, max_payload_bytes)]
    units = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
    return [packing.aggregate_header(nals) + units]


def _whole_or_fragments(packing: Packing, nal: bytes, max_payload_bytes: int) -> list[bytes]:
    return [nal] if len(nal) <= max_payload_bytes else _fragment(packing, nal, max_payload_bytes)


def _fragment(packing: Packing, nal: bytes, max_payload_bytes: int) -> list[bytes]:
    indicator = packing.fragment_indicator(nal)
    return fragment(nal, packing.header_bytes, indicator, packing.type_of(nal), max_payload_bytes)
