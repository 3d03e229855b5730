"""Which of the transports that a client offers in SETUP is taken, and what is answered (RFC 2326 section 12.39)."""

from collections.abc import Set as AbstractSet

from camgate.wire.rtsp.errors import RtspRemoteError, printable
from camgate.wire.rtsp.headers import Transport, parse_transports_untrusted
from camgate.wire.rtsp.server_events import Datagrams, Interleaved

LEAST_CLIENT_PORT = 1024
"""Media never goes to the ports of a machine's own services, whatever a client asks for."""

_OVER_TCP, _OVER_UDP = "RTP/AVP/TCP", ("RTP/AVP", "RTP/AVP/UDP")
_CHANNEL_PAIRS = [(channel, channel + 1) for channel in range(0, 256, 2)]


class UnservedTransport(RtspRemoteError):
    """None of the transports that a client offers is served."""

    def __init__(self, problem: str, served: str) -> None:
        super().__init__(problem, served)
        self.problem = problem
        self.served = served

    def __str__(self) -> str:
        return f"{self.problem}; ask for {self.served}"


def choose_transport_untrusted(
    header: str, *, taken_channels: AbstractSet[int], udp_ports: tuple[int, int] | None
) -> Transport:
    """Return the first transport of a Transport header that is served, as it is to be answered.

    taken_channels: those of the session's other tracks. udp_ports: ours for RTP and RTCP, None where UDP is not served.
    Raises UnservedTransport.
    """
    problem = "no transport is offered"
    for transport in parse_transports_untrusted(header):
        found = _problem(transport, udp_ports)
        if found is not None:
            problem = found
        elif transport.protocol.upper() == _OVER_TCP:
            return Transport(interleaved=_choose_channels(transport, taken_channels))
        else:
            # The answer repeats the client's ports. Its `destination` is not even read: a client could aim media at
            # somebody else by it.
            return Transport(protocol=transport.protocol, client_port=transport.client_port, server_port=udp_ports)
    over_udp = "" if udp_ports is None else " or RTP/AVP;unicast;client_port=PORT-PORT"
    raise UnservedTransport(problem, f"{_OVER_TCP};unicast{over_udp}")


def way_of(transport: Transport) -> Interleaved | Datagrams:
    """Return how media goes by a transport that was chosen."""
    if transport.interleaved is not None:
        return Interleaved(*transport.interleaved)
    assert transport.client_port is not None
    return Datagrams(*transport.client_port)


def _problem(transport: Transport, udp_ports: tuple[int, int] | None) -> str | None:
    """Say why a transport is not served; None where it is."""
    protocol = transport.protocol.upper()
    if not transport.is_unicast:
        return "multicast is not served"
    if protocol == _OVER_TCP:
        return None
    if protocol not in _OVER_UDP:
        return f"{printable(transport.protocol)} is not served"
    if udp_ports is None:
        return "UDP is not served"
    if transport.client_port is None:
        return "client_port is missing"
    is_privileged = min(transport.client_port) < LEAST_CLIENT_PORT
    return f"client_port is below {LEAST_CLIENT_PORT}" if is_privileged else None


def _choose_channels(transport: Transport, taken: AbstractSet[int]) -> tuple[int, int]:
    # Section 12.39: the server may choose other channels than the client proposes.
    wanted = [transport.interleaved] if transport.interleaved else []
    return next(pair for pair in [*wanted, *_CHANNEL_PAIRS] if taken.isdisjoint(pair))
