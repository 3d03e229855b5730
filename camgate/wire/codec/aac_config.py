"""AudioSpecificConfig: what an AAC decoder must know before the first frame (ISO/IEC 14496-3 1.6.2.1).

Knows AAC alone, without what no camera sends: scalable and error-resilient kinds, and layouts of channels of its own.
"""

from dataclasses import dataclass

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import AudioMalformed, BitstreamMalformed

_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_OWN_RATE = 15
_ESCAPED_TYPE = 31
_AAC_LC = 2
_AAC_TYPES = (1, 2, 3, 4)
"""Main, LC, SSR and LTP (table 1.17)."""
_EXTENDED_TYPES = (5, 29)
"""SBR and PS, that say first what they are and then what they extend."""
_MOST_CHANNELS = 7
"""Channel configurations of table 1.19 that are not told otherwise."""


@dataclass(frozen=True, slots=True)
class AacConfig:
    """What a config says, as far as anything here asks.

    data: the config in whole bytes, for a decoder. core_hz: sampling rate of the frames, before SBR doubles it.
    frame_samples: of a frame, at `core_hz`. channels: its channel configuration, mostly their number.
    """

    data: bytes
    core_hz: int
    frame_samples: int
    channels: int

    def frame_ticks(self, clock_hz: int) -> int:
        """How long a frame lasts by an RTP clock."""
        return round(self.frame_samples * clock_hz / self.core_hz)


def parse_aac_config_untrusted(data: bytes) -> AacConfig:
    """Read a config. Raises AudioMalformed."""
    try:
        return read_aac_config(BitReader(data))
    except BitstreamMalformed as exc:
        raise AudioMalformed(f"its AudioSpecificConfig: {exc.defect}") from exc


def read_aac_config(bits: BitReader) -> AacConfig:
    """Read a config from where `bits` stands. Raises BitstreamMalformed, AudioMalformed."""
    began = bits.left
    kind = _object_type(bits)
    core_hz = _rate(bits)
    channels = bits.bits(4)
    if kind in _EXTENDED_TYPES:
        _rate(bits)
        kind = _object_type(bits)
    if kind not in _AAC_TYPES:
        raise AudioMalformed(f"its audio object type is {kind}, which is no AAC that is read here")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise AudioMalformed(f"its channel configuration is {channels}, which is not read here")
    is_short = bits.flag()
    if bits.flag():  # dependsOnCoreCoder
        bits.bits(14)
    bits.flag()  # extensionFlag, which says nothing of these types
    size = began - bits.left
    value = bits.latest(size) << -size % 8
    return AacConfig(value.to_bytes(-(-size // 8), "big"), core_hz, 960 if is_short else 1024, channels)


def make_aac_config(rate_hz: int, channels: int) -> AacConfig:
    """Return the config of AAC-LC, for cameras that do not say theirs. Raises AudioMalformed."""
    if not 0 < rate_hz < 1 << 24 or not 1 <= channels <= _MOST_CHANNELS:
        raise AudioMalformed(f"there is no AAC of {rate_hz} Hz and {channels} channels")
    value, size = _AAC_LC, 5
    if rate_hz in _RATES_HZ:
        value, size = value << 4 | _RATES_HZ.index(rate_hz), size + 4
    else:
        value, size = (value << 4 | _OWN_RATE) << 24 | rate_hz, size + 28
    value, size = value << 7 | channels << 3, size + 7
    data = (value << -size % 8).to_bytes(-(-size // 8), "big")
    return AacConfig(data, rate_hz, 1024, channels)


def _object_type(bits: BitReader) -> int:
    kind = bits.bits(5)
    return 32 + bits.bits(6) if kind == _ESCAPED_TYPE else kind


def _rate(bits: BitReader) -> int:
    index = bits.bits(4)
    if index == _OWN_RATE:
        rate_hz = bits.bits(24)
    elif index < len(_RATES_HZ):
        rate_hz = _RATES_HZ[index]
    else:
        raise BitstreamMalformed(f"sampling frequency index {index} is reserved")
    if not rate_hz:
        raise BitstreamMalformed("a sampling frequency of 0")
    return rate_hz
