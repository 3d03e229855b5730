"""Whatever a client sends, `RtspServer` answers it or hangs up; it never raises, and its answers are RTSP."""

import socket

from hypothesis import given
from hypothesis import strategies as st

from camgate.serve.rtsp.udp import UdpPorts
from camgate.wire.rtp.rtcp import build_receiver_report
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from camgate.wire.rtsp.message import Response
from camgate.wire.rtsp.server import RtspServer, ServerPolicies
from camgate.wire.rtsp.server_events import (
    Description,
    DescriptionWanted,
    LoginRefused,
    PlayRequested,
    ServedTrack,
    TrackStart,
)
from camgate.wire.rtsp.server_login import Login, ServerLogin, hash_password
from camgate.wire.rtsp.server_states import ServerState
from camgate.wire.rtsp.server_transport import UnservedTransport, choose_transport_untrusted
from tests.fuzz.reach import Reach

TEXT = st.text(st.characters(codec="latin-1"), max_size=20)
METHODS = [
    "OPTIONS",
    "DESCRIBE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "RECORD",
    "X_Y",
]
HOST = "rtsp://127.0.0.1:8554/"
URLS = st.sampled_from(
    [f"{HOST}cam", f"{HOST}cam/", f"{HOST}cam/track0", f"{HOST}secret", "*", "/cam", "rtsp://[", HOST]
)
USERS = {"u": hash_password("u", "p")}
DIGEST = 'Digest username="u", realm="camgate", nonce="t", uri="/secret", response="0", algorithm=MD5'
HEADERS = st.sampled_from(
    [
        "CSeq: 1",
        "Session: t",
        "Session: ;",
        "Transport: RTP/AVP/TCP;unicast;interleaved=0-1",
        "Transport: RTP/AVP/TCP;interleaved=255-300,RTP/AVP",
        "Transport: RTP/AVP;unicast;client_port=5000-5001",
        "Range: npt=0-",
        "Require: x",
        "Accept: application/sdp",
        "Authorization: Basic dTpw",
        f"Authorization: {DIGEST}",
        "Content-Length: 4",
    ]
) | st.builds("{}: {}".format, st.sampled_from(["CSeq", "Session", "Transport", "Range", "Require", "Accept"]), TEXT)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(METHODS))
    url = draw(URLS | st.builds((HOST + "{}").format, TEXT))
    lines = [f"{method} {url} RTSP/1.0", "CSeq: 7", *draw(st.lists(HEADERS, max_size=4))]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


FRAMES = st.builds(interleave, st.integers(0, 255), st.binary(max_size=40))
CONVERSATIONS = st.lists(
    st.one_of(requests(), requests(), requests(), FRAMES, st.binary(max_size=8)), min_size=1, max_size=8
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """A conversation with some bytes changed, cut into pieces."""
    data = bytearray(b"".join([draw(requests()), *draw(CONVERSATIONS)]))
    if data:
        for at, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=2)):
            data[at] = value
    step = draw(st.sampled_from([1, 7, 100, 100_000]))
    return [bytes(data[at : at + step]) for at in range(0, len(data), step)]


def answer_events(server: RtspServer) -> None:
    """Play the shell, which knows the path `cam` and nothing else."""
    while events := server.events():
        for event in events:
            if isinstance(event, DescriptionWanted) and event.path == "cam":
                server.describe(Description("v=0\r\n", (ServedTrack("track0", 1),)), 0.0)
            elif isinstance(event, PlayRequested):
                server.accept_play([TrackStart("track0", 1, 2)], 0.0)
            elif isinstance(event, DescriptionWanted):
                server.refuse(404, 0.0, reason=f"no camera {event.path}")
            elif isinstance(event, LoginRefused):
                server.refuse_login(0.0)


def test_server_answers_or_hangs_up() -> None:
    reach = Reach("rtsp server")

    @given(streams())
    def fuzz(pieces: list[bytes]) -> None:
        policies = ServerPolicies(udp_ports=(8554, 8555))
        server = RtspServer(0.0, access={"secret": USERS}.get, policies=policies, make_token=lambda: "t")
        for piece in pieces:
            server.receive_data(piece, 0.0)
            answer_events(server)
        reach.seen(server.statistics().requests_received > 0)
        assert_answers_are_rtsp(server.data_to_send())
        assert (server.next_deadline() is None) == (server.state is ServerState.CLOSED)

    fuzz()
    reach.check()


def assert_answers_are_rtsp(data: bytes) -> None:
    reader = InterleavedReader(max_resyncs_per_minute=0)
    reader.receive_data(data)
    while (message := reader.next_message_untrusted(0.0)) is not None:
        assert isinstance(message, Response)
    assert reader.offset == len(data)


def test_no_forged_login_is_granted() -> None:
    reach = Reach("rtsp server login")
    names = st.sampled_from(["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "x"])
    values = st.sampled_from(["u", "camgate", "t", "/secret", "MD5", "SHA-256", "MD5-sess", "auth", '"', "\\"]) | TEXT
    items = st.lists(st.builds('{}="{}"'.format, names, values), max_size=8).map(", ".join)
    headers = st.one_of(items.map("Digest {}".format), items.map(f"{DIGEST}, {{}}".format), TEXT.map("Basic {}".format))

    @given(headers)
    def fuzz(header: str) -> None:
        login = ServerLogin("t").check_untrusted(header, method="SETUP", url="rtsp://h/secret", users=USERS)
        shown = ServerLogin("t", offers_basic=True).in_clear_untrusted(header)
        assert shown is None or header.lstrip().lower().startswith("basic")
        reach.seen(login is not Login.MISSING)
        assert login in (Login.MISSING, Login.REFUSED)

    fuzz()
    reach.check()


def test_transports() -> None:
    reach = Reach("rtsp server transports")
    protocols = st.sampled_from(["RTP/AVP", "RTP/AVP/TCP", "RTP/AVP/TCP", "RTP/AVP/UDP", "RTP/SAVP"])
    words = ["unicast", "multicast", "client_port=5000-5001", "client_port=9", "interleaved=0-1", "destination=1.2.3.4"]
    parts = st.lists(st.sampled_from(words) | TEXT, max_size=4)
    offers = st.builds(lambda protocol, parts: ";".join([protocol, *parts]), protocols, parts)
    served = st.sampled_from(["RTP/AVP/TCP;unicast", "RTP/AVP/TCP;interleaved=0-1", "RTP/AVP;client_port=5000-5001"])
    headers = st.lists(offers | TEXT | served, min_size=1, max_size=4).map(",".join)
    ports = st.none() | st.just((8554, 8555))

    @given(headers, st.sets(st.integers(0, 20), max_size=20), ports)
    def fuzz(header: str, taken: set[int], udp_ports: tuple[int, int] | None) -> None:
        try:
            chosen = choose_transport_untrusted(header, taken_channels=taken, udp_ports=udp_ports)
        except UnservedTransport:
            reach.seen(False)
            return
        reach.seen(True)
        assert chosen.is_unicast
        assert taken.isdisjoint(chosen.interleaved or ())
        assert (chosen.interleaved is None) == (chosen.server_port is not None)

    fuzz()
    reach.check()


def test_reports_by_udp() -> None:
    reach = Reach("rtsp server reports by udp")
    ports = UdpPorts.bind(socket.AF_INET, "127.0.0.1", 0)
    client = ("127.0.0.1", 5001)
    senders = st.sampled_from([client, client, ("127.0.0.1", 5002), ("192.0.2.1", 5001)])
    report = build_receiver_report(1)

    @given(st.binary(max_size=64) | st.just(report) | st.integers(0, 8).map(lambda end: report[:end]), senders)
    def fuzz(data: bytes, sender: tuple[str, int]) -> None:
        heard: list[float] = []
        before = ports.strangers
        with ports.heard(client, lambda: heard.append(0.0)):
            ports.receive_untrusted(data, sender)
        reach.seen(sender == client)
        assert len(heard) + ports.strangers - before == 1
        assert not heard or sender == client

    try:
        fuzz()
    finally:
        ports.close()
    reach.check()
