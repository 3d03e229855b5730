import pytest

from camgate.wire.rtsp.headers import (
    Session,
    Transport,
    parse_public_untrusted,
    parse_session_untrusted,
    parse_transports_untrusted,
)


@pytest.mark.parametrize(
    ("value", "session"),
    [
        ("12345678", Session("12345678", 60.0)),
        ("12345678;timeout=15", Session("12345678", 15.0)),
        (" 708345999 ; Timeout = 30 ;", Session("708345999", 30.0)),
        ("1341;", Session("1341")),
        ("1;timeout=0", Session("1")),
        ("1;timeout=soon", Session("1")),
        ("1;x=y;timeout=7", Session("1", 7.0)),
        ("1;timeout=999999999", Session("1", 86400.0)),
        ("", None),
        (";timeout=60", None),
    ],
)
def test_session(value: str, session: Session | None) -> None:
    assert parse_session_untrusted(value) == session


@pytest.mark.parametrize(
    ("value", "transport"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", Transport(interleaved=(2, 3))),
        ("RTP/AVP/TCP;unicast;interleaved=4", Transport(interleaved=(4, 5))),
        ("RTP/AVP/TCP; interleaved = 0 - 1 ", Transport(interleaved=(0, 1))),
        ("RTP/AVP/TCP;interleaved=254-255", Transport(interleaved=(254, 255))),
        ("RTP/AVP/TCP;interleaved=255", Transport()),
        ("RTP/AVP/TCP;interleaved=0-256", Transport()),
        ("RTP/AVP/TCP;interleaved=1-1", Transport()),
        ("RTP/AVP/TCP;interleaved=a-b", Transport()),
        ("RTP/AVP/TCP;ssrc=1A2B3C4D;interleaved=0-1", Transport(interleaved=(0, 1), ssrc=0x1A2B3C4D)),
        ("RTP/AVP/TCP;interleaved=0-1;ssrc= d6d6627", Transport(interleaved=(0, 1), ssrc=0xD6D6627)),
        ("RTP/AVP/TCP;interleaved=0-1;ssrc=nonsense", Transport(interleaved=(0, 1))),
        ("RTP/AVP/TCP;interleaved=0-1;ssrc=123456789", Transport(interleaved=(0, 1))),
        (
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=10.0.0.1",
            Transport(protocol="RTP/AVP", client_port=(5000, 5001), server_port=(6000, 6001), source="10.0.0.1"),
        ),
        ("RTP/AVP;multicast;server_port=0-1;source=", Transport(protocol="RTP/AVP", is_unicast=False)),
    ],
)
def test_transport(value: str, transport: Transport) -> None:
    assert parse_transports_untrusted(value) == [transport]


def test_transport_alternatives_keep_their_order() -> None:
    alternatives = parse_transports_untrusted("RTP/AVP;unicast;client_port=5000-5001, RTP/AVP/TCP;interleaved=0-1,")
    assert [alternative.protocol for alternative in alternatives] == ["RTP/AVP", "RTP/AVP/TCP"]
    assert parse_transports_untrusted(" ") == []


@pytest.mark.parametrize(
    ("value", "names_udp"),
    [
        ("RTP/AVP/TCP;interleaved=0-1", False),
        ("RTP/AVP;interleaved=0-1", False),
        ("RTP/AVP/TCP", False),
        ("RTP/AVP", False),
        ("RTP/AVP;client_port=5000-5001", True),
        ("RTP/AVP;server_port=5000-5001", True),
        ("RTP/AVP;multicast", True),
    ],
)
def test_what_names_udp(value: str, names_udp: bool) -> None:
    assert parse_transports_untrusted(value)[0].names_udp is names_udp


def test_transport_text_reads_back() -> None:
    transports = [
        Transport(interleaved=(0, 1)),
        Transport(interleaved=(6, 7), ssrc=0xD6D6627),
        Transport(protocol="RTP/AVP", is_unicast=False, server_port=(6000, 6001), source="10.0.0.1"),
        Transport(protocol="RTP/AVP", client_port=(5000, 5001)),
    ]
    assert [parse_transports_untrusted(str(transport))[0] for transport in transports] == transports
    assert str(transports[0]) == "RTP/AVP/TCP;unicast;interleaved=0-1"


def test_public_lists_methods_of_all_its_headers() -> None:
    assert parse_public_untrusted(["OPTIONS, Describe ,", "PLAY"]) == {"OPTIONS", "DESCRIBE", "PLAY"}
    assert parse_public_untrusted([]) == frozenset()
