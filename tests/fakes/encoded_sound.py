"""Sound that FFmpeg encoded for a test: a tone, in the formats of cameras."""

import math
from array import array
from functools import cache
from typing import Any, NamedTuple

import av

from camgate.transcode.sound import OPUS_HZ
from tests.fakes.tone import TONE_HZ

LEVEL = 12_000
PIECE_SAMPLES = 1024


class Sound(NamedTuple):
    """An encoded tone. ticks: how long a piece lasts, by the clock of its format."""

    pieces: tuple[bytes, ...]
    config: bytes
    ticks: int


@cache
def encode(
    encoder: str, rate_hz: int, channels: int = 1, *, clock_hz: int = 0, seconds: float = 1.0, code_size: str = ""
) -> Sound:
    """Encode a tone with one of FFmpeg's encoders."""
    codec: Any = av.CodecContext.create(encoder, "w")
    codec.sample_rate, codec.layout = rate_hz, "mono" if channels == 1 else "stereo"
    codec.format = "fltp" if encoder == "aac" else "s16"
    codec.options = {"code_size": code_size} if code_size else {}
    codec.open()
    resampler = av.AudioResampler(
        format=codec.format.name, layout=codec.layout.name, rate=rate_hz, frame_size=codec.frame_size or 0
    )
    pieces: list[bytes] = []
    for number in range(round(seconds * rate_hz / PIECE_SAMPLES)):
        for frame in resampler.resample(_tone(rate_hz, channels, number)):
            pieces += [bytes(packet) for packet in codec.encode(frame)]
    samples = codec.frame_size or PIECE_SAMPLES
    return Sound(tuple(pieces), codec.extradata or b"", samples * (clock_hz or rate_hz) // rate_hz)


def _tone(rate_hz: int, channels: int, number: int) -> Any:
    step = 2 * math.pi * TONE_HZ / rate_hz
    start = number * PIECE_SAMPLES
    samples = [round(LEVEL * math.sin(step * at)) for at in range(start, start + PIECE_SAMPLES)]
    frame = av.AudioFrame(format="s16", layout="mono" if channels == 1 else "stereo", samples=PIECE_SAMPLES)
    frame.sample_rate = rate_hz
    frame.planes[0].update(array("h", [sample for sample in samples for _ in range(channels)]).tobytes())
    return frame


def decode_opus(packets: list[bytes]) -> tuple[int, list[int]]:
    """Return channels, and the samples of the first one, at 48 kHz."""
    decoder: Any = av.CodecContext.create("libopus", "r")
    resampler = av.AudioResampler(format="s16p", layout="stereo", rate=OPUS_HZ)
    samples: list[int] = []
    channels = 0
    for packet in packets:
        for frame in decoder.decode(av.Packet(packet)):
            # TOC byte, RFC 6716 3.1: its third bit says stereo.
            channels = 2 if packet[0] & 4 else 1
            for planar in resampler.resample(frame):
                samples += array("h", bytes(planar.planes[0])[: 2 * planar.samples])
    return channels, samples
