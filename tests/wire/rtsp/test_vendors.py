"""The client against what cameras of many makes answer, whole and byte by byte."""

import hashlib

import pytest

from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.track import Track
from tests.fakes.camera_script import FIXTURES, ScriptedCamera, converse, play_script

pytestmark = pytest.mark.parametrize("byte_by_byte", [False, True], ids=["whole", "bytes"])

CREDENTIALS = {"username": "admin", "password": "s3cret"}


def make_client(url: str) -> RtspClient:
    return RtspClient(url, **CREDENTIALS, make_cnonce=lambda: "c0ffee")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def play(name: str, url: str, byte_by_byte: bool) -> tuple[RtspClient, ScriptedCamera, Track]:
    """Play a vendor's script; return the client, the camera and the one track that was set up."""
    client = make_client(url)
    camera = ScriptedCamera.from_file(name)
    _, playing = play_script(client, camera, byte_by_byte=byte_by_byte)
    (track,) = playing.tracks
    assert client.statistics().state == "PLAYING"
    assert all("@" not in request.url for request in camera.requests)
    return client, camera, track


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.txt")))
def test_every_vendor_plays(name: str, byte_by_byte: bool) -> None:
    _, camera, track = play(name, "rtsp://192.0.2.1/live", byte_by_byte)
    assert track.codec == "H264"
    assert track.media == "video"
    # RFC 2326 §10: whatever host the camera names, we talk to the one that we dialled.
    assert {request.url.split("/")[2] for request in camera.requests} == {"192.0.2.1"}


def test_hikvision_plays_the_session_control_and_prefers_digest(byte_by_byte: bool) -> None:
    client, camera, track = play("hikvision", "rtsp://192.168.5.106:554/Streaming/Channels/101", byte_by_byte)
    base = "rtsp://192.168.5.106:554/Streaming/Channels/101"
    assert camera.urls("SETUP") == [f"{base}/trackID=1?transportmode=unicast&profile=Profile_1"]
    assert camera.urls("PLAY") == [f"{base}?transportmode=unicast&profile=Profile_1"]
    assert camera.requests[-1].headers["Session"] == "708345999"
    assert [nal[0] & 31 for nal in track.parameter_sets] == [7, 8]

    digest = camera.requests[2].digest()
    ha1, ha2 = md5("admin:IP Camera(10789):s3cret"), md5(f"DESCRIBE:{base}")
    assert digest["response"] == md5(f"{ha1}:6b9a455aec675b8db81a9ceb802e4eb8:{ha2}")
    assert digest["uri"] == base
    assert not {"qop", "nc", "cnonce", "algorithm", "opaque"} & digest.keys()
    client.teardown(0.0)
    assert b"Authorization: Digest" in client.data_to_send()


def test_dahua_joins_behind_the_query_and_counts_nonces(byte_by_byte: bool) -> None:
    _, camera, _ = play("dahua", "rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=1", byte_by_byte)
    base = "rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif/"
    assert camera.urls("SETUP") == [base + "trackID=0"]
    assert camera.urls("PLAY") == [base]
    assert [request.digest()["nc"] for request in camera.requests[2:]] == ["00000001", "00000002", "00000003"]
    assert {request.digest()["opaque"] for request in camera.requests[2:]} == {""}


def test_dahua_marks_talkback_as_backchannel(byte_by_byte: bool) -> None:
    client = make_client("rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=1")
    described, _ = play_script(client, ScriptedCamera.from_file("dahua"), byte_by_byte=byte_by_byte)
    assert [(track.label, track.is_backchannel) for track in described.tracks] == [
        ("video H264", False),
        ("audio MPEG4-GENERIC", False),
        ("audio PCMA", True),
    ]


def test_reolink_sends_rtcp_before_it_answers_play(byte_by_byte: bool) -> None:
    client, _, _ = play("reolink", "rtsp://192.168.5.206/h264Preview_01_main", byte_by_byte)
    assert client.take_packets() == [(1, b"\x80\xc9\x00\x01\x01\x02\x03\x04")]


def test_prama_gets_sha256_and_its_algorithm_back(byte_by_byte: bool) -> None:
    _, camera, track = play("prama", "rtsp://192.0.2.1/live", byte_by_byte)
    digest = camera.requests[2].digest()
    assert digest["algorithm"] == "SHA-256"
    assert len(digest["response"]) == 64
    assert (track.rtp_channel, track.rtcp_channel) == (4, 5)


def test_tapo_gets_options_once_it_refused_get_parameter(byte_by_byte: bool) -> None:
    client, camera, _ = play("tapo", "rtsp://192.168.0.55:554/stream1", byte_by_byte)
    assert client.next_deadline() == 7.5
    for now in (7.5, 15.0):
        client.handle_deadline(now)
        converse(client, camera, now, byte_by_byte=byte_by_byte)
    assert [(request.method, request.url) for request in camera.requests[-2:]] == [
        ("GET_PARAMETER", "rtsp://192.168.0.55:554/stream1/"),
        ("OPTIONS", "rtsp://192.168.0.55:554/stream1/"),
    ]
    # Its 400 comes with the CSeq of an earlier answer.
    assert client.statistics().unmatched_responses == 1
    assert client.statistics().keepalives_answered == 1


def test_axis_rotates_its_nonce_in_a_keepalive(byte_by_byte: bool) -> None:
    client, camera, _ = play("axis", "rtsp://192.168.1.90/axis-media/media.amp", byte_by_byte)
    client.handle_deadline(25.0)
    converse(client, camera, 25.0, byte_by_byte=byte_by_byte)
    nonces = [request.digest()["nonce"][-6:] for request in camera.requests if request.method == "GET_PARAMETER"]
    assert nonces == ["6first", "second"]
    assert client.statistics().reauthentications == 1
    assert client.statistics().keepalives_answered == 1


def test_anjvision_lacks_a_scheme_in_content_base(byte_by_byte: bool) -> None:
    _, camera, _ = play("anjvision", "rtsp://192.168.1.10:554/stream0", byte_by_byte)
    assert camera.urls("SETUP") == ["rtsp://192.168.1.10:554/stream0/trackID=0"]
    assert all("Authorization" not in request.headers for request in camera.requests)


def test_hanwha_echoes_credentials_that_never_go_out_again(byte_by_byte: bool) -> None:
    _, camera, _ = play("hanwha", "rtsp://192.168.1.100:554/profile2/media.smp", byte_by_byte)
    assert camera.urls("SETUP") == ["rtsp://192.168.1.100:554/profile2/media.smp/trackID=v"]
    assert not [request for request in camera.requests if "s3cret" in str(request)]


def test_escam_names_one_odd_channel_and_no_tcp(byte_by_byte: bool) -> None:
    _, _, track = play("escam", "rtsp://192.168.1.4/0/av0", byte_by_byte)
    assert (track.rtp_channel, track.rtcp_channel) == (7, 8)


def test_vstarcam_has_credentials_in_the_path(byte_by_byte: bool) -> None:
    url = "rtsp://192.0.2.7/user=admin_password=s3cret_channel=1_stream=0.sdp"
    client, camera, track = play("vstarcam", url, byte_by_byte)
    assert camera.urls("SETUP") == [f"{url}/track0"]
    assert track.fmtp == {}
    # A timeout of 0 s means nothing; half of the default of 60 s is more than the longest interval.
    assert client.next_deadline() == 25.0
