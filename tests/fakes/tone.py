"""A known tone, as G.711 has it, and what pitch samples have: to prove that sound arrives as it was sent."""

import math
from collections.abc import Sequence

TONE_HZ = 440
TONE_LEVEL = 8_000
"""Of 32,767."""


def tone(codec: str, first: int, count: int, rate_hz: int = 8_000) -> bytes:
    """Return `count` samples of the tone from sample `first` on, in `PCMA` or `PCMU` (ITU-T G.711)."""
    encode = _a_law if codec == "PCMA" else _mu_law
    step = 2 * math.pi * TONE_HZ / rate_hz
    return bytes(encode(round(TONE_LEVEL * math.sin(step * (first + place)))) for place in range(count))


def pitch_hz(samples: Sequence[int], rate_hz: int) -> float:
    """Return how often samples swing a second, from an eighth of their peak below zero to as much above it.

    So the noise that a codec adds is no swing.
    """
    least = max(map(abs, samples)) / 8
    rises, is_low = 0, False
    for sample in samples:
        if sample < -least:
            is_low = True
        elif sample > least and is_low:
            rises, is_low = rises + 1, False
    return rises * rate_hz / len(samples)


def _a_law(sample: int) -> int:
    # 13 bits: sign, segment, four bits of the position in it; even bits inverted.
    magnitude = min(abs(sample) >> 3, 0xFFF)
    segment = max(0, magnitude.bit_length() - 5)
    position = magnitude >> max(1, segment) & 0x0F if segment else magnitude >> 1 & 0x0F
    return ((0x80 if sample >= 0 else 0) | segment << 4 | position) ^ 0x55


def _mu_law(sample: int) -> int:
    magnitude = min(abs(sample), 32_635) + 0x84
    segment = magnitude.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | segment << 4 | magnitude >> segment + 3 & 0x0F) & 0xFF
