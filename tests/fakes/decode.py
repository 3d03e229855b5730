"""Decoding published frames as a viewer would, to read the picture counter in them."""

from collections.abc import Iterable

import av

from camgate.demo.blocks import Blocks, read_blocks
from camgate.wire.codec.frame import Frame

START_CODE = b"\x00\x00\x00\x01"


class BlocksDecoder:
    """Decodes frames in order, and reads the blocks in each picture; None where they cannot be read.

    pictures: how many were decoded; broken: packets that the decoder refused.
    """

    def __init__(self, codec: str = "H264") -> None:
        self._decoder = av.CodecContext.create({"H264": "h264", "H265": "hevc"}[codec], "r")
        # One thread gives each picture back at once instead of some pictures later.
        self._decoder.thread_type = "NONE"
        self.pictures = 0
        self.broken = 0

    def decode(self, frame: Frame) -> list[Blocks | None]:
        data = b"".join(START_CODE + nal for nal in frame.nals)
        try:
            pictures = self._decoder.decode(av.Packet(data))
        except av.error.InvalidDataError:
            self.broken += 1
            return []
        self.pictures += len(pictures)
        return [self._read(picture) for picture in pictures]

    def decode_all(self, frames: Iterable[Frame]) -> list[Blocks | None]:
        """Return what the blocks of all pictures say, in order."""
        return [blocks for frame in frames for blocks in self.decode(frame)]

    def _read(self, picture: av.VideoFrame) -> Blocks | None:
        luma = picture.planes[0]
        return read_blocks(bytes(luma), width=picture.width, stride_bytes=luma.line_size)
