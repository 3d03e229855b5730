"""The session description that the server writes is one that camgate's own client reads back."""

import pytest

from camgate.relay.source import Source
from camgate.serve.rtsp.description import describe_tracks, tracks_of
from camgate.wire.codec.audio_codecs import audio_of_track_untrusted
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.sdp.media import decode_parameter_sets_untrusted, payload_formats_untrusted
from camgate.wire.sdp.session import parse_sdp_untrusted
from tests.fakes.camera import PPS, SPS


def video_format(fps: float | None) -> VideoFormat:
    return VideoFormat(sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=fps)


def describe(name: str, video: VideoFormat) -> str:
    source = Source(name)
    source.set_format(video)
    return str(describe_tracks(name, tracks_of(source)))


async def test_the_video_track_is_read_back() -> None:
    description = parse_sdp_untrusted(describe("front-door", video_format(25.0)))
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


async def test_a_frame_rate_that_is_not_known_is_not_claimed() -> None:
    assert "framerate" not in describe("garden", video_format(None))


async def test_h265_is_described_with_its_three_parameter_sets() -> None:
    sets = {"vps": b"\x40\x01v", "sps": b"\x42\x01s", "pps": b"\x44\x01p"}
    video = VideoFormat(codec="H265", **sets, profile_id=1, level_id=93, width=640, height=360, fps=25.0)
    (media,) = parse_sdp_untrusted(describe("yard", video)).media
    (payload,) = payload_formats_untrusted(media)
    assert (payload.codec, payload.clock_rate) == ("H265", 90_000)
    assert (payload.parameters["profile-id"], payload.parameters["level-id"]) == ("1", "93")
    for name, nal in sets.items():
        assert decode_parameter_sets_untrusted(payload.parameters[f"sprop-{name}"]) == (nal,)


@pytest.mark.parametrize(
    ("audio", "payload_type"),
    [
        (AudioFormat(codec="PCMU", clock_hz=8000), 0),
        (AudioFormat(codec="PCMA", clock_hz=8000), 8),
        (AudioFormat(codec="PCMA", clock_hz=16_000), 97),
        (AudioFormat(codec="G722", clock_hz=8000), 9),
        (AudioFormat(codec="OPUS", clock_hz=48_000, channels=2), 97),
        (AudioFormat(codec="L16", clock_hz=44_100, channels=2), 97),
        (AudioFormat(codec="G726-32", clock_hz=8000), 97),
    ],
    ids=lambda value: value.codec if isinstance(value, AudioFormat) else str(value),
)
async def test_sound_is_a_second_track(audio: AudioFormat, payload_type: int) -> None:
    source = Source("front")
    source.set_format(video_format(None))
    source.begin_session()
    source.begin_audio(audio)
    video, sound = parse_sdp_untrusted(str(describe_tracks("front", tracks_of(source)))).media
    assert (video.kind, sound.kind) == ("video", "audio")
    (payload,) = payload_formats_untrusted(sound)
    assert payload.payload_type == payload_type
    assert (payload.codec, payload.clock_rate, payload.channels) == (audio.codec, audio.clock_hz, audio.channels)
    assert sound.attributes.value("control") == "track1"


@pytest.mark.parametrize("codec", ["MPEG4-GENERIC", "MP4A-LATM"])
async def test_aac_is_described_so_that_it_is_read_back(codec: str) -> None:
    source = Source("front")
    source.set_format(video_format(None))
    source.begin_session()
    source.begin_audio(AudioFormat(codec=codec, clock_hz=16_000, channels=1, config=bytes.fromhex("1408")))
    _, track = tracks_of(source)
    (payload,) = payload_formats_untrusted(track.media)
    read, _ = audio_of_track_untrusted(payload.codec, payload.clock_rate, payload.channels, payload.parameters)
    assert read == AudioFormat(codec="MPEG4-GENERIC", clock_hz=16_000, channels=1, config=bytes.fromhex("1408"))
    assert track.is_marked
    assert track.packetize(Frame((b"unit",), 0, 0.0, True)) == [b"\x00\x10\x00\x20unit"]
