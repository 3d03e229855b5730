"""Media over UDP: a pair of ports a track (RFC 3550, 11), read by `Arrivals` like all sockets, put in order.

`UdpMedia` belongs to one session, which gives it the tracks' server ports and is given packets by (channel, packet), as
an interleaved connection gives them: a track's RTP on an even channel, its RTCP on the next one.
"""

import math
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import ip_address
from secrets import randbits
from typing import Any

from camgate.base.log import get_logger
from camgate.ingest.arrivals import Arrivals
from camgate.ingest.errors import NoUdpPorts, UdpSilent
from camgate.wire.rtp.packet import build_rtp_header
from camgate.wire.rtp.reorder import ReorderBuffer, ReorderStatistics
from camgate.wire.rtp.rtcp import build_receiver_report
from camgate.wire.rtsp.headers import Transport

log = get_logger("ingest.udp")

DATAGRAM_BYTES = 65_536
"""Tapo sends datagrams of 10,000 bytes (go2rtc)."""

RECEIVE_BUFFER_BYTES = 4 << 20
"""64 KiB lost 9 % of a 2 Mbit/s stream, 4 MiB nothing: key frames come as bursts (coturn#1902)."""

DATAGRAMS_PER_TURN = 256
"""A camera that sends faster than we read must still let the other tasks run."""

BIND_TRIES = 100
"""Pairs to try for: each fails only where the neighbour of a free port is taken."""

SILENCE_S = 3.0
"""No packet for so long after PLAY: a firewall swallows them. gortsplib waits as long before it turns to TCP."""

Packets = list[tuple[int, bytes | memoryview]]
Deliver = Callable[[Packets, float], None]


@dataclass(slots=True, kw_only=True)
class UdpStatistics(ReorderStatistics):
    """Of all tracks together. foreign: datagrams that came from elsewhere than the camera, dropped."""

    foreign: int = 0


Address = tuple[Any, ...]
"""As sockets have them: host and port, and with IPv6 flow and scope behind."""


class PortPair:
    """The two sockets of one track. Raises OSError where none can be bound."""

    def __init__(self, family: socket.AddressFamily, local: Address, payload_type: int | None = None) -> None:
        self.rtp, self.rtcp = _bind_pair(family, local)
        self.order = ReorderBuffer(payload_type)
        self.foreign = 0
        self.rtcp_to: Address | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """Local ports for RTP and RTCP."""
        return self.rtp.getsockname()[1], self.rtcp.getsockname()[1]

    def close(self) -> None:
        """Free the ports."""
        self.rtp.close()
        self.rtcp.close()


class UdpMedia:
    """The ports of one session's tracks: open them, tell by `set_up` what the camera answers, close at the end.

    local, camera: the addresses of the RTSP connection, which are those of its media, too.
    """

    def __init__(self, family: socket.AddressFamily, local: Address, camera: Address) -> None:
        self._family = family
        self._local = local
        self._camera = camera
        self._sources = {camera[0]}
        self._pairs: list[PortPair] = []
        self._watches = ExitStack()
        self._silent_at_s = math.inf
        self._has_received = False

    @classmethod
    def beside(cls, connection: socket.socket) -> "UdpMedia":
        """Make one for the media of the camera at the other end of `connection`. Raises OSError."""
        return cls(connection.family, connection.getsockname(), connection.getpeername())

    def open(self, payload_types: Sequence[int | None], arrivals: Arrivals, deliver: Deliver) -> list[tuple[int, int]]:
        """Bind a pair of ports for each track, have them read, and return their numbers.

        payload_types: what is put in order of each track; None for all.
        deliver: given what arrived, in order, and when. Raises NoUdpPorts.
        """
        for index, payload_type in enumerate(payload_types):
            try:
                pair = PortPair(self._family, self._local, payload_type)
            except OSError as error:
                raise NoUdpPorts(error.strerror or str(error)) from error
            self._pairs.append(pair)
            self._watches.enter_context(arrivals.watch(pair.rtp, partial(self._read_rtp, index, deliver)))
            self._watches.enter_context(arrivals.watch(pair.rtcp, partial(self._read_rtcp, index, deliver)))
        return [pair.ports for pair in self._pairs]

    def set_up(self, index: int, transport: Transport) -> None:
        """Take note of where the camera sends a track from, and open the way for it through firewalls.

        transport: of the answer to SETUP. OpenIPC answers `server_port=0-1`, FRITZ!Box none; `source` may be a name.
        """
        pair = self._pairs[index]
        if transport.source is not None and _is_address(transport.source):
            # Only to be taken from: what we send goes to who talks RTSP with us, and to nobody whom he names.
            self._sources.add(transport.source)
        if transport.server_port is not None and transport.server_port[0] > 1:
            rtp_port, rtcp_port = transport.server_port
            pair.rtcp_to = _at(self._camera, rtcp_port)
            _send(pair.rtp, build_rtp_header(0, 0, 0, randbits(32)), _at(self._camera, rtp_port))
            _send(pair.rtcp, build_receiver_report(randbits(32)), pair.rtcp_to)

    def start(self, now: float) -> None:
        """The camera has agreed to play: from now on its silence counts."""
        if not self._has_received:
            self._silent_at_s = now + SILENCE_S

    def send_report(self, channel: int, report: bytes) -> None:
        """Send RTCP about the track of an RTCP channel, if it is known where to."""
        pair = self._pairs[channel // 2]
        if pair.rtcp_to is not None:
            _send(pair.rtcp, report, pair.rtcp_to)

    @property
    def is_holding(self) -> bool:
        """Whether packets wait for others, so that `next_deadline` has come nearer."""
        return any(pair.order.is_holding for pair in self._pairs)

    def next_deadline(self) -> float:
        """When `handle_deadline` is due; infinity for never."""
        deadlines = (pair.order.next_deadline() for pair in self._pairs)
        return min([self._silent_at_s, *(deadline for deadline in deadlines if deadline is not None)])

    def handle_deadline(self, now: float) -> Packets:
        """Return packets that have waited long enough. Raises UdpSilent when nothing has come for too long."""
        if now >= self._silent_at_s:
            raise UdpSilent(SILENCE_S)
        waited = [(2 * index, pair.order.handle_deadline(now)) for index, pair in enumerate(self._pairs)]
        return [(channel, packet) for channel, packets in waited for packet in packets]

    def statistics(self) -> UdpStatistics:
        """Return the counters of all tracks together."""
        counts = [pair.order.counts for pair in self._pairs]
        return UdpStatistics(
            packets=sum(count.packets for count in counts),
            reordered=sum(count.reordered for count in counts),
            lost=sum(count.lost for count in counts),
            late=sum(count.late for count in counts),
            malformed=sum(count.malformed for count in counts),
            ignored=sum(count.ignored for count in counts),
            strays=sum(count.strays for count in counts),
            restarts=sum(count.restarts for count in counts),
            foreign=sum(pair.foreign for pair in self._pairs),
        )

    def close(self) -> None:
        """Read no more, and free the ports."""
        self._watches.close()
        for pair in self._pairs:
            pair.close()

    def _read_rtp(self, index: int, deliver: Deliver, now: float) -> None:
        pair = self._pairs[index]
        packets, sender = self._drain(pair, pair.rtp)
        ordered = pair.order.receive_untrusted(packets, now)
        if ordered or pair.order.is_holding:
            self._note_received()
            if pair.rtcp_to is None and sender is not None:
                # RFC 3550, 11: RTCP is on the next higher port; its own packets will tell if it is not.
                pair.rtcp_to = _at(sender, sender[1] + 1)
            deliver([(2 * index, packet) for packet in ordered], now)

    def _read_rtcp(self, index: int, deliver: Deliver, now: float) -> None:
        pair = self._pairs[index]
        packets, sender = self._drain(pair, pair.rtcp)
        if packets:
            self._note_received()
            pair.rtcp_to = sender
            deliver([(2 * index + 1, packet) for packet in packets], now)

    def _note_received(self) -> None:
        self._has_received = True
        self._silent_at_s = math.inf

    def _drain(self, pair: PortPair, port: socket.socket) -> tuple[list[bytes], Address | None]:
        """Read the camera's datagrams that are there, and who sent the last one.

        To have each datagram's object made by the kernel's call costs less than to copy it out of a shared buffer.
        """
        packets: list[bytes] = []
        read, sources = port.recvfrom, self._sources
        last: Address | None = None
        # Any OSError but this one tells of a packet that we sent (ICMP), and nothing of those that come.
        with suppress(OSError):
            for _ in range(DATAGRAMS_PER_TURN):
                packet, sender = read(DATAGRAM_BYTES)
                if sender[0] in sources:
                    packets.append(packet)
                    last = sender
                else:
                    pair.foreign += 1
        return packets, last


def _bind_pair(family: socket.AddressFamily, local: Address) -> tuple[socket.socket, socket.socket]:
    # RFC 3550, 11: "RTP SHOULD use an even destination port number and the corresponding RTCP stream SHOULD use the
    # next higher (odd) destination port number."
    tries = range(BIND_TRIES)
    for left in reversed(tries):
        one, other = _open(family), _open(family)
        try:
            one.bind(_at(local, 0))
            port = one.getsockname()[1]
            other.bind(_at(local, port ^ 1))
        except OSError:
            one.close()
            other.close()
            if not left:
                raise
            continue
        rtp, rtcp = (other, one) if port & 1 else (one, other)
        _enlarge(rtp)
        return rtp, rtcp
    raise AssertionError("unreachable")


def _open(family: socket.AddressFamily) -> socket.socket:
    return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


def _enlarge(port: socket.socket) -> None:
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    # The kernel doubles what it is asked for, for its own bookkeeping (socket(7)).
    got = port.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    if got < RECEIVE_BUFFER_BYTES:
        _warn_small(got)


@cache
def _warn_small(got_bytes: int) -> None:
    """Say so once a run, whatever number of cameras it is about."""
    log.warning(
        "UDP receive buffers are small, so key frames of cameras over UDP may lose packets: raise net.core.rmem_max",
        bytes=got_bytes,
        wanted_bytes=RECEIVE_BUFFER_BYTES,
    )


def _at(address: Address, port: int) -> Address:
    return (address[0], port, *address[2:])


def _send(port: socket.socket, packet: bytes, to: Address) -> None:
    # A report that does not get away is one that was lost on the way. OverflowError: beside port 65,535 there is none.
    with suppress(OSError, OverflowError):
        port.sendto(packet, to)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
