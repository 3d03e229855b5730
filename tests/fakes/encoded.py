"""Streams that FFmpeg encoded for a test: small, real, and every picture another grey."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import av

from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264_nal import split_annex_b

FPS = 25
ENCODERS = {
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency"}),
    "H265": (
        "libx265",
        {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:repeat-headers=1"},
    ),
}


def grey(number: int) -> int:
    """The luma of all of picture `number`."""
    return 40 + 5 * (number % 36)


@cache
def encode(
    codec: str, *, pictures: int = 1, width: int = 64, height: int = 48, noise: bool = False, **options: str
) -> tuple[Any, ...]:
    """Return FFmpeg's packets of so many pictures, as byte stream with start codes; each has its pts in pictures.

    codec: as in SDP. noise: what costs most. options: of the encoder.
    """
    name, defaults = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.thread_count = 1
    encoder.options = defaults | options
    packets = []
    for number in range(pictures):
        picture = av.VideoFrame(width, height, "yuv420p")
        for plane, luma in zip(picture.planes, (grey(number), 128, 128), strict=True):
            dots = Random(number).randbytes(plane.buffer_size)
            plane.update(dots if noise else bytes((luma,)) * plane.buffer_size)
        picture.pts, picture.time_base = number, encoder.time_base
        packets += encoder.encode(picture)
    return (*packets, *encoder.encode(None))


def frames(codec: str, **options: Any) -> Iterator[Frame]:
    """Yield the pictures of `encode` as a camera's frames, at 90 kHz and 25 pictures a second from time 0."""
    for number, packet in enumerate(encode(codec, **options)):
        nals = tuple(split_annex_b(bytes(packet)))
        yield Frame(nals, packet.pts * 90_000 // FPS, number / FPS, bool(packet.is_keyframe))


def video_format(codec: str) -> VideoFormat:
    """The format of such a camera, as far as anything looks at it."""
    return VideoFormat(codec=codec, sps=b"", pps=b"", profile_level_id="42c01f", width=64, height=48, fps=FPS)
