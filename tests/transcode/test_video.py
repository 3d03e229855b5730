"""Real streams through the work of a transcoding worker: every picture, in order, at its time, for every browser."""

from typing import Any

import av
import pytest

from camgate.transcode.encoding import Wish
from camgate.transcode.messages import Media
from camgate.transcode.video import VideoTranscoder
from camgate.wire.codec.h264_nal import NAL_IDR, NAL_PPS, NAL_SLICE, NAL_SPS, NAL_TYPE_MASK
from tests.fakes import encoded

B_FRAMES = {"preset": "fast", "tune": "film", "bf": "2", "b-adapt": "0"}
START_CODE = b"\0\0\0\1"


def transcode(
    codec: str, target: str, *, max_width: int = 0, max_kbps: int = 4000, unseen: int = 0, **options: Any
) -> tuple[VideoTranscoder, list[Media]]:
    transcoder = VideoTranscoder(codec, Wish(target, max_kbps, "off", 1), max_width)
    made: list[Media] = []
    for number, frame in enumerate(encoded.frames(codec, **options)):
        media = Media(frame.rtp_time, frame.arrival_s, frame.is_key, frame.nals, is_unseen=number < unseen)
        made += transcoder.take(media, is_busy=False)
    return transcoder, made


def decode(target: str, made: list[Media]) -> list[Any]:
    decoder: Any = av.CodecContext.create({"H264": "h264", "VP8": "vp8"}[target], "r")
    decoder.thread_type = "NONE"
    start_code = START_CODE if target == "H264" else b""
    return [
        picture
        for media in made
        for picture in decoder.decode(av.Packet(b"".join(start_code + nal for nal in media.nals)))
    ]


def greys(pictures: list[Any]) -> list[int]:
    return [bytes(picture.planes[0])[picture.planes[0].line_size * 10 + 10] for picture in pictures]


@pytest.mark.parametrize("target", ["H264", "VP8"])
@pytest.mark.parametrize("codec", ["H264", "H265"])
def test_every_picture_comes_through_at_its_time(codec: str, target: str) -> None:
    transcoder, made = transcode(codec, target, pictures=60)
    assert [media.rtp_time for media in made] == [3600 * number for number in range(60)]
    assert [media.arrival_s for media in made] == [number / 25 for number in range(60)]
    assert [number for number, media in enumerate(made) if media.is_key] == [0, 50]
    assert greys(decode(target, made)) == pytest.approx([encoded.grey(number) for number in range(60)], abs=4)
    assert (transcoder.counts.frames, transcoder.counts.encoded, transcoder.counts.broken) == (60, 60, 0)


def test_b_frames_come_out_as_they_are_shown_and_none_are_made() -> None:
    _, made = transcode("H264", "H264", pictures=30, **B_FRAMES)
    count = len(made)
    assert count >= 27
    assert [media.rtp_time for media in made] == [3600 * number for number in range(count)]
    assert greys(decode("H264", made)) == pytest.approx([encoded.grey(number) for number in range(count)], abs=4)


def test_what_is_made_is_constrained_baseline_with_sets_before_each_key_frame() -> None:
    _, made = transcode("H265", "H264", pictures=60)
    for media in made:
        types = [nal[0] & NAL_TYPE_MASK for nal in media.nals]
        expected = [NAL_SPS, NAL_PPS, NAL_IDR] if media.is_key else [NAL_SLICE]
        assert list(dict.fromkeys(types)) == expected
    sps = made[0].nals[0]
    # H.264 A.2.1.1: profile_idc 66 with constraint_set1_flag.
    assert sps[1] == 66
    assert sps[2] & 0x40


def test_pictures_are_made_smaller_and_never_larger() -> None:
    transcoder, made = transcode("H264", "H264", pictures=2, width=320, height=180, max_width=161)
    assert transcoder.size == (160, 90)
    assert {(picture.width, picture.height) for picture in decode("H264", made)} == {(160, 90)}
    assert transcode("H264", "VP8", pictures=2, max_width=1000)[0].size == (64, 48)


def test_unseen_pictures_are_decoded_only_and_the_first_seen_one_is_a_key_frame() -> None:
    transcoder, made = transcode("H265", "H264", pictures=20, unseen=15)
    assert [media.rtp_time // 3600 for media in made] == [15, 16, 17, 18, 19]
    assert [media.is_key for media in made] == [True, False, False, False, False]
    assert (transcoder.counts.decoded, transcoder.counts.encoded, transcoder.counts.skipped) == (20, 5, 0)


def test_while_more_waits_nothing_is_encoded() -> None:
    transcoder = VideoTranscoder("H264", Wish("H264", 4000, "off", 1), 0)
    frames = [Media(f.rtp_time, f.arrival_s, f.is_key, f.nals) for f in encoded.frames("H264", pictures=10)]
    made = [media for number, frame in enumerate(frames) for media in transcoder.take(frame, is_busy=number % 2 == 1)]
    assert [media.rtp_time // 3600 for media in made] == [0, 2, 4, 6, 8]
    assert transcoder.counts.skipped == 5


def test_a_key_frame_comes_when_asked_for() -> None:
    transcoder = VideoTranscoder("H264", Wish("VP8", 4000, "off", 1), 0)
    made: list[Media] = []
    for number, frame in enumerate(encoded.frames("H264", pictures=10)):
        if number == 6:
            transcoder.ask_for_key()
        made += transcoder.take(Media(frame.rtp_time, 0, frame.is_key, frame.nals), is_busy=False)
    assert [number for number, media in enumerate(made) if media.is_key] == [0, 6]


def test_a_frame_that_does_not_decode_costs_itself() -> None:
    transcoder = VideoTranscoder("H264", Wish("H264", 4000, "off", 1), 0)
    made: list[Media] = []
    for number, frame in enumerate(encoded.frames("H264", pictures=10, g="5")):
        nals = (b"\x67" + bytes(range(100)),) if number == 3 else frame.nals
        made += transcoder.take(Media(frame.rtp_time, 0, frame.is_key, nals), is_busy=False)
    assert transcoder.counts.broken == 1
    assert {0, 1, 2, 5, 6, 7, 8, 9} <= {media.rtp_time // 3600 for media in made}


def test_another_size_begins_with_a_key_frame() -> None:
    transcoder = VideoTranscoder("H264", Wish("H264", 4000, "off", 1), 0)
    frames = [*encoded.frames("H264", pictures=5), *encoded.frames("H264", pictures=5, width=128, height=96)]
    made = [
        media
        for number, frame in enumerate(frames)
        for media in transcoder.take(Media(number * 3600, 0, frame.is_key, frame.nals), is_busy=False)
    ]
    assert [number for number, media in enumerate(made) if media.is_key] == [0, 5]
    assert {(picture.width, picture.height) for picture in decode("H264", made)} == {(64, 48), (128, 96)}
    assert transcoder.size == (128, 96)


def test_the_bit_rate_is_bounded() -> None:
    """Noise would take 6 Mbit/s."""
    free = sum(len(nal) for media in transcode("H264", "H264", pictures=50, noise=True)[1] for nal in media.nals)
    bounded = transcode("H264", "H264", pictures=50, noise=True, max_kbps=100)[1]
    octets = sum(len(nal) for media in bounded for nal in media.nals)
    assert octets * 8 / 2 < 1.3 * 100_000 < free * 8 / 2
