"""One key frame to one JPEG: the work of the snapshot worker. Blocks, and may crash on what a camera sends: no Trio."""

from fractions import Fraction
from typing import Any

import av
from av.video.reformatter import ColorRange

from camgate.base.errors import RemoteError
from camgate.transcode.decoding import open_video_decoder

QUALITY = 4
"""FFmpeg's scale, 2 best, 31 worst: a 1080p picture has about 200 kB."""
_LAMBDA = 118
"""FFmpeg's FF_QP2LAMBDA, the unit of `global_quality`."""


class NoPicture(RemoteError):
    """A key frame that does not decode."""

    def __str__(self) -> str:
        return "the camera's key frame holds no picture that can be decoded"


def make_jpeg(codec: str, data: bytes, width: int) -> bytes:
    """Decode a key frame and return it as JPEG. Raises NoPicture.

    codec: as in SDP. data: NAL units with start codes. width: of the JPEG at the most, in pixels; 0 = as it is. Its
    height follows.
    """
    decoder = open_video_decoder(codec)
    try:
        pictures = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.error.FFmpegError as exc:
        raise NoPicture from exc
    if not pictures:
        raise NoPicture
    picture = pictures[0]
    size = fitted(picture.width, picture.height, width)
    # JPEG has no other range than the full one.
    picture = picture.reformat(*size, format="yuvj420p", dst_color_range=ColorRange.JPEG)
    return _encode(picture)


def fitted(width: int, height: int, max_width: int) -> tuple[int, int]:
    """Return the size of a picture that is not wider than `max_width` (0 = no limit), both even as 4:2:0 likes it."""
    if max_width and width > max_width:
        width, height = max_width, max(2, round(height * max_width / width))
    return max(2, width - width % 2), max(2, height - height % 2)


def _encode(picture: Any) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"flags": "+qscale", "global_quality": str(QUALITY * _LAMBDA)}
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
