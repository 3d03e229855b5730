"""The clip that built-in cameras loop."""

import pytest

from camgate.bench.clip import Clip, ClipSettings, encode_clip
from camgate.bench.crowd import can_be_decoded
from camgate.wire.codec.frame import Frame

SMALL = ClipSettings(width=320, height=180, fps=10, bitrate_bps=300_000, gop_s=1.5)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(SMALL)


def test_the_loop_is_whole_groups_of_pictures(clip: Clip) -> None:
    keys = [place for place, picture in enumerate(clip.pictures) if picture.is_key]
    assert keys == [0, 15, 30]
    assert len(clip.pictures) == 45


def test_the_bit_rate_is_the_one_asked_for(clip: Clip) -> None:
    assert clip.bitrate_bps == pytest.approx(SMALL.bitrate_bps, rel=0.15)


def test_each_picture_is_one_slice_and_key_frames_bring_their_parameter_sets(clip: Clip) -> None:
    for picture in clip.pictures:
        types = [nal[0] & 31 for nal in picture.nals]
        assert types == ([7, 8, 5] if picture.is_key else [1])


def test_the_format_is_known_before_the_first_picture(clip: Clip) -> None:
    assert (clip.format.width, clip.format.height, clip.format.profile_level_id[:4]) == (320, 180, "42c0")


def test_a_whole_key_frame_can_be_decoded_and_nothing_else(clip: Clip) -> None:
    key, other = clip.pictures[:2]
    assert can_be_decoded(Frame(key.nals, 0, 0.0, True))
    assert not can_be_decoded(Frame(other.nals, 0, 0.0, False))
    cut = (*key.nals[:2], key.nals[2][:200])
    assert not can_be_decoded(Frame(cut, 0, 0.0, True))
