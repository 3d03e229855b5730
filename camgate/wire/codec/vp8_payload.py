"""VP8 frames to RTP payloads (RFC 7741), in their plainest form: no extension, one partition.

Knows payloads only: RTP headers, sequence numbers and markers are the sender's.
"""

from camgate.base.errors import LocalError

DESCRIPTOR_BYTES = 1
MIN_PAYLOAD_BYTES = 16
"""Below this a fragment would be mostly headers; no path has so small an MTU."""

# RFC 7741 4.2: X, R, N, S, R, and three bits of PID. Without the extended bits there is no picture number: receivers go
# by sequence numbers, in which no viewer ever sees a gap that we made.
_BEGINS = b"\x10"
_GOES_ON = b"\x00"


def packetize_vp8(frame: bytes, max_payload_bytes: int) -> list[bytes]:
    """Return the RTP payloads of one frame, in order; the marker belongs on the last.

    Fragments are of equal size, only the last may be shorter, so that the packets fit one UDP_SEGMENT send.
    """
    if max_payload_bytes < MIN_PAYLOAD_BYTES:
        raise LocalError(f"max_payload_bytes must be at least {MIN_PAYLOAD_BYTES}, not {max_payload_bytes}")
    if not frame:
        return []
    count = -(-len(frame) // (max_payload_bytes - DESCRIPTOR_BYTES))
    size = -(-len(frame) // count)
    # 4.2: S is set on the first packet of a partition. The frame as a whole passes for partition 0, as browsers do it.
    return [(_GOES_ON if at else _BEGINS) + frame[at : at + size] for at in range(0, len(frame), size)]
