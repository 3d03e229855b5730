"""Which transport is asked for next."""

import pytest

from camgate.base.errors import RemoteError
from camgate.config.model import Transport
from camgate.ingest.errors import CameraHungUp, NoTransportWorks, UdpSilent
from camgate.ingest.transports import Transports, is_refusal
from camgate.wire.rtsp.errors import UnexpectedStatus, UnsupportedTransport

TCP, UDP = Transport.TCP, Transport.UDP
REFUSED = UnexpectedStatus(461, "Unsupported Transport", "SETUP")


def test_auto_begins_with_tcp_and_turns_to_udp_and_stays_there() -> None:
    transports = Transports(Transport.AUTO)
    assert transports.current is TCP
    transports.begin()
    transports.refuse(REFUSED)
    assert transports.current is UDP
    transports.begin()
    assert transports.current is UDP


def test_auto_tries_each_once_a_try_and_then_begins_with_tcp() -> None:
    transports = Transports(Transport.AUTO)
    silent = UdpSilent(3)
    for first, second in [((REFUSED, silent)), ((REFUSED, silent))]:
        transports.begin()
        transports.refuse(first)
        with pytest.raises(NoTransportWorks) as caught:
            transports.refuse(second)
        assert (caught.value.tcp, caught.value.udp) == (REFUSED, silent)
        assert transports.current is TCP


def test_what_turned_to_udp_turns_back_when_that_falls_silent() -> None:
    transports = Transports(Transport.AUTO)
    transports.refuse(REFUSED)
    transports.begin()
    transports.refuse(UdpSilent(3))
    assert transports.current is TCP
    with pytest.raises(NoTransportWorks):
        transports.refuse(REFUSED)


@pytest.mark.parametrize("configured", [TCP, UDP, Transport.HTTP])
def test_what_is_configured_is_not_left(configured: Transport) -> None:
    transports = Transports(configured)
    with pytest.raises(UnexpectedStatus):
        transports.refuse(REFUSED)
    assert transports.current is configured


def test_tls_is_not_left_for_udp() -> None:
    transports = Transports(Transport.AUTO)
    with pytest.raises(UnexpectedStatus):
        transports.refuse(REFUSED, is_protected=True)
    assert transports.current is TCP


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (REFUSED, True),
        (UnexpectedStatus(400, "Bad Request", "SETUP"), True),
        (UnsupportedTransport("RTP/AVP/UDP"), True),
        (UdpSilent(3), True),
        (UnexpectedStatus(453, "Not Enough Bandwidth", "SETUP"), False),
        (UnexpectedStatus(400, "Bad Request", "PLAY"), False),
        (CameraHungUp("gone"), False),
    ],
)
def test_what_is_about_the_transport(error: RemoteError, expected: bool) -> None:
    assert is_refusal(error) is expected
