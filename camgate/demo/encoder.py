"""H.264 by PyAV's libx264, set for live pictures at little cost: no B-frames, no look-ahead, one thread."""

from fractions import Fraction
from typing import NamedTuple

import av
from av.video.plane import VideoPlane

from camgate.demo.canvas import Canvas, Plane
from camgate.wire.codec.h264_nal import NAL_SEI, NAL_TYPE_MASK, split_annex_b

GOP_S = 2
"""Time between key frames: what most cameras are shipped with."""


class EncodedPicture(NamedTuple):
    """One access unit: its NAL units without start codes, and whether decoding can start at it."""

    nals: tuple[bytes, ...]
    is_key: bool


class Encoder:
    """Encodes what stands on `canvas` at the time: there is one picture in memory, drawn again and again.

    That is safe because x264 copies a picture before `encode` returns. Key frames carry their parameter sets.
    """

    def __init__(self, *, width: int, height: int, fps: int) -> None:
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._frame.time_base = Fraction(1, fps)
        self.canvas = Canvas(*map(_plane, self._frame.planes))
        self._codec = av.CodecContext.create("libx264", "w")
        self._codec.width, self._codec.height = width, height
        self._codec.pix_fmt = "yuv420p"
        self._codec.framerate = Fraction(fps)
        self._codec.time_base = Fraction(1, fps)
        self._codec.gop_size = GOP_S * fps
        self._codec.thread_count = 1
        self._codec.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "sc_threshold": "0"}

    def encode(self, slot: int) -> EncodedPicture:
        """Encode the canvas as the picture shown `slot` frame intervals after the first; `slot` must rise."""
        self._frame.pts = slot
        (packet,) = self._codec.encode(self._frame)
        nals = split_annex_b(bytes(packet))
        # x264's only SEI is an advertisement.
        return EncodedPicture(tuple(nal for nal in nals if nal[0] & NAL_TYPE_MASK != NAL_SEI), packet.is_keyframe)


def _plane(plane: VideoPlane) -> Plane:
    return Plane(memoryview(plane).cast("B"), width=plane.width, height=plane.height, stride_bytes=plane.line_size)
