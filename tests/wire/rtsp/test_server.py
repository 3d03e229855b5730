"""`RtspServer`, requests in and answers out, fed whole and byte by byte."""

import base64
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest

from camgate.wire.rtsp.auth import ClientLogin, parse_challenges_untrusted
from camgate.wire.rtsp.errors import WrongState
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from camgate.wire.rtsp.message import Response
from camgate.wire.rtsp.policies import CredentialCharset
from camgate.wire.rtsp.server import MAX_FAILED_LOGINS, TIMEOUT_GRACE_S, Access, RtspServer, ServerPolicies, open_to_all
from camgate.wire.rtsp.server_events import (
    ConnectionEnded,
    Datagrams,
    Description,
    DescriptionWanted,
    Interleaved,
    LoginRefused,
    PlayedTrack,
    PlayRequested,
    ServedTrack,
    ServerEvent,
    TrackStart,
)
from camgate.wire.rtsp.server_login import hash_password
from camgate.wire.rtsp.server_states import ServerState

URL = "rtsp://127.0.0.1:8554/front-door"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"
SDP = "v=0\r\ns=front-door\r\nm=video 0 RTP/AVP 96\r\na=control:track0\r\n"
VIDEO, AUDIO = ServedTrack("track0", 0xCAFE0001), ServedTrack("track1", 0xCAFE0002)
RECEIVER_REPORT = b"\x80\xc9\x00\x01\x00\x00\x00\x07"


class Answer(NamedTuple):
    """A response and what the shell was told meanwhile."""

    response: Response
    events: list[ServerEvent]

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str:
        value = self.response.headers.get(name)
        assert value is not None, f"no {name} in {self.response.headers}"
        return value


class Client:
    """Talks to a server object; plays the shell, too: describes `front-door` and lets it play."""

    def __init__(
        self, *, step_bytes: int, access: Access = open_to_all, policies: ServerPolicies | None = None
    ) -> None:
        tokens = (f"token{number}" for number in count())
        self.server = RtspServer(0.0, access=access, policies=policies, make_token=lambda: next(tokens))
        self.tracks: tuple[ServedTrack, ...] = (VIDEO,)
        self.now = 0.0
        self.media: list[tuple[int, bytes]] = []
        self._step_bytes = step_bytes
        self._cseq = 0
        self._reader = InterleavedReader()
        self._reader.channels = set(range(256))

    def send(self, data: bytes) -> list[ServerEvent]:
        """Send bytes, answer the server's questions, and return its events."""
        events = []
        step = self._step_bytes or len(data)
        for at in range(0, len(data), step):
            self.server.receive_data(data[at : at + step], self.now)
            while new := self.server.events():
                events += new
                for event in new:
                    self._serve(event)
        return events

    def request(self, method: str, url: str = URL, *headers: str, body: bytes = b"") -> Answer:
        self._cseq += 1
        length = (f"Content-Length: {len(body)}",) if body else ()
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._cseq}", *headers, *length]
        events = self.send("\r\n".join([*lines, "", ""]).encode() + body)
        (response,) = self.responses()
        assert response.headers.get("CSeq") == str(self._cseq)
        return Answer(response, events)

    def responses(self) -> list[Response]:
        self._reader.receive_data(self.server.data_to_send())
        messages = list(iter(lambda: self._reader.next_message_untrusted(self.now), None))
        self.media += self._reader.take_packets()
        assert all(isinstance(message, Response) for message in messages)
        return [message for message in messages if isinstance(message, Response)]

    def set_up(self, control: str = "track0", transport: str = TCP) -> str:
        """SETUP a track and return the Session header to send from then on."""
        session = () if self.server.state is ServerState.INIT else ("Session: token1",)
        answer = self.request("SETUP", f"{URL}/{control}", f"Transport: {transport}", *session)
        assert answer.status == 200
        return "Session: " + answer.header("Session").partition(";")[0]

    def play(self) -> str:
        session = self.set_up()
        assert self.request("PLAY", URL, session).status == 200
        return session

    def _serve(self, event: ServerEvent) -> None:
        if isinstance(event, DescriptionWanted):
            if event.path == "front-door":
                self.server.describe(Description(SDP, self.tracks), self.now)
            else:
                self.server.refuse(404, self.now)
        elif isinstance(event, PlayRequested):
            self.server.accept_play([TrackStart(t.track.control, 100, 9000) for t in event.tracks], self.now)
        elif isinstance(event, LoginRefused):
            self.server.refuse_login(self.now)


@pytest.fixture(params=[0, 1], ids=["whole", "byte by byte"])
def step_bytes(request: pytest.FixtureRequest) -> int:
    step: int = request.param
    return step


@pytest.fixture
def client(step_bytes: int) -> Client:
    return Client(step_bytes=step_bytes)


def test_options_lists_what_is_served(client: Client) -> None:
    for url in (URL, "*"):
        assert "DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER" in client.request("OPTIONS", url).header("Public")


def test_describe_gives_the_session_description_and_its_base(client: Client) -> None:
    answer = client.request("DESCRIBE", URL + "?channel=1", "Accept: application/sdp")
    assert answer.events == [DescriptionWanted("front-door", "channel=1")]
    assert answer.response.body == SDP.encode()
    assert answer.header("Content-Type") == "application/sdp"
    assert answer.header("Content-Base") == URL + "/"


def test_credentials_in_a_url_are_not_echoed(client: Client) -> None:
    answer = client.request("DESCRIBE", "rtsp://viewer:secret@127.0.0.1:8554/front-door/")
    assert answer.header("Content-Base") == URL + "/"


def test_describe_what_is_not_there(client: Client) -> None:
    assert client.request("DESCRIBE", URL + "-2").status == 404
    assert client.request("DESCRIBE", "rtsp://127.0.0.1:8554").status == 404
    assert client.server.state is ServerState.INIT


def test_describe_in_no_other_format(client: Client) -> None:
    assert client.request("DESCRIBE", URL, "Accept: application/x-rtsl").status == 406
    assert client.request("DESCRIBE", URL, "Accept: text/html, */*").status == 200


def test_setup_and_play(client: Client) -> None:
    answer = client.request("SETUP", URL + "/track0", "Transport: RTP/AVP/TCP;unicast;interleaved=4-5")
    assert answer.header("Transport") == "RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=CAFE0001"
    assert answer.header("Session") == "token1;timeout=60"
    assert client.server.state is ServerState.READY
    answer = client.request("PLAY", URL + "/", "Session: token1", "Range: npt=0.000-")
    assert answer.events == [PlayRequested("front-door", (PlayedTrack(VIDEO, Interleaved(4, 5)),))]
    assert answer.header("RTP-Info") == f"url={URL}/track0;seq=100;rtptime=9000"
    assert answer.header("Range") == "npt=now-"
    assert client.server.state is ServerState.PLAYING


def test_two_tracks_get_channels_of_their_own(client: Client) -> None:
    client.tracks = (VIDEO, AUDIO)
    client.set_up("track0", TCP)
    answer = client.request("SETUP", URL + "/track1", f"Transport: {TCP}", "Session: token1")
    assert answer.header("Transport") == "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=CAFE0002"
    answer = client.request("PLAY", URL, "Session: token1")
    assert [track for event in answer.events if isinstance(event, PlayRequested) for track in event.tracks] == [
        PlayedTrack(VIDEO, Interleaved(0, 1)),
        PlayedTrack(AUDIO, Interleaved(2, 3)),
    ]
    assert answer.header("RTP-Info").count("url=") == 2


def test_the_same_track_may_be_set_up_again(client: Client) -> None:
    session = client.set_up("track0", "RTP/AVP/TCP;unicast;interleaved=8-9")
    assert client.set_up() == session
    assert client.request("PLAY", URL, session).events == [
        PlayRequested("front-door", (PlayedTrack(VIDEO, Interleaved(0, 1)),))
    ]


def test_without_proposed_channels_the_server_chooses(client: Client) -> None:
    answer = client.request("SETUP", URL + "/track0", "Transport: RTP/AVP/TCP;unicast")
    assert "interleaved=0-1" in answer.header("Transport")


def test_the_first_transport_that_is_served_is_taken(client: Client) -> None:
    offer = f"RTP/AVP;unicast;client_port=5000-5001,{TCP.replace('0-1', '6-7')}"
    assert "interleaved=6-7" in client.request("SETUP", URL + "/track0", f"Transport: {offer}").header("Transport")


@pytest.mark.parametrize(
    ("transport", "words"),
    [
        ("RTP/AVP;unicast;client_port=5000-5001", "UDP is not served"),
        ("RTP/AVP/UDP;unicast", "UDP is not served"),
        ("RTP/SAVP/TCP;interleaved=0-1", "RTP/SAVP/TCP is not served"),
        ("RTP/AVP/TCP;multicast", "multicast is not served"),
        ("", "no transport is offered"),
    ],
)
def test_other_transports_are_refused_in_words(client: Client, transport: str, words: str) -> None:
    answer = client.request("SETUP", URL + "/track0", f"Transport: {transport}")
    assert answer.status == 461
    assert answer.response.reason == f"Unsupported Transport: {words}; ask for RTP/AVP/TCP;unicast"
    assert client.server.state is ServerState.INIT


@pytest.fixture
def with_udp(step_bytes: int) -> Client:
    return Client(step_bytes=step_bytes, policies=ServerPolicies(udp_ports=(8554, 8555)))


@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/AVP/UDP"])
def test_media_by_udp(with_udp: Client, protocol: str) -> None:
    offer = f"Transport: {protocol};unicast;client_port=5000-5001"
    answer = with_udp.request("SETUP", URL + "/track0", offer)
    assert answer.header("Transport") == (
        f"{protocol};unicast;client_port=5000-5001;server_port=8554-8555;ssrc=CAFE0001"
    )
    session = "Session: token1"
    assert with_udp.request("PLAY", URL, session).events == [
        PlayRequested("front-door", (PlayedTrack(VIDEO, Datagrams(5000, 5001)),))
    ]


def test_udp_aims_at_nobody_else(with_udp: Client) -> None:
    offer = "Transport: RTP/AVP;unicast;destination=192.0.2.9;client_port=5000-5001"
    answer = with_udp.request("SETUP", URL + "/track0", offer)
    assert "destination" not in answer.header("Transport")
    assert "192.0.2.9" not in answer.header("Transport")


@pytest.mark.parametrize(
    ("transport", "words"),
    [
        ("RTP/AVP;multicast;port=5000-5001", "multicast is not served"),
        ("RTP/AVP;unicast", "client_port is missing"),
        ("RTP/AVP;unicast;client_port=53-5001", "client_port is below 1024"),
        ("RTP/SAVP;unicast;client_port=5000-5001", "RTP/SAVP is not served"),
    ],
)
def test_no_udp_but_unicast_to_high_ports(with_udp: Client, transport: str, words: str) -> None:
    answer = with_udp.request("SETUP", URL + "/track0", f"Transport: {transport}")
    served = "RTP/AVP/TCP;unicast or RTP/AVP;unicast;client_port=PORT-PORT"
    assert (answer.status, answer.response.reason) == (461, f"Unsupported Transport: {words}; ask for {served}")


def test_one_track_by_udp_and_one_interleaved(with_udp: Client) -> None:
    with_udp.tracks = (VIDEO, AUDIO)
    with_udp.set_up("track0", "RTP/AVP;unicast;client_port=5000-5001")
    session = with_udp.set_up("track1", TCP)
    (event,) = with_udp.request("PLAY", URL, session).events
    assert isinstance(event, PlayRequested)
    assert [track.way for track in event.tracks] == [Datagrams(5000, 5001), Interleaved(0, 1)]


def test_reports_by_udp_keep_a_session(with_udp: Client) -> None:
    with_udp.server.receive_report(10.0)
    assert with_udp.server.next_deadline() == 30.0
    with_udp.set_up("track0", "RTP/AVP;unicast;client_port=5000-5001")
    with_udp.request("PLAY", URL, "Session: token1")
    with_udp.server.receive_report(50.0)
    assert with_udp.server.next_deadline() == 50 + 60 + TIMEOUT_GRACE_S


def test_setup_of_what_is_not_there(client: Client) -> None:
    assert client.request("SETUP", URL + "/track7", f"Transport: {TCP}").status == 404
    assert client.request("SETUP", URL + "-2/track0", f"Transport: {TCP}").status == 404


def test_setup_is_for_a_track_and_play_for_all_of_them(client: Client) -> None:
    client.tracks = (VIDEO, AUDIO)
    assert client.request("DESCRIBE").status == 200
    assert client.request("SETUP", URL, f"Transport: {TCP}").status == 459
    session = client.set_up("track0")
    assert client.request("SETUP", "rtsp://127.0.0.1/garden/track0", f"Transport: {TCP}", session).status == 459
    client.set_up("track1")
    assert client.request("PLAY", URL + "/track0", session).status == 460
    assert client.request("PLAY", "rtsp://127.0.0.1/garden", session).status == 404
    assert client.request("PLAY", URL, session).status == 200


def test_the_only_track_stands_for_its_presentation(client: Client) -> None:
    session = client.set_up()
    assert client.request("PLAY", URL + "/track0", session).status == 200


def test_play_again_changes_nothing(client: Client) -> None:
    session = client.play()
    answer = client.request("PLAY", URL, session)
    assert (answer.status, answer.events) == (200, [])


@pytest.mark.parametrize(
    "value", ["npt=0-", "npt=now-", "npt=12.5-20", "clock=20260101T000000Z-", "smpte=0:10:20-;time=1"]
)
def test_every_range_of_a_live_stream_is_now(client: Client, value: str) -> None:
    assert client.request("PLAY", URL, client.set_up(), f"Range: {value}").header("Range") == "npt=now-"


@pytest.mark.parametrize("value", ["npt=yesterday", "bytes=0-", "", "npt", "npt=" + " " * 15_000 + "x"])
def test_what_is_no_range(client: Client, value: str) -> None:
    session = client.set_up()
    started = time.process_time()
    assert client.request("PLAY", URL, session, f"Range: {value}").status == 457
    assert time.process_time() - started < 1.0  # processor time, whatever the length
    assert client.server.state is ServerState.READY


def test_requests_need_their_session(client: Client) -> None:
    assert client.request("PLAY").status == 454
    assert client.request("TEARDOWN", URL, "Session: token1").status == 454
    client.set_up()
    assert client.request("PLAY").status == 454
    assert client.request("PLAY", URL, "Session: other").status == 454
    assert client.request("GET_PARAMETER", URL, "Session: other").status == 454
    assert client.request("SETUP", URL + "/track0", f"Transport: {TCP}").status == 454


def test_setup_while_playing_is_not_valid(client: Client) -> None:
    session = client.play()
    answer = client.request("SETUP", URL + "/track0", f"Transport: {TCP}", session)
    assert (answer.status, answer.header("Allow")) == (455, "PLAY, TEARDOWN")


def test_methods_that_are_not_served(client: Client) -> None:
    session = client.play()
    for method in ("PAUSE", "RECORD", "ANNOUNCE"):
        answer = client.request(method, URL, session)
        assert answer.status == 405
        assert "TEARDOWN" in answer.header("Allow")
    assert client.request("DANCE").status == 501
    assert client.server.state is ServerState.PLAYING


def test_get_parameter_without_a_body_is_a_keepalive(client: Client) -> None:
    assert client.request("GET_PARAMETER").status == 200
    session = client.play()
    for method in ("GET_PARAMETER", "SET_PARAMETER"):
        assert client.request(method, URL, session).header("Session").startswith("token1")
    answer = client.request("GET_PARAMETER", URL, session, "Content-Type: text/parameters", body=b"position\r\n")
    assert (answer.status, answer.response.reason) == (451, "Parameter Not Understood")


def test_what_a_client_requires_and_is_not_there(client: Client) -> None:
    answer = client.request("DESCRIBE", URL, "Require: www.onvif.org/ver20/backchannel", "Proxy-Require: x\0y")
    assert (answer.status, answer.header("Unsupported")) == (551, "www.onvif.org/ver20/backchannel, x?y")


def test_teardown_ends_the_connection(client: Client) -> None:
    session = client.play()
    answer = client.request("TEARDOWN", URL, session)
    assert answer.status == 200
    assert answer.events == [ConnectionEnded("the client ended the session")]
    client.server.send_packets(0, [b"late"])
    assert client.server.data_to_send() == b""
    assert client.server.next_deadline() is None


def test_a_request_without_cseq_is_refused(client: Client) -> None:
    for line in ("", "CSeq: x\r\n"):
        client.send(f"OPTIONS * RTSP/1.0\r\n{line}\r\n".encode())
        (response,) = client.responses()
        assert response.status == 400
    assert client.request("OPTIONS").status == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS * RTSP/2.0\r\n", 505),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS client hello\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nContent-Length: x\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nX: " + b"x" * 20_000, 400),
    ],
)
def test_what_cannot_be_read_is_answered_and_ends_the_connection(client: Client, line: bytes, status: int) -> None:
    events = client.send(line + b"\r\n")
    (response,) = client.responses()
    assert response.status == status
    (ended,) = events
    assert isinstance(ended, ConnectionEnded)
    assert ended.is_fault
    assert client.server.state is ServerState.CLOSED


def test_garbage_between_requests_ends_the_connection(client: Client) -> None:
    client.play()
    events = client.send(b"\x00\x01\x02\x03 garbage\r\n" + b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n")
    assert events == [ConnectionEnded("what the client sent is no RTSP", is_fault=True)]
    (response,) = client.responses()
    assert response.status == 400


def test_a_url_that_is_none(client: Client) -> None:
    assert client.request("DESCRIBE", "http://127.0.0.1/front-door").status == 400
    assert client.request("SETUP", "rtsp://[::1/track0", f"Transport: {TCP}").status == 400
    assert client.server.state is ServerState.INIT


def test_responses_to_what_was_never_asked_are_ignored(client: Client) -> None:
    assert client.send(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n") == []
    assert client.server.data_to_send() == b""


def test_packets_are_interleaved_in_order(client: Client) -> None:
    client.play()
    client.server.send_packets(0, [b"one", b"two"])
    client.server.send_packets(1, [b"report"])
    assert client.responses() == []
    assert client.media == [(0, b"one"), (0, b"two"), (1, b"report")]
    assert client.server.statistics().packets_sent == 3


def test_packets_that_are_interleaved_already(client: Client) -> None:
    client.play()
    client.server.send_interleaved(interleave(0, b"one") + interleave(0, b"two"), 2)
    assert client.responses() == []
    assert client.media == [(0, b"one"), (0, b"two")]
    assert client.server.statistics().packets_sent == 2


def test_packets_that_the_shell_sends_are_counted_while_they_are_due(client: Client) -> None:
    assert not client.server.count_sent(2)
    client.play()
    assert not client.server.has_data_to_send
    assert client.server.count_sent(2)
    client.server.send_packets(0, [b"one"])
    assert client.server.has_data_to_send
    assert client.server.statistics().packets_sent == 3


def test_nothing_is_sent_before_play(client: Client) -> None:
    client.set_up()
    client.server.send_packets(0, [b"early"])
    client.server.send_interleaved(interleave(0, b"early"), 1)
    assert client.server.data_to_send() == b""


def test_requests_behind_one_that_waits_are_answered_after_it(step_bytes: int) -> None:
    server = RtspServer(0.0)
    data = f"DESCRIBE {URL} RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode()
    for at in range(0, len(data), step_bytes or len(data)):
        server.receive_data(data[at : at + (step_bytes or len(data))], 0.0)
    assert server.data_to_send() == b""
    server.refuse(503, 0.0, reason="the caméra\nis away")
    assert [line for line in server.data_to_send().split(b"\r\n") if line.startswith((b"RTSP", b"CSeq"))] == [
        b"RTSP/1.0 503 Service Unavailable: the cam?ra?is away",
        b"CSeq: 1",
        b"RTSP/1.0 200 OK",
        b"CSeq: 2",
    ]


def test_answers_without_a_question_are_our_own_mistake() -> None:
    server = RtspServer(0.0)
    with pytest.raises(
        WrongState, match="not allowed in state pending: none; allowed in: pending: DESCRIBE, pending: SETUP"
    ):
        server.describe(Description(SDP, ()), 0.0)
    server.receive_data(f"DESCRIBE {URL} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode(), 0.0)
    with pytest.raises(WrongState, match="accept_play is not allowed in state pending: DESCRIBE"):
        server.accept_play([], 0.0)


def test_silence_without_a_session_ends_the_connection(client: Client) -> None:
    client.now = 20.0
    client.request("OPTIONS")
    client.now = 49.0
    client.send(b"OPTIONS * RT")  # a trickle of bytes is no request
    assert client.server.next_deadline() == 50.0
    client.server.handle_deadline(49.9)
    assert client.server.events() == []
    client.server.handle_deadline(50.0)
    assert client.server.events() == [ConnectionEnded("the client was silent for 30 s", is_fault=True)]


def test_requests_and_receiver_reports_keep_a_session(client: Client) -> None:
    session = client.play()
    allowed = 60 + TIMEOUT_GRACE_S
    assert client.server.next_deadline() == allowed
    client.now = 50.0
    client.request("GET_PARAMETER", URL, session)
    assert client.server.next_deadline() == 50 + allowed
    client.now = 100.0
    client.send(interleave(1, RECEIVER_REPORT))
    assert client.server.next_deadline() == 100 + allowed
    assert client.server.statistics().packets_received == 1
    client.server.handle_deadline(100 + allowed)
    assert client.server.state is ServerState.CLOSED


def test_the_client_hangs_up(client: Client) -> None:
    client.play()
    client.server.receive_eof()
    client.server.receive_eof()
    assert client.server.events() == [ConnectionEnded("the client closed the connection")]


def test_statistics(client: Client) -> None:
    client.play()
    statistics = client.server.statistics()
    assert (statistics.state, statistics.requests_received) == ("PLAYING", 2)
    assert statistics.bytes_received > 100


USERS = {"front-door": {"viewer": hash_password("viewer", "secret")}}


class Authorizer:
    """Answers challenges as camgate's own client does."""

    def __init__(self, client: Client, password: str, *, name: str = "viewer") -> None:
        self.client = client
        self._login = ClientLogin(name, password, charset=CredentialCharset.UTF_8, make_cnonce=lambda: "0" * 32)

    def request(self, method: str, url: str, *headers: str) -> Answer:
        header = self._login.header(method, url)
        answer = self.client.request(method, url, *headers, *([f"Authorization: {header}"] if header else []))
        if answer.status == 401:
            challenges = parse_challenges_untrusted(answer.response.headers.get_all("WWW-Authenticate"))
            self._login.take_challenges(challenges, is_refusal=False)
        return answer


@pytest.fixture
def guarded(step_bytes: int) -> Client:
    return Client(step_bytes=step_bytes, access=USERS.get)


def test_a_path_with_a_password(guarded: Client) -> None:
    viewer = Authorizer(guarded, "secret")
    first = viewer.request("DESCRIBE", URL)
    assert (first.status, first.events) == (401, [])
    assert viewer.request("DESCRIBE", URL).status == 200
    assert viewer.request("SETUP", URL + "/track0", f"Transport: {TCP}").status == 200
    assert viewer.request("PLAY", URL, "Session: token1").status == 200
    assert guarded.server.statistics().failed_logins == 0


def test_setup_without_describe_needs_the_password_too(guarded: Client) -> None:
    answer = guarded.request("SETUP", URL + "/track0", f"Transport: {TCP}")
    assert (answer.status, answer.events) == (401, [])


def test_other_paths_need_none(guarded: Client) -> None:
    assert guarded.request("DESCRIBE", "rtsp://127.0.0.1/garden").status == 404


def test_guessing_ends_the_connection(guarded: Client) -> None:
    guesser = Authorizer(guarded, "guess")
    guesser.request("DESCRIBE", URL)
    for _ in range(MAX_FAILED_LOGINS - 1):
        assert guesser.request("DESCRIBE", URL).events == [LoginRefused("front-door")]
    last = guesser.request("DESCRIBE", URL)
    assert last.status == 401
    assert last.events == [LoginRefused("front-door"), ConnectionEnded("too many failed logins", is_fault=True)]


def test_a_login_that_somebody_else_knows_is_right_for_its_path_and_this_connection() -> None:
    policies = ServerPolicies(offers_basic=True, offers_digest=False)
    server = RtspServer(0.0, access=lambda _path: {}, policies=policies)

    def ask(cseq: int, path: str, login: str) -> bytes:
        server.receive_data(
            f"DESCRIBE rtsp://h/{path} RTSP/1.0\r\nCSeq: {cseq}\r\nAuthorization: {login}\r\n\r\n".encode(), 1.0
        )
        return server.data_to_send()

    token, other = ("Basic " + base64.b64encode(login).decode() for login in (b"tom:a.b.c", b"tom:a.b.d"))
    assert ask(1, "front", token) == b""
    assert server.events() == [LoginRefused("front", "tom", "a.b.c")]
    server.accept_login("tom", 1.0)
    assert server.events() == [DescriptionWanted("front")]
    assert server.username == "tom"
    assert server.statistics().failed_logins == 0
    server.refuse(404, 1.0)
    assert server.data_to_send().startswith(b"RTSP/1.0 404")
    ask(2, "front", token)
    assert server.events() == [DescriptionWanted("front")]
    server.refuse(404, 1.0)
    server.data_to_send()
    # Another path or another login is another question.
    for cseq, path, login in ((3, "yard", token), (4, "front", other)):
        ask(cseq, path, login)
        assert isinstance(server.events()[0], LoginRefused)
        server.refuse_login(1.0)
        answer = server.data_to_send()
        assert answer.startswith(b"RTSP/1.0 401")
        assert b"Basic" in answer
        assert b"Digest" not in answer


def test_an_unknown_user_is_answered_as_a_wrong_password_is(guarded: Client) -> None:
    answers = []
    for name in ("viewer", "nobody"):
        guesser = Authorizer(guarded, "guess", name=name)
        guesser.request("DESCRIBE", URL)
        answers.append(guesser.request("DESCRIBE", URL).response)
    known, unknown = ([item for item in answer.headers if item[0] != "CSeq"] for answer in answers)
    assert (answers[0].status, known) == (answers[1].status, unknown)


def test_an_answer_to_an_old_nonce_is_asked_for_again(guarded: Client, step_bytes: int) -> None:
    viewer = Authorizer(Client(step_bytes=step_bytes, access=USERS.get), "secret")
    tokens: Iterator[str] = iter(["fresh nonce", "session"])
    guarded.server = RtspServer(0.0, access=USERS.get, make_token=lambda: next(tokens))
    viewer.request("DESCRIBE", URL)
    viewer.client = guarded
    answer = viewer.request("DESCRIBE", URL)
    assert (answer.status, "stale=true" in answer.header("WWW-Authenticate")) == (401, True)
    assert viewer.request("DESCRIBE", URL).status == 200
