"""The two UDP ports of an RTSP listener: RTP leaves from one, reports leave from the other and come in there.

All clients share the pair, so that a firewall or a container needs two ports. Tasks: a reader of reports a pair.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from camgate.base.log import get_logger
from camgate.serve.datagrams import IP_PKTINFO, Ancillary, Route, UdpSocket

PAIR_ATTEMPTS = 20
"""For a free pair where any will do: the port above the one that the kernel chooses may be taken."""

RECEIVE_BYTES = 2048
"""Reports have some hundred bytes; of others only that they came matters."""

READS_PER_TURN = 32
"""However much arrives, the media has its turn."""

log = get_logger("serve.rtsp")

Client = tuple[str, int]
"""Address and port that reports come from."""


class UdpPorts:
    """A bound pair of ports. Owns no task: `read_reports` is run by whoever opened it."""

    def __init__(self, rtp: UdpSocket, rtcp: UdpSocket) -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self.strangers = 0
        """Datagrams from nobody who plays; nothing is done with them."""
        self._listeners: dict[Client, Callable[[], None]] = {}

    @classmethod
    def bind(cls, family: int, host: str, port: int) -> "UdpPorts":
        """Open `port` and the one above on `host`; 0 takes any free pair. Raises OSError as bind(2) does."""
        for attempt in range(PAIR_ATTEMPTS):
            rtp = UdpSocket.bind(family, host, port)
            first: int = rtp.sock.getsockname()[1]
            try:
                return cls(rtp, UdpSocket.bind(family, host, first + 1))
            except (OSError, OverflowError) as error:
                rtp.sock.close()
                if port or attempt == PAIR_ATTEMPTS - 1:
                    raise OSError(errno.EADDRINUSE, f"no UDP port {first + 1}") from error
        raise AssertionError("the last attempt raises")

    @property
    def numbers(self) -> tuple[int, int]:
        return self.rtp.sock.getsockname()[1], self.rtcp.sock.getsockname()[1]

    def close(self) -> None:
        self.rtp.sock.close()
        self.rtcp.sock.close()

    def routes(self, host: str, ports: tuple[int, int], local: str) -> tuple[Route, Route]:
        """Return the ways to a client's two ports; datagrams leave from `local`, where its connection came to."""
        pinned = _pinned(self.rtp.family, local)
        rtp, rtcp = (
            Route.to(udp, (host, port), pinned) for udp, port in zip((self.rtp, self.rtcp), ports, strict=True)
        )
        return rtp, rtcp

    @contextmanager
    def heard(self, client: Client, on_report: Callable[[], None]) -> Iterator[None]:
        """Call `on_report` for reports that come from `client`, for the time of the block."""
        self._listeners[client] = on_report
        try:
            yield
        finally:
            # A client that came back with the same ports has taken the place of its dead connection, which ends later.
            if self._listeners.get(client) is on_report:
                del self._listeners[client]

    async def read_reports(self) -> None:
        """Read until cancelled. A report shows that its sender is there; what it says is not needed."""
        sock = self.rtcp.sock
        while True:
            await trio.lowlevel.wait_readable(sock)
            for _ in range(READS_PER_TURN):
                try:
                    data, address = sock.recvfrom(RECEIVE_BYTES)
                except BlockingIOError:
                    break
                except OSError as error:
                    log.debug("an RTCP report was lost", error=error.strerror)
                    break
                self.receive_untrusted(data, address)
            await trio.lowlevel.checkpoint()

    def receive_untrusted(self, data: bytes, address: tuple[str, int]) -> None:
        on_report = self._listeners.get(address[:2])
        # RFC 3550 section 6.1: a compound begins with a sender or receiver report, version 2.
        if on_report is not None and len(data) >= 8 and data[0] >> 6 == 2 and data[1] in (200, 201):
            on_report()
        else:
            self.strangers += 1


def _pinned(family: int, local: str) -> Ancillary:
    """Return the control message that makes datagrams leave from `local`."""
    if "%" in local:
        # A link-local address: the client's own names the interface, and that has no other such address.
        return []
    if family == socket.AF_INET6:
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, socket.inet_pton(family, local) + bytes(4))]
    # struct in_pktinfo: ifindex, spec_dst (our address), addr
    return [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + socket.inet_pton(family, local) + bytes(4))]
