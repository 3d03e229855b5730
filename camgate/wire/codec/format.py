"""What a video track looks like, as far as its parameter sets tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """The format of a video track; a new object each time that the camera changes it.

    sps, pps: the parameter sets of the latest key frame, without start codes (H.264: one of each).
    profile_level_id: six hexadecimal digits as in SDP (RFC 6184 8.1).
    width, height: pixels shown, after cropping; None where the SPS cannot be read that far.
    fps: frame rate that the SPS claims; None where it claims none.
    may_reorder: the stream may hold B-frames, which browsers cannot play over WebRTC.
    """

    codec: str = "H264"
    sps: bytes
    pps: bytes
    profile_level_id: str
    width: int | None
    height: int | None
    fps: float | None
    may_reorder: bool = False
