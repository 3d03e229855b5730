import pytest

from camgate.wire.codec.format import AudioFormat, VideoFormat, h264_profile_name


@pytest.mark.parametrize(
    ("profile_level_id", "name"),
    [
        ("42e01f", "Constrained Baseline"),
        ("42001f", "Baseline"),
        ("4d0028", "Main"),
        ("640032", "High"),
        ("7a0032", "High 4:2:2"),
        ("f40032", "profile 244"),
        ("", "unknown profile"),
    ],
)
def test_h264_profiles_have_their_names(profile_level_id: str, name: str) -> None:
    assert h264_profile_name(profile_level_id) == name


def test_a_format_says_what_it_is() -> None:
    common = {"sps": b"", "pps": b"", "width": None, "height": None, "fps": None}
    high = VideoFormat(profile_level_id="640028", **common)
    assert (high.label, high.level) == ("H.264 High", 4.0)
    main10 = VideoFormat(codec="H265", profile_id=2, level_id=123, **common)
    assert (main10.label, main10.level) == ("H.265 Main 10", 4.1)
    vp8 = VideoFormat(codec="VP8", **common)
    assert (vp8.label, vp8.profile, vp8.level) == ("VP8", "", 0)
    unknown = VideoFormat(codec="H265", profile_id=9, **common)
    assert unknown.profile == "profile 9"
    assert [video.is_for_browsers for video in (high, main10, unknown)] == [True, True, False]
    assert not VideoFormat(profile_level_id="6e0028", **common).is_for_browsers


@pytest.mark.parametrize(
    ("codec", "clock_hz", "channels", "is_for_browsers"),
    [
        ("OPUS", 48000, 2, True),
        ("PCMU", 8000, 1, True),
        ("PCMA", 8000, 1, True),
        ("G722", 8000, 1, True),
        ("PCMU", 16000, 1, False),
        ("PCMA", 8000, 2, False),
        ("MPEG4-GENERIC", 16000, 1, False),
    ],
)
def test_what_browsers_play_as_it_is(codec: str, clock_hz: int, channels: int, is_for_browsers: bool) -> None:
    assert AudioFormat(codec=codec, clock_hz=clock_hz, channels=channels).is_for_browsers is is_for_browsers
