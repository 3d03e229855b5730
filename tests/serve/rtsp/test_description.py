"""The session description that the server writes is one that camgate's own client reads back."""

from camgate.serve.rtsp.description import describe_stream
from camgate.wire.codec.format import VideoFormat
from camgate.wire.sdp.media import decode_parameter_sets_untrusted, payload_formats_untrusted
from camgate.wire.sdp.session import parse_sdp_untrusted
from tests.fakes.camera import PPS, SPS


def video_format(fps: float | None) -> VideoFormat:
    return VideoFormat(sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=fps)


def test_the_video_track_is_read_back() -> None:
    description = parse_sdp_untrusted(str(describe_stream("front-door", video_format(25.0))))
    assert description.line("s") == "front-door"
    assert description.attributes.value("control") == "*"
    (media,) = description.media
    (payload,) = payload_formats_untrusted(media)
    assert (payload.codec, payload.clock_rate, payload.payload_type) == ("H264", 90_000, 96)
    assert payload.parameters["profile-level-id"] == "42c01e"
    assert payload.parameters["packetization-mode"] == "1"
    assert decode_parameter_sets_untrusted(payload.parameters["sprop-parameter-sets"]) == (SPS, PPS)
    assert media.attributes.value("control") == "track0"
    assert media.attributes.value("framerate") == "25"


def test_a_frame_rate_that_is_not_known_is_not_claimed() -> None:
    assert "framerate" not in str(describe_stream("garden", video_format(None)))
