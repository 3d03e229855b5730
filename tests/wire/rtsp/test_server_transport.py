"""The choice among a client's transports."""

import pytest

from camgate.wire.rtsp.headers import Transport
from camgate.wire.rtsp.server_events import Datagrams, Interleaved
from camgate.wire.rtsp.server_transport import UnservedTransport, choose_transport_untrusted, way_of

UDP_PORTS = (8554, 8555)


def choose(header: str, *taken: int, udp_ports: tuple[int, int] | None = UDP_PORTS) -> Transport:
    return choose_transport_untrusted(header, taken_channels=set(taken), udp_ports=udp_ports)


def test_the_first_that_is_served_is_taken() -> None:
    offer = "RTP/AVP;multicast;port=7000-7001,RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;interleaved=0-1"
    assert way_of(choose(offer)) == Datagrams(5000, 5001)
    assert way_of(choose(offer, udp_ports=None)) == Interleaved(0, 1)


def test_channels_that_are_taken_are_not_given_twice() -> None:
    assert choose("RTP/AVP/TCP;interleaved=2-3", 0, 1).interleaved == (2, 3)
    assert choose("RTP/AVP/TCP;interleaved=1-2", 0, 1).interleaved == (2, 3)
    assert choose("RTP/AVP/TCP", 0, 1, 3).interleaved == (4, 5)


def test_a_single_client_port_stands_for_a_pair() -> None:
    assert choose("RTP/AVP;unicast;client_port=5000").client_port == (5000, 5001)


def test_what_is_served_is_said() -> None:
    with pytest.raises(UnservedTransport, match=r"multicast is not served; ask for RTP/AVP/TCP;unicast or RTP/AVP;uni"):
        choose("RTP/AVP;multicast")
    with pytest.raises(UnservedTransport, match=r"UDP is not served; ask for RTP/AVP/TCP;unicast$"):
        choose("RTP/AVP;unicast;client_port=5000-5001", udp_ports=None)
