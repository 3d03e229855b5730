"""AAC frames to RTP payloads (RFC 3640, mode AAC-hbr): one access unit each, or a part of one.

Knows payloads only: RTP headers, sequence numbers and markers are the sender's.
"""

AU_HEADER_BYTES = 4
"""The length of the headers in bits, and one of 13 bits of size and 3 of index (RFC 3640 3.2.1, 3.3.6)."""

MAX_AU_BYTES = (1 << 13) - 1

FMTP = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config="
"""What the session description says of these payloads (RFC 3640 4.1); the AudioSpecificConfig in hexadecimal follows.

Receivers go by the config; a profile-level-id of 1 (Main, level 1) is what all of them accept."""


def packetize_aac(unit: bytes, max_payload_bytes: int) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order; the marker belongs on the last.

    None where the unit is larger than AAC-hbr can say, which no AAC frame of eight channels or fewer is.
    """
    if len(unit) > MAX_AU_BYTES:
        return []
    # RFC 3640 3.2.3: in fragments, too, the header says the size of the whole unit.
    header = (16).to_bytes(2, "big") + (len(unit) << 3).to_bytes(2, "big")
    room = max_payload_bytes - AU_HEADER_BYTES
    return [header + unit[at : at + room] for at in range(0, len(unit), room)]
