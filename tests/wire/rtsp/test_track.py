import base64
import time

import pytest

from camgate.wire.rtsp.errors import NoUsableTrack
from camgate.wire.rtsp.track import (
    NO_PAYLOAD_TYPE,
    Track,
    aggregate_url_untrusted,
    first_video_track,
    read_tracks_untrusted,
)
from camgate.wire.rtsp.url import split_url_untrusted
from camgate.wire.sdp.session import parse_sdp_untrusted
from tests.fakes import h265

OWN = split_url_untrusted("rtsp://192.0.2.1/live")
BASE = "rtsp://192.0.2.1/base/"
VPS, SPS, PPS = (base64.b64encode(nal).decode() for nal in h265.SETS)


def tracks(sdp: str) -> tuple[Track, ...]:
    return read_tracks_untrusted(parse_sdp_untrusted(sdp), BASE, OWN)


def controls(sdp: str) -> list[str]:
    return [track.control.removeprefix("rtsp://192.0.2.1") for track in tracks(sdp)]


VIDEO = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


@pytest.mark.parametrize(
    ("sdp", "control"),
    [
        (VIDEO, "/base/"),
        (VIDEO + "a=control:trackID=1", "/base/trackID=1"),
        (VIDEO + "a=control:*", "/base/"),
        (VIDEO + "a=control:rtsp://10.0.0.9:8554/x/trackID=1", "/x/trackID=1"),
        ("a=control:*\n" + VIDEO + "a=control:trackID=1", "/base/trackID=1"),
        ("a=control:rtsp://10.0.0.9/movie\n" + VIDEO + "a=control:trackID=1", "/movie/trackID=1"),
        ("a=control:rtsp://10.0.0.9/movie\n" + VIDEO, "/movie"),
        ("a=control:session\n" + VIDEO + "a=control:trackID=1", "/base/trackID=1"),
        ("a=control:session\n" + VIDEO, "/base/session"),
        # The session's attributes behind the media (seen with several makes): the media's own comes first.
        (VIDEO + "a=control:trackID=1\na=control:*", "/base/trackID=1"),
    ],
)
def test_control_urls_of_tracks(sdp: str, control: str) -> None:
    assert controls(sdp) == [control]


@pytest.mark.parametrize(
    ("sdp", "url"),
    [
        (VIDEO, BASE),
        ("a=control:*\n" + VIDEO, BASE),
        ("a=control:rtsp://10.0.0.9/movie?x=1\n" + VIDEO, "rtsp://192.0.2.1/movie?x=1"),
        ("a=control:session\n" + VIDEO, "rtsp://192.0.2.1/base/session"),
    ],
)
def test_aggregate_url(sdp: str, url: str) -> None:
    assert aggregate_url_untrusted(parse_sdp_untrusted(sdp), BASE, OWN) == url


def test_all_that_is_known_of_a_track() -> None:
    (track,) = tracks(
        "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 opus/48000/1\r\na=fmtp:96 Stereo=1; sprop-stereo\r\na=control:a"
    )
    assert track == Track(
        index=0,
        media="audio",
        codec="OPUS",
        payload_type=96,
        clock_rate=48000,
        control="rtsp://192.0.2.1/base/a",
        fmtp={"stereo": "1", "sprop-stereo": ""},
        audio_channels=2,
    )
    assert track.label == "audio OPUS"


def test_unusable_media_are_listed_all_the_same() -> None:
    sdp = (
        "m=application/TP-LINK 0 RTP/AVP smart/1/90000\na=rtpmap:95 TP-LINK/90000\n"
        "m=metadata\n"
        "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n"
        "m=video 0 RTP/AVP 99 96\na=rtpmap:96 H265/90000\n"
    )
    assert [(track.label, track.payload_type) for track in tracks(sdp)] == [
        ("application/TP-LINK unknown", NO_PAYLOAD_TYPE),
        ("metadata unknown", NO_PAYLOAD_TYPE),
        ("application VND.ONVIF.METADATA", 107),
        ("video H265", 96),
    ]


def test_labels_are_fit_for_a_terminal() -> None:
    (track,) = tracks("m=video\x1b[2J 0 RTP/AVP 96\na=rtpmap:96 " + "x" * 1000 + "/90000\n")
    assert track.label == "video?[2J " + "X" * 80


def test_a_long_description_costs_linear_time() -> None:
    sdp = "m=video 0 RTP/AVP 96\n" * 250 + "m=audio 0 RTP/AVP 97\n" + "a=fmtp:1 x\n" * 22_000
    started = time.process_time()
    assert len(tracks(sdp)) == 251
    assert time.process_time() - started < 1.0


def test_the_first_video_that_can_be_decoded_is_chosen() -> None:
    # UniFi: audio and talkback before video; thermal and visible light cameras: several videos.
    sdp = (
        "m=audio 0 RTP/AVP 96\na=rtpmap:96 MPEG4-GENERIC/16000\n"
        "m=audio 0 RTP/AVP 96\na=rtpmap:96 opus/48000/2\na=sendonly\n"
        "m=video 0 RTP/AVP 97\na=rtpmap:97 H265/90000\n"
        "m=video 0 RTP/AVP 35\na=rtpmap:35 H264/90000\na=sendonly\n"
        "m=video 0 RTP/AVP 35\na=rtpmap:35 H264/90000\n"
        "m=video 0 RTP/AVP 105\na=rtpmap:105 H264/90000\n"
    )
    assert first_video_track(tracks(sdp)).index == 2
    assert first_video_track(tracks(sdp), ["H264"]).index == 4


def test_no_usable_track_lists_what_there_is() -> None:
    with pytest.raises(NoUsableTrack) as caught:
        first_video_track(tracks("m=video 0 RTP/AVP 26\nm=audio 0 RTP/AVP 8\nm=audio 0 RTP/AVP 99\n"))
    assert str(caught.value) == (
        "the camera offers no H264 or H265 video; it offers: video JPEG, audio PCMA, audio unknown"
    )
    with pytest.raises(NoUsableTrack, match="no H264 or H265 video; it offers: nothing"):
        first_video_track([], ["H264", "H265"])


@pytest.mark.parametrize(
    ("session", "marks", "backchannels"),
    [
        ("", ["", "a=sendonly\n"], [False, True]),
        ("", ["a=sendonly\n", "a=sendonly\n"], [False, False]),
        ("o=CV-RTSPHandler 1123412 0 IN IP4 192.0.2.1\n", ["", "a=sendonly\n"], [False, False]),
        ("o=- 1 1 IN IP4 192.0.2.1\n", ["a=recvonly\n", "a=sendonly\n"], [False, True]),
    ],
)
def test_backchannels(session: str, marks: list[str], backchannels: list[bool]) -> None:
    sdp = session + "".join(f"m=audio 0 RTP/AVP 8\n{mark}" for mark in marks)
    assert [track.is_backchannel for track in tracks(sdp)] == backchannels


def test_parameters_in_the_wrong_section_are_found() -> None:
    sdp = VIDEO + "m=audio 0 RTP/AVP 8\na=fmtp:8 x=y\na=fmtp:9 z\na=fmtp:96 packetization-mode=1\n"
    assert [track.fmtp for track in tracks(sdp)] == [{"packetization-mode": "1"}, {"x": "y"}]


def test_parameters_of_another_section_with_the_same_payload_type_are_its_own() -> None:
    # UniFi uses 96 for two tracks.
    sdp = VIDEO + "m=audio 0 RTP/AVP 96\na=rtpmap:96 opus/48000/2\na=fmtp:96 stereo=1\n"
    assert [track.fmtp for track in tracks(sdp)] == [{}, {"stereo": "1"}]


@pytest.mark.parametrize(
    ("sprop", "nals"),
    [
        ("Z00AKeKQDwBE/LgLcBAQGkHiRFQ=,aO48gA==", [7, 8]),
        ("Z00AKeKQDwBE/LgLcBAQGkHiRFQ,aO48gA", [7, 8]),
        ("AAAAAWdNACni,AAABaO48gAAAAAE=", [7, 8]),
        ("TeAo", []),
        ("", []),
        ("ZZZ,aO48gA==,%%%", [8]),
    ],
)
def test_parameter_sets_of_h264(sprop: str, nals: list[int]) -> None:
    (track,) = tracks(VIDEO + f"a=fmtp:96 sprop-parameter-sets={sprop};profile-level-id=5046314")
    assert [nal[0] & 31 for nal in track.parameter_sets] == nals


@pytest.mark.parametrize(
    ("fmtp", "nals"),
    [
        (f"sprop-vps={VPS};sprop-sps={SPS};sprop-pps={PPS}", [32, 33, 34]),
        (f"profile-id=1; sprop-pps={PPS}; sprop-sps={SPS},{SPS}", [33, 33, 34]),
        (f"sprop-vps={PPS};sprop-parameter-sets=aO48gA==", [34]),
        ("sprop-vps;sprop-sps=", []),
    ],
)
def test_parameter_sets_of_h265(fmtp: str, nals: list[int]) -> None:
    (track,) = tracks(VIDEO.replace("H264", "H265") + f"a=fmtp:96 {fmtp}")
    assert [nal[0] >> 1 & 63 for nal in track.parameter_sets] == nals


def test_other_codecs_have_no_parameter_sets() -> None:
    (track,) = tracks(VIDEO.replace("H264", "JPEG") + "a=fmtp:96 sprop-parameter-sets=aO48gA==")
    assert track.parameter_sets == ()
