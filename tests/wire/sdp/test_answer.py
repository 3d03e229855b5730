"""Answers: the right codec, the right place for each section, and what aiortc makes of them."""

from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription

from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.sdp.answer import (
    PLAYOUT_DELAY_URI,
    LocalTransport,
    SentTrack,
    build_answer,
    choose_audio,
    choose_h264,
    choose_h265,
    host_candidates,
    wanted_audio,
    wanted_video,
)
from camgate.wire.sdp.offer import Direction, Offer, OfferedCodec, OfferedMedia, parse_offer_untrusted

OFFERS = Path(__file__).parents[2] / "fixtures" / "offers"
TRANSPORT = LocalTransport(
    "ufrag123", "p" * 32, ":".join(["AB"] * 32), host_candidates(["192.0.2.1", "2001:db8::1"], 8108)
)


def _offer(name: str) -> tuple[Offer, OfferedMedia]:
    offer = parse_offer_untrusted((OFFERS / f"{name}.sdp").read_text())
    video = wanted_video(offer)
    assert video is not None
    return offer, video


WITH_H264 = [path.stem for path in sorted(OFFERS.glob("*.sdp")) if "without" not in path.stem]


@pytest.mark.parametrize("name", WITH_H264)
@pytest.mark.parametrize("profile_level_id", ["42c01f", "4d0028", "640032"])
def test_every_browser_gets_h264_in_packetization_mode_1(name: str, profile_level_id: str) -> None:
    offer, video = _offer(name)
    codec = choose_h264(video, profile_level_id)
    assert codec is not None
    assert codec.parameters["packetization-mode"] == "1"
    same = [c for c in video.codecs if c.name == "H264" and c.parameters.get("packetization-mode") == "1"]
    if any(c.parameters["profile-level-id"][:2] == profile_level_id[:2] for c in same):
        assert codec.parameters["profile-level-id"][:2] == profile_level_id[:2]
    else:
        assert codec.parameters["profile-level-id"].startswith("42")
    track = SentTrack(codec, 1234, "front", {PLAYOUT_DELAY_URI: 5})
    answer = SessionDescription.parse(build_answer(offer, 1, TRANSPORT, {video.mid: track}))
    assert [media.rtp.muxId for media in answer.media] == [media.mid for media in offer.media]
    for media, offered in zip(answer.media, offer.media, strict=True):
        if offered.mid != video.mid:
            assert media.port == 0
            continue
        assert media.direction == "sendonly"
        assert [c.payloadType for c in media.rtp.codecs] == [codec.payload_type]
        assert media.dtls is not None
        assert media.dtls.role == "server"
        assert [c.ip for c in media.ice_candidates] == ["192.0.2.1", "2001:db8::1"]
        assert media.ice_candidates[0].priority > media.ice_candidates[1].priority
        assert media.ice_candidates_complete
        assert [(e.id, e.uri) for e in media.rtp.headerExtensions] == [(5, PLAYOUT_DELAY_URI)]
    assert answer.group[0].items == [video.mid]


def test_a_browser_without_h264_gets_none() -> None:
    _, video = _offer("firefox-153-linux-without-h264")
    assert choose_h264(video, "42e01f") is None


def _media(*codecs: OfferedCodec) -> OfferedMedia:
    return OfferedMedia(0, "video", "UDP/TLS/RTP/SAVPF", ("96",), "0", False, Direction.RECVONLY, True, codecs, {})


def _h264(payload_type: int, profile: str | None, mode: str | None = "1") -> OfferedCodec:
    parameters = {} if profile is None else {"profile-level-id": profile}
    if mode is not None:
        parameters["packetization-mode"] = mode
    return OfferedCodec(payload_type, "H264", 90_000, parameters)


def test_the_profile_is_compared_not_the_level() -> None:
    media = _media(_h264(96, "42e01f"), _h264(97, "640c1f"))
    chosen = choose_h264(media, "640032")
    assert chosen is not None
    assert chosen.payload_type == 97


def test_baseline_is_not_constrained_baseline() -> None:
    media = _media(_h264(96, "42001f"), _h264(97, "42e01f"))
    chosen = choose_h264(media, "42c01e")
    assert chosen is not None
    assert chosen.payload_type == 97


@pytest.mark.parametrize("mode", [None, "0"])
def test_packetization_mode_0_cannot_carry_fragments(mode: str | None) -> None:
    assert choose_h264(_media(_h264(96, "42e01f", mode)), "42e01f") is None


def test_a_nonsense_profile_is_the_last_choice() -> None:
    chosen = choose_h264(_media(_h264(96, "TeAo")), "42e01f")
    assert chosen is not None
    assert chosen.payload_type == 96


def _h265(payload_type: int, **parameters: str) -> OfferedCodec:
    named = {name.replace("_", "-"): value for name, value in parameters.items()}
    return OfferedCodec(payload_type, "H265", 90_000, named)


def _main(level_id: int = 93, *, profile_id: int = 1, tier_flag: int = 0) -> VideoFormat:
    return VideoFormat(
        codec="H265",
        sps=b"",
        pps=b"",
        profile_id=profile_id,
        tier_flag=tier_flag,
        level_id=level_id,
        width=None,
        height=None,
        fps=None,
    )


@pytest.mark.parametrize(
    ("name", "profile_id", "payload_type"),
    [
        ("chrome-144-macos", 1, 49),
        ("chrome-144-macos", 2, 51),
        ("chrome-144-macos", 3, None),
        ("safari-18-macos", 1, 104),
        ("safari-18-macos", 2, None),
        ("chromium-156-linux", 1, None),
        ("firefox-153-linux", 1, None),
    ],
)
def test_h265_is_matched_by_profile(name: str, profile_id: int, payload_type: int | None) -> None:
    offer, video = _offer(name)
    chosen = choose_h265(video, _main(120, profile_id=profile_id))
    assert (chosen and chosen.payload_type) == payload_type
    if chosen is not None:
        track = SentTrack(chosen, 1234, "front")
        answer = build_answer(offer, 1, TRANSPORT, {video.mid: track})
        assert f"a=rtpmap:{payload_type} H265/90000" in answer
        assert ("a=fmtp" in answer) == bool(chosen.parameters)


def test_the_level_of_h265_must_be_within_the_offered_one_unless_it_is_not_heeded() -> None:
    media = _media(_h265(96, level_id="93"), _h265(97, level_id="120"))
    assert [
        codec and codec.payload_type for codec in (choose_h265(media, _main(93)), choose_h265(media, _main(120)))
    ] == [
        96,
        97,
    ]
    assert choose_h265(media, _main(123)) is None
    chosen = choose_h265(media, _main(123), heed_level=False)
    assert chosen is not None
    assert chosen.payload_type == 96


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        ({}, True),
        ({"profile_id": "1", "tier_flag": "0", "tx_mode": "srst"}, True),
        ({"tier_flag": "1"}, False),
        ({"tx_mode": "MRST"}, False),
        ({"profile_id": "x" * 9}, True),
        ({"level_id": "\u0661"}, True),
        ({"level_id": "9" * 5000}, True),
    ],
)
def test_h265_without_parameters_stands_for_their_defaults(parameters: dict[str, str], fits: bool) -> None:
    media = _media(_h264(95, "42e01f"), _h265(96, **parameters))
    assert (choose_h265(media, _main(120)) is not None) == fits


def test_the_high_tier_needs_to_be_offered() -> None:
    assert choose_h265(_media(_h265(96)), _main(tier_flag=1)) is None
    assert choose_h265(_media(_h265(96, tier_flag="1")), _main(tier_flag=1)) is not None


@pytest.mark.parametrize("profile_level_id", ["6e0028", "7a0028", "f40028"])
def test_a_profile_that_browsers_show_black_of_must_be_offered(profile_level_id: str) -> None:
    assert choose_h264(_media(_h264(96, "42e01f"), _h264(97, "640c1f")), profile_level_id) is None
    chosen = choose_h264(_media(_h264(96, "42e01f"), _h264(97, profile_level_id[:4] + "1f")), profile_level_id)
    assert chosen is not None
    assert chosen.payload_type == 97


def test_an_offer_that_only_sends_has_no_wanted_video() -> None:
    text = (OFFERS / "firefox-153-linux.sdp").read_text().replace("a=recvonly", "a=sendonly")
    assert wanted_video(parse_offer_untrusted(text)) is None


def test_sps_pps_idr_in_keyframe_is_not_promised() -> None:
    offer, video = _offer("firefox-153-linux")
    codec = OfferedCodec(96, "H264", 90_000, {"packetization-mode": "1", "sps-pps-idr-in-keyframe": "1"})
    text = build_answer(offer, 1, TRANSPORT, {video.mid: SentTrack(codec, 1, "front")})
    assert "a=fmtp:96 packetization-mode=1\r\n" in text


AUDIO = {
    "OPUS": AudioFormat(codec="OPUS", clock_hz=48_000, channels=2),
    "PCMU": AudioFormat(codec="PCMU", clock_hz=8_000),
    "PCMA": AudioFormat(codec="PCMA", clock_hz=8_000),
    "G722": AudioFormat(codec="G722", clock_hz=8_000),
}


@pytest.mark.parametrize("name", WITH_H264)
@pytest.mark.parametrize("sound", AUDIO.values(), ids=AUDIO)
def test_every_browser_takes_sound_as_cameras_send_it(name: str, sound: AudioFormat) -> None:
    offer, video = _offer(name)
    audio = wanted_audio(offer, video)
    assert audio is not None
    codec = choose_audio(audio, sound)
    assert codec is not None
    picture = choose_h264(video, "42e01f")
    assert picture is not None
    tracks = {video.mid: SentTrack(picture, 1, "front"), audio.mid: SentTrack(codec, 2, "front")}
    text = build_answer(offer, 1, TRANSPORT, tracks)
    answer = SessionDescription.parse(text)
    assert answer.group[0].items == [video.mid, audio.mid]
    heard = next(media for media in answer.media if media.kind == "audio")
    assert (heard.port, heard.direction) == (9, "sendonly")
    [taken] = heard.rtp.codecs
    assert (taken.name.upper(), taken.clockRate, taken.channels) == (sound.codec, sound.clock_hz, sound.channels)
    assert not taken.rtcpFeedback, "nothing can be asked for again of sound"
    # One stream, so that the browser plays both in time; candidates once.
    assert {line.split(" ")[0] for line in text.splitlines() if line.startswith("a=msid:")} == {"a=msid:front"}
    assert {media.ssrc[0].cname for media in answer.media} == {"front"}
    assert text.count("a=end-of-candidates") == 1


@pytest.mark.parametrize(
    "sound",
    [
        AudioFormat(codec="PCMU", clock_hz=16_000),
        AudioFormat(codec="PCMA", clock_hz=8_000, channels=2),
        AudioFormat(codec="OPUS", clock_hz=48_000),
        AudioFormat(codec="MPEG4-GENERIC", clock_hz=16_000),
    ],
)
def test_sound_that_is_not_what_its_name_says_is_not_passed_on(sound: AudioFormat) -> None:
    offer, video = _offer("chromium-156-linux")
    audio = wanted_audio(offer, video)
    assert audio is not None
    assert choose_audio(audio, sound) is None


def test_sound_that_is_not_wanted_or_not_bundled_is_rejected() -> None:
    text = (OFFERS / "firefox-153-linux.sdp").read_text()
    head, _, tail = text.partition("m=audio")
    for other in (
        head + "m=audio" + tail.replace("a=recvonly", "a=sendonly"),
        head + "m=audio" + tail.replace("a=recvonly", "a=inactive"),
        text.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
        head,
    ):
        offer = parse_offer_untrusted(other)
        video = wanted_video(offer)
        assert video is not None
        assert wanted_audio(offer, video) is None
