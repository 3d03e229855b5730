"""H.264 NAL unit types and the few rules about bytes that the packetiser, the depacketiser and the SPS parser share.

ITU-T H.264 7.3.1 and 7.4.1; RFC 6184 adds the types from 24 on, which exist only inside RTP.
"""

from camgate.wire.codec.nal import FU_END as FU_END
from camgate.wire.codec.nal import FU_START as FU_START
from camgate.wire.codec.nal import START_CODE as START_CODE
from camgate.wire.codec.nal import split_annex_b as split_annex_b
from camgate.wire.codec.nal import unescape as unescape

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

PARAMETER_SETS = frozenset({NAL_SPS, NAL_PPS})

NOT_FOR_BROWSERS = frozenset({NAL_AUD, NAL_SEI, NAL_FILLER})
"""NAL unit types that no browser needs; left out so that a frame does not begin with a small packet of its own."""
