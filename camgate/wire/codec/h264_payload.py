"""H.264 frames to RTP payloads (RFC 6184, packetization-mode 1): single NAL unit, STAP-A and FU-A.

Knows payloads only: RTP headers, sequence numbers and markers are the sender's.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from camgate.base.errors import LocalError
from camgate.wire.codec.h264_nal import (
    NAL_FU_A,
    NAL_REF_IDC_MASK,
    NAL_STAP_A,
    NAL_TYPE_MASK,
    PARAMETER_SETS,
)
from camgate.wire.codec.nal import fragment

MIN_PAYLOAD_BYTES = 16
"""Below this a fragment would be mostly headers; no path has so small an MTU."""


def packetize_h264(
    nals: Sequence[bytes], max_payload_bytes: int, *, without: AbstractSet[int] = frozenset()
) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; the marker belongs on the last.

    A NAL unit that does not fit becomes fragments of equal size, of which only the last may be shorter, so that
    the packets fit one UDP_SEGMENT send. Neighbouring parameter sets share one STAP-A.

    without: NAL unit types to leave out, such as `h264_nal.NOT_FOR_BROWSERS`.
    """
    if max_payload_bytes < MIN_PAYLOAD_BYTES:
        raise LocalError(f"max_payload_bytes must be at least {MIN_PAYLOAD_BYTES}, not {max_payload_bytes}")
    payloads: list[bytes] = []
    parameter_sets: list[bytes] = []
    for nal in nals:
        nal_type = nal[0] & NAL_TYPE_MASK
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
    if len(nals) == 1 or 1 + sum(2 + len(nal) for nal in nals) > max_payload_bytes:
        return [part for nal in nals for part in _whole_or_fragments(nal, max_payload_bytes)]
    # RFC 6184 5.7.1: the aggregate's NRI is the highest of its units.
    nri = max(nal[0] & NAL_REF_IDC_MASK for nal in nals)
    units = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
    return [bytes((nri | NAL_STAP_A,)) + units]


def _whole_or_fragments(nal: bytes, max_payload_bytes: int) -> list[bytes]:
    return [nal] if len(nal) <= max_payload_bytes else _fragment(nal, max_payload_bytes)


def _fragment(nal: bytes, max_payload_bytes: int) -> list[bytes]:
    # RFC 6184 5.8: the NAL unit's own first byte is not sent, the indicator and the FU header carry its bits.
    indicator = bytes((nal[0] & ~NAL_TYPE_MASK | NAL_FU_A,))
    return fragment(nal, 1, indicator, nal[0] & NAL_TYPE_MASK, max_payload_bytes)
