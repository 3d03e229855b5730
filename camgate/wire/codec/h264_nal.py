"""H.264 NAL unit types and the few rules about bytes that the packetiser, the depacketiser and the SPS parser share.

ITU-T H.264 7.3.1 and 7.4.1; RFC 6184 adds the types from 24 on, which exist only inside RTP.
"""

NAL_SLICE = 1
NAL_PARTITION_A = 2
NAL_IDR = 5
NAL_SEI = 6
NAL_SPS = 7
NAL_PPS = 8
NAL_AUD = 9
NAL_END_OF_SEQUENCE = 10
NAL_END_OF_STREAM = 11
NAL_FILLER = 12
NAL_STAP_A = 24
NAL_FU_A = 28

NAL_TYPE_MASK = 0x1F
NAL_REF_IDC_MASK = 0x60

FU_START = 0x80
FU_END = 0x40

PARAMETER_SETS = frozenset({NAL_SPS, NAL_PPS})

NOT_FOR_BROWSERS = frozenset({NAL_AUD, NAL_SEI, NAL_FILLER})
"""NAL unit types that no browser needs; left out so that a frame does not begin with a small packet of its own."""

START_CODE = b"\x00\x00\x01"


def split_annex_b(data: bytes) -> list[bytes]:
    """Split a byte stream at its start codes (H.264 Annex B) into NAL units; bytes before the first are one, too."""
    # B.1: trailing_zero_8bits, and the zero_byte of a four-byte start code, belong to no NAL unit.
    return [unit for part in data.split(START_CODE) if (unit := part.rstrip(b"\x00"))]


def unescape(nal: bytes) -> bytes:
    """Remove the emulation prevention bytes of a NAL unit (7.3.1: 00 00 03 -> 00 00)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")
