"""The pictures that all built-in cameras loop: encoded once, so that sending them costs next to nothing.

Noise on every picture takes all bits that the encoder is given, so that the asked bit rate is the real one.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av

from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.h264_nal import NAL_PPS, NAL_SPS, NAL_TYPE_MASK, NOT_FOR_BROWSERS, split_annex_b
from camgate.wire.codec.h264_sets import H264ParameterSets

LOOP_S = 4.0
"""Least length of the loop; the rate control has settled by then."""
NOISE = 24
"""Levels of brightness, of 256: what a camera shows at dusk."""
_NOISE_OF_BYTE = bytes(128 + (value * NOISE >> 8) - NOISE // 2 for value in range(256))
_VBV_S = 0.5
"""How far the encoder may even out its rate; a key frame gets at most this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """What the cameras send: `gop_s` is the time between key frames."""

    width: int = 1280
    height: int = 720
    fps: int = 25
    bitrate_bps: int = 2_000_000
    gop_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One access unit: its NAL units without start codes; decoding can start at it where `is_key`."""

    nals: tuple[bytes, ...]
    is_key: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """Whole groups of pictures that can be looped, and what they look like."""

    pictures: tuple[Picture, ...]
    format: VideoFormat
    fps: int

    @property
    def bitrate_bps(self) -> float:
        """The real bit rate."""
        octets = sum(len(nal) for picture in self.pictures for nal in picture.nals)
        return octets * 8 * self.fps / len(self.pictures)


Paint = Callable[[memoryview, int, int], None]
"""Draws on a picture's luma: its memory, the bytes from row to row, and which picture of the loop it is."""


def encode_clip(settings: ClipSettings, paint: Paint | None = None) -> Clip:
    """Encode the loop; takes a second or two. `paint` draws over the noise of each picture."""
    gop = max(1, round(settings.gop_s * settings.fps))
    count = gop * math.ceil(LOOP_S * settings.fps / gop)
    codec = _open_encoder(settings, gop)
    noise = random.Random(1)
    packets = [packet for slot in range(count) for packet in codec.encode(_draw(settings, slot, noise, paint))]
    packets += codec.encode(None)
    pictures = tuple(Picture(_nals(bytes(packet)), packet.is_keyframe) for packet in packets)
    assert len(pictures) == count, "the encoder holds nothing back"
    assert [place for place, picture in enumerate(pictures) if picture.is_key] == list(range(0, count, gop))
    return Clip(pictures, _format(pictures[0]), settings.fps)


def _open_encoder(settings: ClipSettings, gop: int) -> "av.VideoCodecContext":
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height = settings.width, settings.height
    codec.pix_fmt = "yuv420p"
    codec.framerate = Fraction(settings.fps)
    codec.time_base = Fraction(1, settings.fps)
    codec.gop_size = gop
    codec.bit_rate = settings.bitrate_bps
    codec.thread_count = 1
    codec.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "sc_threshold": "0",
        "keyint_min": str(gop),
        "maxrate": str(settings.bitrate_bps),
        "bufsize": str(round(settings.bitrate_bps * _VBV_S)),
    }
    return codec


def _draw(settings: ClipSettings, slot: int, noise: random.Random, paint: Paint | None) -> av.VideoFrame:
    frame = av.VideoFrame(settings.width, settings.height, "yuv420p")
    frame.pts = slot
    luma, *chroma = frame.planes
    luma.update(noise.randbytes(luma.buffer_size).translate(_NOISE_OF_BYTE))
    if paint is not None:
        paint(memoryview(luma).cast("B"), luma.line_size, slot)
    for plane in chroma:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def _nals(data: bytes) -> tuple[bytes, ...]:
    return tuple(nal for nal in split_annex_b(data) if nal[0] & NAL_TYPE_MASK not in NOT_FOR_BROWSERS)


def _format(key: Picture) -> VideoFormat:
    sets = H264ParameterSets()
    for nal in key.nals:
        if nal[0] & NAL_TYPE_MASK in (NAL_SPS, NAL_PPS):
            sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is not None
    return sets.format
