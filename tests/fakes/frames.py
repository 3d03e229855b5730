"""Frames for tests of whatever handles them whole."""

import trio

from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from tests.fakes import h265
from tests.fakes.h264 import PPS, SPS, slice_nal

FRAME_S = 0.04
FRAME_TICKS = 3600

VIDEO_FORMAT = VideoFormat(sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=25.0)
H265_FORMAT = VideoFormat(
    codec="H265",
    vps=h265.VPS,
    sps=h265.SPS,
    pps=h265.PPS,
    profile_id=1,
    level_id=63,
    width=640,
    height=360,
    fps=25.0,
)


def make_frame(number: int, *, key: bool = False, size: int = 100, arrival_s: float | None = None) -> Frame:
    """Return frame `number` of a stream of 25 frames a second that began at time 0."""
    nals = (slice_nal(size, key=key, seed=number),)
    return Frame(nals, number * FRAME_TICKS, number * FRAME_S if arrival_s is None else arrival_s, key)


def film_frame(number: int, *, key: bool, size: int) -> Frame:
    """Return frame `number` as a camera sends it now: its parameter sets stand before each key frame."""
    frame = make_frame(number, key=key, size=size)
    nals = (SPS, PPS, *frame.nals) if key else frame.nals
    return Frame(nals, frame.rtp_time, trio.current_time(), key)


def numbers(frames: list[Frame] | tuple[Frame, ...]) -> list[int]:
    """Return which frames of `make_frame` these are."""
    return [frame.rtp_time // FRAME_TICKS for frame in frames]
