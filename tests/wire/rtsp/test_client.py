"""The client's rules, with a camera that is a few lines of script."""

import pytest

from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.errors import (
    AuthenticationFailed,
    AuthenticationProblem,
    MalformedMessage,
    MalformedUrl,
    RedirectRefused,
    ResponseTimeout,
    RtspRemoteError,
    SessionLost,
    UnexpectedStatus,
    UnsupportedTransport,
    WrongState,
)
from camgate.wire.rtsp.events import Described, Playing, Redirected, ServerClosed, UdpSetUp
from camgate.wire.rtsp.interleaved import interleave
from camgate.wire.rtsp.policies import ClientPolicies, KeepaliveMethod
from tests.fakes.camera_script import ScriptedCamera, converse, play_script

URL = "rtsp://192.0.2.1/live"
RTP = b"\x80\x60" + bytes(20)

OPTIONS = """\
> OPTIONS
RTSP/1.0 200 OK
CSeq: {cseq}
Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN

"""
DESCRIBE = """\
> DESCRIBE
RTSP/1.0 200 OK
CSeq: {cseq}
Content-Length: {length}
Server: test

v=0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=control:trackID=0
m=audio 0 RTP/AVP 8
a=control:trackID=1
"""
SETUP = """\
> SETUP
RTSP/1.0 200 OK
CSeq: {cseq}
Session: 42;timeout=60
Transport: RTP/AVP/TCP;unicast;interleaved=0-1

"""
PLAY = """\
> PLAY
RTSP/1.0 200 OK
CSeq: {cseq}
Session: 42

"""


def answer(method: str, status: str, *headers: str) -> str:
    return "\n".join([f"> {method}", f"RTSP/1.0 {status}", "CSeq: {cseq}", *headers, "", ""])


def digest(nonce: str, *more: str) -> str:
    return ", ".join([f'WWW-Authenticate: Digest realm="r", nonce="{nonce}"', *more])


def make_client(url: str = URL, policies: ClientPolicies | None = None, **credentials: str) -> RtspClient:
    return RtspClient(url, **credentials, policies=policies, make_cnonce=lambda: "c0ffee")


def start(script: str, url: str = URL, **credentials: str) -> tuple[RtspClient, ScriptedCamera]:
    """Start a client against a script and let both talk until one has nothing more to say."""
    client, camera = make_client(url, **credentials), ScriptedCamera(script)
    client.start(0.0)
    converse(client, camera)
    return client, camera


def playing(more: str = "", *, policies: ClientPolicies | None = None) -> tuple[RtspClient, ScriptedCamera]:
    """Return a client that plays since second 0; `more` is what the camera answers later."""
    client, camera = make_client(policies=policies), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + PLAY + more)
    play_script(client, camera)
    return client, camera


# The way to PLAYING.


def test_the_requests_in_order() -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + PLAY)
    described, started = play_script(client, camera)
    assert [(request.method, request.url) for request in camera.requests] == [
        ("OPTIONS", URL),
        ("DESCRIBE", URL),
        ("SETUP", f"{URL}/trackID=0"),
        ("PLAY", URL),
    ]
    assert [request.headers["CSeq"] for request in camera.requests] == ["1", "2", "3", "4"]
    assert {request.headers["User-Agent"] for request in camera.requests} == {"camgate"}
    assert camera.requests[1].headers["Accept"] == "application/sdp"
    assert camera.requests[2].headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1"
    assert camera.requests[3].headers["Range"] == "npt=0.000-"
    assert camera.requests[3].headers["Session"] == "42"
    assert "Session" not in camera.requests[2].headers
    assert [track.label for track in described.tracks] == ["video H264", "audio PCMA"]
    assert (described.base_url, described.server) == (URL, "test")
    assert described.sdp.startswith("v=0\r\n")
    assert started.session_timeout_s == 60.0
    assert (started.tracks[0].rtp_channel, started.tracks[0].rtcp_channel) == (0, 1)


def test_credentials_of_the_url_stay_out_of_it() -> None:
    client, camera = start(
        answer("OPTIONS", "401 Unauthorized", digest("n")) + OPTIONS + DESCRIBE + SETUP + PLAY,
        "rtsp://admin:p@ss/w:rd@192.0.2.1/live",
    )
    assert client.statistics().state == "PLAYING"
    assert camera.requests[1].url == camera.requests[1].digest()["uri"] == URL
    assert "Authorization" not in camera.requests[0].headers
    assert all(request.digest()["username"] == "admin" for request in camera.requests[1:])


def test_given_credentials_override_those_of_the_url() -> None:
    script = answer("OPTIONS", "401 Unauthorized", digest("n")) + OPTIONS + DESCRIBE + SETUP + PLAY
    _, camera = start(script, "rtsp://admin:old@192.0.2.1/live", username="viewer", password="new")
    assert camera.requests[1].digest()["username"] == "viewer"


def test_two_tracks_get_channels_of_their_own() -> None:
    second = SETUP.replace("interleaved=0-1", "interleaved=8-9").replace("Session: 42", "Session: 43")
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + second + PLAY)
    client.start(0.0)
    for _ in range(2):
        client.receive_data(camera.answer(client.data_to_send()), 0.0)
    (described,) = client.events()
    assert isinstance(described, Described)
    client.play(described.tracks, 0.0)
    (started,) = converse(client, camera)
    assert isinstance(started, Playing)
    assert [(track.rtp_channel, track.rtcp_channel) for track in started.tracks] == [(0, 1), (8, 9)]
    assert camera.requests[3].headers["Transport"].endswith("interleaved=2-3")
    # The first id counts, whatever a later SETUP says.
    assert camera.requests[4].headers["Session"] == "42"


@pytest.mark.parametrize(
    ("transport", "channels"),
    [
        ("Transport: RTP/AVP/TCP;unicast;interleaved=4-5", (4, 5)),
        ("Transport: RTP/AVP;unicast;interleaved=1-2", (1, 2)),
        ("Transport: RTP/AVP/TCP;unicast;interleaved=600-601", (0, 1)),
        ("Transport: RTP/AVP", (0, 1)),
        ("X-No: Transport", (0, 1)),
    ],
)
def test_the_answer_decides_on_channels(transport: str, channels: tuple[int, int]) -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + answer("SETUP", "200 OK", transport) + PLAY)
    _, started = play_script(client, camera)
    assert (started.tracks[0].rtp_channel, started.tracks[0].rtcp_channel) == channels
    assert "Session" not in camera.requests[3].headers


def test_a_camera_that_gives_all_tracks_the_same_channels_is_not_believed() -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + SETUP + PLAY)
    client.start(0.0)
    for _ in range(2):
        client.receive_data(camera.answer(client.data_to_send()), 0.0)
    (described,) = client.events()
    assert isinstance(described, Described)
    client.play(described.tracks, 0.0)
    (started,) = converse(client, camera)
    assert isinstance(started, Playing)
    assert [(track.rtp_channel, track.rtcp_channel) for track in started.tracks] == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    "refusal",
    [
        answer("SETUP", "403 Forbidden"),
        answer("SETUP", "301 Moved", "Location: rtsp://elsewhere/"),
        answer("SETUP", "401 Unauthorized", digest("1")),
        answer("SETUP", "200 OK", "Transport: RTP/AVP/UDP;unicast;client_port=1-2"),
    ],
)
def test_a_later_track_that_is_refused_is_left_out(refusal: str) -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + refusal + PLAY)
    client.start(0.0)
    for _ in range(2):
        client.receive_data(camera.answer(client.data_to_send()), 0.0)
    (described,) = client.events()
    assert isinstance(described, Described)
    client.play(described.tracks, 0.0)
    (started,) = converse(client, camera)
    assert isinstance(started, Playing)
    assert [track.rtp_channel for track in started.tracks] == [0]
    assert camera.requests[-1].method == "PLAY"


def test_a_later_track_that_the_camera_says_nothing_to_is_left_out() -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP)
    client.start(0.0)
    for _ in range(2):
        client.receive_data(camera.answer(client.data_to_send()), 0.0)
    (described,) = client.events()
    assert isinstance(described, Described)
    client.play(described.tracks, 0.0)
    client.receive_data(camera.answer(client.data_to_send()), 0.0)
    assert client.data_to_send().startswith(b"SETUP")
    deadline = client.next_deadline()
    assert deadline is not None
    client.handle_deadline(deadline)
    assert client.data_to_send().startswith(b"PLAY")


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
def test_options_may_fail(status: str) -> None:
    client, camera = make_client(), ScriptedCamera(answer("OPTIONS", status) + DESCRIBE + SETUP + PLAY)
    play_script(client, camera)
    client.handle_deadline(25.0)
    assert client.data_to_send().startswith(b"OPTIONS ")


def test_an_answer_without_cseq_is_about_the_open_request() -> None:
    client, camera = make_client(), ScriptedCamera((OPTIONS + DESCRIBE + SETUP + PLAY).replace("CSeq: {cseq}\n", ""))
    play_script(client, camera)
    assert client.statistics().unmatched_responses == 0


def test_interim_and_unmatched_answers_are_passed_over() -> None:
    client = make_client()
    client.start(0.0)
    client.receive_data(b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\nRTSP/1.0 500 Oops\r\nCSeq: 9\r\n\r\n", 0.0)
    client.receive_data(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 0.0)
    assert client.data_to_send().count(b"DESCRIBE") == 1
    assert client.statistics().unmatched_responses == 1
    assert client.statistics().responses_received == 3


WRONG_BASE = DESCRIBE.replace("CSeq: {cseq}\n", "CSeq: {cseq}\nContent-Base: rtsp://192.0.2.1/elsewhere/\n", 1)


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request"])
def test_a_base_that_the_camera_does_not_know_is_tried_once(status: str) -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + WRONG_BASE + answer("SETUP", status) + SETUP + PLAY)
    play_script(client, camera)
    assert camera.urls("SETUP") == ["rtsp://192.0.2.1/elsewhere/trackID=0", f"{URL}/trackID=0"]
    assert camera.urls("PLAY") == [URL]


def test_a_track_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(UnexpectedStatus):
        start(OPTIONS + WRONG_BASE + 2 * answer("SETUP", "404 Not Found"))


def test_media_before_the_answer_to_play_is_kept() -> None:
    early = "> ...\n" + "".join(f"\\x{byte:02x}" for byte in interleave(0, RTP)) + "\n"
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + early + PLAY)
    play_script(client, camera)
    assert client.take_packets() == [(0, RTP)]


# Refusals.


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answer("OPTIONS", "400 Bad Request"), "the camera answered 400 Bad Request to OPTIONS"),
        (
            OPTIONS + answer("DESCRIBE", "404 Not Found"),
            "the camera answered 404 Not Found to DESCRIBE: check the path of the URL",
        ),
        (
            OPTIONS + answer("DESCRIBE", "453"),
            "the camera answered 453 Not Enough Bandwidth to DESCRIBE: the camera serves as many viewers as it can; "
            "close another one",
        ),
        (OPTIONS + answer("DESCRIBE", "999"), "the camera answered 999 to DESCRIBE"),
        (OPTIONS + answer("DESCRIBE", "302 Moved"), "the camera answered 302 Moved to DESCRIBE"),
        (
            OPTIONS + DESCRIBE + answer("SETUP", "461 No way\x01 for password=s3cret"),
            "the camera answered 461 No way? for password=*** to SETUP: the camera does not send media in the way it"
            " was asked for",
        ),
        (OPTIONS + DESCRIBE + SETUP + answer("PLAY", "455 Not now"), "the camera answered 455 Not now to PLAY"),
    ],
)
def test_other_answers_are_errors_in_words(script: str, words: str) -> None:
    with pytest.raises(UnexpectedStatus) as caught:
        start(script)
    assert str(caught.value) == words
    assert caught.value.status_code in (302, 400, 404, 453, 455, 461, 999)


def test_an_answer_to_describe_that_is_no_sdp() -> None:
    script = OPTIONS + "> DESCRIBE\nRTSP/1.0 200 OK\nCSeq: {cseq}\nContent-Length: {length}\n\n<html>\n"
    with pytest.raises(MalformedMessage, match=r"the answer to DESCRIBE is no session description \(it has neither"):
        start(script)


def describe(script: str) -> tuple[RtspClient, ScriptedCamera, Described]:
    """Let a client come as far as the session description of two tracks."""
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + script)
    client.start(0.0)
    for _ in range(2):
        client.receive_data(camera.answer(client.data_to_send()), 0.0)
    (described,) = client.events()
    assert isinstance(described, Described)
    return client, camera, described


UDP_SETUP = "Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001"


def test_two_tracks_over_udp_have_channels_that_stand_for_their_ports() -> None:
    script = answer("SETUP", "200 OK", UDP_SETUP) + answer("SETUP", "200 OK", "X-No: Transport") + PLAY
    client, camera, described = describe(script)
    client.play(described.tracks, 0.0, client_ports=[(5000, 5001), (5002, 5003)])
    first, second, started = converse(client, camera)
    assert isinstance(first, UdpSetUp)
    assert (first.index, first.transport.server_port) == (0, (6000, 6001))
    assert isinstance(second, UdpSetUp)
    assert (second.index, second.transport.server_port) == (1, None)
    assert isinstance(started, Playing)
    assert [(track.rtp_channel, track.rtcp_channel) for track in started.tracks] == [(0, 1), (2, 3)]
    asked = [request.headers["Transport"] for request in camera.requests if request.method == "SETUP"]
    assert asked == ["RTP/AVP;unicast;client_port=5000-5001", "RTP/AVP;unicast;client_port=5002-5003"]


def test_a_track_that_is_refused_over_udp_leaves_its_ports_to_the_next() -> None:
    script = answer("SETUP", "200 OK", UDP_SETUP) + answer("SETUP", "404 No sound") + PLAY
    client, camera, described = describe(script)
    client.play(described.tracks, 0.0, client_ports=[(5000, 5001), (5002, 5003)])
    *_, started = converse(client, camera)
    assert isinstance(started, Playing)
    assert len(started.tracks) == 1


def test_what_a_camera_interleaves_after_it_agreed_to_udp_is_ignored() -> None:
    client, camera, described = describe(answer("SETUP", "200 OK", UDP_SETUP) + PLAY)
    client.play(described.tracks[:1], 0.0, client_ports=[(5000, 5001)])
    converse(client, camera)
    client.receive_data(interleave(0, RTP), 0.0)
    assert client.take_packets() == []
    assert client.statistics().unknown_channel_packets == 1


@pytest.mark.parametrize(
    "transport",
    [
        "RTP/AVP/TCP;unicast;interleaved=0-1",
        "RTP/AVP/TCP;unicast",
        "RTP/AVP;unicast;interleaved=0-1",
        "RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001",
    ],
)
def test_another_transport_than_udp_that_was_asked_for(transport: str) -> None:
    client, camera, described = describe(answer("SETUP", "200 OK", f"Transport: {transport}"))
    client.play(described.tracks[:1], 0.0, client_ports=[(5000, 5001)])
    with pytest.raises(UnsupportedTransport, match="another transport than asked for: RTP/AVP"):
        converse(client, camera)


def test_udp_that_was_not_asked_for() -> None:
    udp = "Transport: RTP/AVP;unicast;client_port=0-1;server_port=5000-5001"
    with pytest.raises(UnsupportedTransport, match="another transport than asked for: RTP/AVP;unicast;client_port"):
        start(OPTIONS + DESCRIBE + answer("SETUP", "200 OK", udp))


def test_no_answer_in_time() -> None:
    client = make_client(policies=ClientPolicies(response_timeout_s=3.0))
    client.start(100.0)
    assert client.next_deadline() == 103.0
    client.handle_deadline(102.9)
    with pytest.raises(ResponseTimeout, match="no answer to OPTIONS within 3 s"):
        client.handle_deadline(103.0)
    assert client.next_deadline() is None
    assert client.statistics().state == "ENDED"


def test_a_bad_url_says_so_at_once() -> None:
    with pytest.raises(MalformedUrl):
        make_client("http://192.0.2.1/")


# Logging in.

FORBIDDEN = answer("DESCRIBE", "401 Unauthorized", digest("one"))


def test_no_credentials_configured() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        start(OPTIONS + FORBIDDEN)
    assert caught.value.problem is AuthenticationProblem.NO_CREDENTIALS
    assert str(caught.value) == "the camera wants user name and password, and none are given (401 to DESCRIBE)"


def test_a_wrong_password_is_sent_once() -> None:
    client, camera = (
        make_client(username="admin", password="wr0ng"),
        ScriptedCamera(OPTIONS + FORBIDDEN + answer("DESCRIBE", "401 Unauthorized", digest("two"))),
    )
    client.start(0.0)
    with pytest.raises(AuthenticationFailed) as caught:
        converse(client, camera)
    assert str(caught.value) == "wrong user name or password (401 to DESCRIBE)"
    assert "wr0ng" not in repr(caught.value)
    assert len(camera.requests) == 3
    assert client.data_to_send() == b""


def test_no_common_scheme() -> None:
    with pytest.raises(AuthenticationFailed, match=r"no way to log in .* it offers negotiate, ntlm"):
        start(OPTIONS + answer("DESCRIBE", "401", "WWW-Authenticate: Negotiate, NTLM"), username="admin")
    with pytest.raises(AuthenticationFailed, match="it offers nothing"):
        start(OPTIONS + answer("DESCRIBE", "401"), username="admin")


def test_a_stale_nonce_is_answered_once() -> None:
    stale = answer("DESCRIBE", "401", digest("two", "stale=true"))
    client, camera = start(OPTIONS + FORBIDDEN + stale + DESCRIBE + SETUP + PLAY, username="admin")
    assert camera.requests[-1].digest()["nonce"] == "two"
    assert client.statistics().reauthentications == 1
    with pytest.raises(AuthenticationFailed, match="wrong user name or password"):
        start(OPTIONS + FORBIDDEN + stale + stale, username="admin")


def test_a_nonce_for_each_request_is_followed() -> None:
    refused = [answer(method, "401", digest(method)) for method in ("SETUP", "PLAY")]
    script = OPTIONS + FORBIDDEN + DESCRIBE + refused[0] + SETUP + refused[1] + PLAY
    client, camera = start(script, username="admin")
    assert client.statistics().state == "PLAYING"
    assert camera.requests[-1].digest()["nonce"] == "PLAY"
    assert client.statistics().reauthentications == 2


def test_basic_goes_on_every_request() -> None:
    forbidden = answer("DESCRIBE", "401", 'WWW-Authenticate: Basic realm="r"')
    client, camera = start(OPTIONS + forbidden + DESCRIBE + SETUP + PLAY, username="admin", password="s3cret")
    assert {request.headers["Authorization"] for request in camera.requests[2:]} == {"Basic YWRtaW46czNjcmV0"}
    client.teardown(1.0)
    assert b"Authorization: Basic YWRtaW46czNjcmV0\r\n" in client.data_to_send()


def test_repeating_a_request_starts_its_time_anew() -> None:
    client, camera = make_client(username="admin"), ScriptedCamera(OPTIONS + FORBIDDEN)
    client.start(0.0)
    converse(client, camera, 9.0)
    assert client.next_deadline() == 19.0


# Keepalive.


@pytest.mark.parametrize(("timeout", "due"), [("60", 25.0), ("30", 15.0), ("15", 7.5), ("1", 1.0), ("x", 25.0)])
def test_keepalives_come_twice_in_a_timeout(timeout: str, due: float) -> None:
    client, camera = (
        make_client(),
        ScriptedCamera(OPTIONS + DESCRIBE + SETUP.replace("timeout=60", f"timeout={timeout}") + PLAY),
    )
    play_script(client, camera)
    for count in (1, 2):
        assert client.next_deadline() == due * count
        client.handle_deadline(due * count - 0.01)
        assert client.data_to_send() == b""
        client.handle_deadline(due * count)
        # Unanswered ones are no reason to end anything.
        assert client.data_to_send().startswith(b"GET_PARAMETER rtsp://192.0.2.1/live RTSP/1.0\r\nCSeq: ")
    assert client.statistics().keepalives_sent == 2


@pytest.mark.parametrize(
    "policies", [ClientPolicies(keepalive=KeepaliveMethod.OPTIONS), ClientPolicies(keepalive=KeepaliveMethod.AUTO)]
)
def test_options_where_policy_or_public_say_so(policies: ClientPolicies) -> None:
    client, camera = (
        make_client(policies=policies),
        ScriptedCamera(
            OPTIONS.replace(", GET_PARAMETER", "" if policies.keepalive is KeepaliveMethod.AUTO else ", GET_PARAMETER")
            + DESCRIBE
            + SETUP
            + PLAY
        ),
    )
    play_script(client, camera)
    client.handle_deadline(25.0)
    assert client.data_to_send().startswith(b"OPTIONS rtsp://192.0.2.1/live RTSP/1.0\r\n")


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oops", "551", "302 Moved"])
def test_a_refused_keepalive_only_changes_the_method(status: str) -> None:
    client, camera = playing(answer("GET_PARAMETER", status) + OPTIONS)
    for now in (25.0, 50.0):
        client.handle_deadline(now)
        assert converse(client, camera, now) == []
    assert client.statistics().keepalives_answered == 2
    assert client.statistics().state == "PLAYING"


def test_454_to_a_keepalive_ends_the_session() -> None:
    client, camera = playing(answer("GET_PARAMETER", "454 Session Not Found"))
    client.handle_deadline(25.0)
    with pytest.raises(SessionLost, match="454 to GET_PARAMETER"):
        converse(client, camera, 25.0)
    assert client.next_deadline() is None


def test_401_to_a_keepalive_without_credentials_is_ignored() -> None:
    client, camera = playing(answer("GET_PARAMETER", "401", digest("n")))
    client.handle_deadline(25.0)
    assert converse(client, camera, 25.0) == []
    assert client.statistics().state == "PLAYING"


def test_401_to_a_keepalive_again_ends_it() -> None:
    refused = answer("GET_PARAMETER", "401", digest("two")) + answer("GET_PARAMETER", "401", digest("three"))
    client, camera = (
        make_client(username="admin"),
        ScriptedCamera(OPTIONS + FORBIDDEN + DESCRIBE + SETUP + PLAY + refused),
    )
    play_script(client, camera)
    client.handle_deadline(25.0)
    with pytest.raises(AuthenticationFailed, match="401 to GET_PARAMETER"):
        converse(client, camera, 25.0)


def test_an_answer_to_an_older_keepalive_is_unmatched() -> None:
    client, _ = playing()
    client.handle_deadline(25.0)
    client.handle_deadline(50.0)
    client.receive_data(b"RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: 6\r\n\r\n", 51.0)
    assert client.statistics().unmatched_responses == 1
    assert client.statistics().keepalives_answered == 1


# What the server says on its own.


def test_requests_of_the_server_are_answered() -> None:
    client, _ = playing()
    client.receive_data(
        b"OPTIONS * RTSP/1.0\r\nCSeq: 77\r\n\r\n"
        + interleave(0, RTP)
        + b"ANNOUNCE rtsp://x/ RTSP/1.0\r\nCSeq: 78\r\nContent-Length: 3\r\n\r\nv=0"
        + b"SET_PARAMETER rtsp://x/ RTSP/1.0\r\n\r\n"
        + b"REDIRECT rtsp://x/ RTSP/1.0\r\n\r\n",
        1.0,
    )
    answers = client.data_to_send().split(b"\r\n\r\n")
    assert answers[0].startswith(b"RTSP/1.0 200 OK\r\nCSeq: 77\r\nPublic: OPTIONS, ")
    assert answers[1:] == [b"RTSP/1.0 200 OK\r\nCSeq: 78", b"RTSP/1.0 200 OK", b"RTSP/1.0 200 OK", b""]
    assert client.take_packets() == [(0, RTP)]
    assert client.statistics().server_requests == 4
    assert client.events() == []


def test_the_server_may_end_the_session() -> None:
    client, _ = playing()
    client.receive_data(b"TEARDOWN rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n", 1.0)
    assert client.events() == [ServerClosed()]
    assert client.data_to_send() == b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
    assert client.next_deadline() is None


def test_the_server_may_redirect_while_playing() -> None:
    client, _ = playing()
    client.receive_data(b"REDIRECT rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://u:p@192.0.2.2:8554/b\r\n\r\n", 1.0)
    assert client.events() == [Redirected("rtsp://192.0.2.2:8554/b")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_events(status: int) -> None:
    client, camera = (
        make_client(),
        ScriptedCamera(OPTIONS + answer("DESCRIBE", f"{status} Moved", "Location: rtsp://192.0.2.2/other")),
    )
    client.start(0.0)
    assert converse(client, camera) == [Redirected("rtsp://192.0.2.2/other")]
    assert client.statistics().state == "ENDED"


@pytest.mark.parametrize(
    ("location", "error", "words"),
    [
        ("rtsp://192.0.2.2/other", RedirectRefused, "redirects from rtsps to unprotected rtsp"),
        ("somewhere", MalformedUrl, "does not begin with rtsp://"),
    ],
)
def test_redirects_that_are_not_followed(location: str, error: type[RtspRemoteError], words: str) -> None:
    with pytest.raises(error, match=words):
        start(OPTIONS + answer("DESCRIBE", "301 Moved", f"Location: {location}"), "rtsps://192.0.2.1/live")


def test_a_protected_redirect_is_followed() -> None:
    client, camera = (
        make_client("rtsps://192.0.2.1/live"),
        ScriptedCamera(answer("OPTIONS", "301 Moved", "Location: rtsps://192.0.2.2/other")),
    )
    client.start(0.0)
    assert converse(client, camera) == [Redirected("rtsps://192.0.2.2/other")]


# The end.


def test_eof_says_what_was_waited_for() -> None:
    client = make_client()
    client.start(0.0)
    client.receive_eof()
    client.receive_eof()
    (closed,) = client.events()
    assert str(closed) == "the camera closed the connection instead of answering OPTIONS"
    assert client.statistics().state == "CLOSED"


def test_eof_while_playing() -> None:
    client, _ = playing()
    client.receive_eof()
    assert client.events() == [ServerClosed(None)]
    assert str(ServerClosed()) == "the camera closed the connection"
    client.teardown(1.0)
    assert client.data_to_send() == b""


def test_teardown_names_the_session_and_is_not_awaited() -> None:
    client, _ = playing()
    client.teardown(1.0)
    data = client.data_to_send()
    assert data.startswith(b"TEARDOWN rtsp://192.0.2.1/live RTSP/1.0\r\n")
    assert b"Session: 42\r\n" in data
    assert client.next_deadline() is None
    client.receive_data(b"RTSP/1.0 500 Oops\r\nCSeq: 5\r\n\r\n", 1.0)
    client.teardown(2.0)
    assert client.data_to_send() == b""


def test_without_a_session_there_is_nothing_to_tear_down() -> None:
    client = make_client()
    client.start(0.0)
    client.data_to_send()
    client.teardown(1.0)
    assert client.data_to_send() == b""


def test_after_a_refused_play_the_session_is_torn_down() -> None:
    client, camera = make_client(), ScriptedCamera(OPTIONS + DESCRIBE + SETUP + answer("PLAY", "500 Oops"))
    client.start(0.0)
    with pytest.raises(UnexpectedStatus):
        converse(client, camera)
    client.receive_data(b"SSH-2.0\r\n\x00\x01\x02", 1.0)
    client.teardown(1.0)
    assert client.data_to_send().startswith(b"TEARDOWN ")


def test_calls_out_of_turn_are_local_errors() -> None:
    client = make_client()
    with pytest.raises(WrongState, match="send_packet is not allowed in state IDLE; allowed in: PLAYING"):
        client.send_packet(1, b"")
    client.start(0.0)
    with pytest.raises(WrongState, match="start is not allowed in state ASKING; allowed in: IDLE"):
        client.start(0.0)
    client, _ = playing()
    with pytest.raises(WrongState, match="play is not allowed in state PLAYING; allowed in: DESCRIBED"):
        client.play([object()], 0.0)  # type: ignore[list-item]
    with pytest.raises(AssertionError):
        client.play([], 0.0)


def test_packets_of_our_own_go_out_interleaved() -> None:
    client, _ = playing()
    client.send_packet(1, b"\x81\xc9")
    assert client.data_to_send() == b"$\x01\x00\x02\x81\xc9"


def test_statistics_count_what_happened() -> None:
    client, _ = playing()
    client.receive_data(interleave(0, RTP) + interleave(9, RTP) + b"\x00" + interleave(1, RTP) * 2, 1.0)
    client.take_packets()
    statistics = client.statistics()
    assert (statistics.requests_sent, statistics.responses_received) == (4, 4)
    assert (statistics.packets_received, statistics.unknown_channel_packets) == (3, 1)
    assert (statistics.resyncs, statistics.garbage_bytes) == (1, 1)
    assert statistics.bytes_received > 100


def test_cnonces_are_random_by_default() -> None:
    nonces = set()
    for _ in range(2):
        client = RtspClient(URL, username="admin")
        camera = ScriptedCamera(
            OPTIONS + answer("DESCRIBE", "401", digest("n", 'qop="auth"')) + DESCRIBE + SETUP + PLAY
        )
        play_script(client, camera)
        nonces.add(camera.requests[-1].digest()["cnonce"])
    assert len(nonces) == 2
    assert all(len(nonce) == 32 for nonce in nonces)
