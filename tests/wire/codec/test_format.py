import pytest

from camgate.wire.codec.format import VideoFormat, h264_profile_name


@pytest.mark.parametrize(
    ("profile_level_id", "name"),
    [
        ("42e01f", "Constrained Baseline"),
        ("42001f", "Baseline"),
        ("4d0028", "Main"),
        ("640032", "High"),
        ("7a0032", "High 4:2:2"),
        ("f40032", "profile 244"),
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
    assert VideoFormat(codec="H265", profile_id=9, **common).profile == "profile 9"
