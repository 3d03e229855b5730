"""Decoders for what cameras send, bounded in what they may use. Of worker processes only: this is FFmpeg's code."""

from typing import Any

import av

from camgate.base.errors import LocalError

MAX_PIXELS = 8192 * 4608
"""The largest picture that is decoded: no camera sends larger ones, and each takes 56 MB."""

DECODERS = {"H264": "h264", "H265": "hevc"}
"""FFmpeg's names, by the name in SDP."""


def open_video_decoder(codec: str) -> Any:
    """Return a decoder that gives each picture back as soon as its order allows. Raises LocalError."""
    if codec not in DECODERS:
        raise LocalError(f"there is no decoder for {codec}")
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    # Threads that work on several frames at a time would each hold one back.
    decoder.thread_type = "SLICE"
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder
