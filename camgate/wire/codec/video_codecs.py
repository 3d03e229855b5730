"""The video codecs that camgate passes on, and what to use for each: the one place that lists them."""

from collections.abc import Iterable, Mapping, Sequence

from camgate.base.errors import LocalError
from camgate.wire.codec import h264_nal, h265_nal
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h264_payload import packetize_h264
from camgate.wire.codec.h265 import H265Depacketizer
from camgate.wire.codec.h265_payload import packetize_h265
from camgate.wire.codec.video import VideoDepacketizer
from camgate.wire.codec.vp8_payload import packetize_vp8

VIDEO_CODECS = ("H264", "H265")
"""What cameras send, by its name in SDP. Transcoding makes VP8 besides."""


def video_depacketizer(
    codec: str, parameter_sets: Iterable[bytes], payload_type: int | None, fmtp: Mapping[str, str]
) -> VideoDepacketizer:
    """Return what makes frames of a track's RTP packets.

    codec: one of VIDEO_CODECS. parameter_sets: of the SDP. payload_type: None takes all. fmtp: the track's parameters.
    """
    if codec == "H264":
        return H264Depacketizer(parameter_sets, payload_type=payload_type)
    if codec == "H265":
        # RFC 7798 7.1: absent means 0.
        has_don = fmtp.get("sprop-max-don-diff", "0").strip("0") != ""
        return H265Depacketizer(parameter_sets, payload_type=payload_type, has_don=has_don)
    raise LocalError(f"{codec} is none of {', '.join(VIDEO_CODECS)}")


def packetize_for_browsers(codec: str, nals: Sequence[bytes], max_payload_bytes: int) -> list[bytes]:
    """Return the RTP payloads of one access unit, in order, without what no browser needs."""
    if codec == "VP8":
        return packetize_vp8(nals[0], max_payload_bytes)
    if codec == "H265":
        return packetize_h265(nals, max_payload_bytes, without=h265_nal.NOT_FOR_BROWSERS)
    return packetize_h264(nals, max_payload_bytes, without=h264_nal.NOT_FOR_BROWSERS)


def packetize(codec: str, nals: Sequence[bytes], max_payload_bytes: int) -> list[bytes]:
    """Return the RTP payloads of one whole access unit, in order."""
    return packetize_h265(nals, max_payload_bytes) if codec == "H265" else packetize_h264(nals, max_payload_bytes)
