"""H.265 NAL unit types, for the packetiser, the depacketiser and the parameter sets.

ITU-T H.265 7.3.1.2 and table 7-1; RFC 7798 adds the types from 48 on, which exist only inside RTP. A NAL unit's header
has two bytes: a forbidden bit, six of the type, six of the layer, three of the temporal id plus 1.
"""

NAL_TRAIL_N = 0
NAL_TRAIL_R = 1
NAL_RASL_N = 8
NAL_RASL_R = 9
NAL_BLA_W_LP = 16
NAL_BLA_N_LP = 18
NAL_IDR_W_RADL = 19
NAL_IDR_N_LP = 20
NAL_CRA = 21
NAL_LAST_SLICE = 31
NAL_VPS = 32
NAL_SPS = 33
NAL_PPS = 34
NAL_AUD = 35
NAL_FILLER = 38
NAL_PREFIX_SEI = 39
NAL_SUFFIX_SEI = 40
NAL_AP = 48
NAL_FU = 49

NAL_HEADER_BYTES = 2
TYPE_MASK = 0x7E
"""Of the first byte. Types stand there doubled: see `on_wire`."""
LAYER_MASK = 0x01F8
"""Of the header as a number of 16 bits."""

IRAP = frozenset(range(NAL_BLA_W_LP, NAL_CRA + 1))
"""Intra random access points, where decoding can begin; 22 and 23 are reserved (table 7-1)."""
BLA = frozenset(range(NAL_BLA_W_LP, NAL_BLA_N_LP + 1))
RASL = frozenset({NAL_RASL_N, NAL_RASL_R})

PARAMETER_SETS = frozenset({NAL_VPS, NAL_SPS, NAL_PPS})

NOT_FOR_BROWSERS = frozenset({NAL_AUD, NAL_FILLER, NAL_PREFIX_SEI, NAL_SUFFIX_SEI})
"""NAL unit types that no browser needs; left out so that a frame does not begin with a small packet of its own."""


def type_of(nal: bytes) -> int:
    """Return the type of a NAL unit that has at least one byte."""
    return nal[0] >> 1 & 0x3F


def on_wire(nal_type: int) -> int:
    """Return a type as it stands in a NAL unit's first byte."""
    return nal_type << 1
