from pathlib import Path

import pytest

from camgate.wire.onvif.media import (
    MediaVersion,
    Profile,
    get_profiles,
    get_stream_uri,
    read_profiles_untrusted,
    read_stream_uri_untrusted,
    set_synchronization_point,
)
from camgate.wire.onvif.soap import Request, envelope, parse_reply_untrusted
from camgate.wire.onvif.xml import Element, text_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "onvif"


def reply(name: str) -> Element:
    return parse_reply_untrusted((FIXTURES / f"{name}.xml").read_bytes())


def test_profiles_of_media() -> None:
    main, sub, audio = read_profiles_untrusted(reply("media-profiles-dahua"))
    assert main == Profile(
        token="MediaProfile00000",
        name="MediaProfile_Channel1_MainStream",
        source="VideoSource00000",
        codec="H264",
        width=2560,
        height=1440,
        fps=25.0,
        bitrate_kbps=6144,
    )
    assert (sub.fps, sub.pixels) == (12.5, 704 * 576)
    assert audio == Profile(token="audio", name="Audio <only>")
    assert not audio.is_video


def test_profiles_of_media2() -> None:
    main, sub, snapshots = read_profiles_untrusted(reply("media2-profiles-hikvision"))
    assert (main.codec, main.width, main.height, main.fps, main.bitrate_kbps) == ("H265", 3840, 2160, 25.0, 8192)
    assert main.source == sub.source == "VideoSource_1"
    assert (sub.codec, sub.fps, sub.bitrate_kbps) == ("H264", None, None)
    assert (snapshots.codec, snapshots.pixels, snapshots.is_video) == ("JPEG", 0, False)


def test_stream_uris() -> None:
    assert read_stream_uri_untrusted(reply("uri-media")).endswith("?channel=1&subtype=0&unicast=true&proto=Onvif")
    assert read_stream_uri_untrusted(reply("uri-media2")).endswith("/101?transportmode=unicast&profile=Profile_1")
    assert read_stream_uri_untrusted(reply("time")) == ""


@pytest.mark.parametrize("version", MediaVersion)
def test_requests_hold_any_token(version: MediaVersion) -> None:
    token = "a<b>&\"'"
    for request in (get_stream_uri(version, token), set_synchronization_point(version, token)):
        body = parse_reply_untrusted(envelope(request))
        assert body.tag == request.name
        assert text_of(body, "ProfileToken") == token


def test_what_each_service_wants() -> None:
    def body(request: Request) -> Element:
        return parse_reply_untrusted(envelope(request))

    assert text_of(body(get_profiles(MediaVersion.MEDIA2)), "Type") == "All"
    assert len(body(get_profiles(MediaVersion.MEDIA))) == 0
    assert text_of(body(get_stream_uri(MediaVersion.MEDIA2, "t")), "Protocol") == "RTSP"
    setup = body(get_stream_uri(MediaVersion.MEDIA, "t"))
    assert text_of(setup, "StreamSetup", "Stream") == "RTP-Unicast"
    assert text_of(setup, "StreamSetup", "Transport", "Protocol") == "RTSP"
