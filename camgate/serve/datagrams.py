"""UDP as the sender wants it: one system call for the packets of a frame (generic segmentation offload, GSO).

Knows nothing of RTP. A full socket buffer is an answer, never a wait.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

from camgate.base.log import get_logger

log = get_logger("serve.datagrams")

UDP_SEGMENT = 103  # linux/udp.h; Python's socket module does not name it
SO_MEMINFO = 55  # asm-generic/socket.h
MAX_SEGMENTS = 44
"""Segments a call: older kernels take 64, and 44 x 1,200 bytes stay below the 65,507 of a UDP datagram."""
SEND_BUFFER_BYTES = 4 << 20
RECEIVE_BUFFER_BYTES = 4 << 20
IP_PKTINFO = 8  # linux/in.h
_IN_PKTINFO_BYTES = 12

# The network card of this path cannot segment (no checksum offload, IPsec), or a segment is larger than the path takes
# (EINVAL or EMSGSIZE, by the kernel's version). Sent alone, such a packet is fragmented by IP.
_GSO_REFUSED = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
_FULL = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}

Address = tuple[str, int] | tuple[str, int, int, int]
Ancillary = list[tuple[int, int, bytes]]
PathKey = tuple[int, Address, bytes]
"""Between which addresses a datagram went: the socket's number, the viewer's address, ours (packed; see
`local_address`)."""


class PacketSocket(Protocol):
    """What packets leave by: UDP, or a connection in TCP.

    number: no other socket has it, now or later. is_tcp: it is a connection, which proves the other side's address.
    """

    number: int
    is_tcp: bool

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: "Route") -> bool:
        """Send the joined `buffers` as packets of `segment_bytes` (the last may be shorter; 0 = one packet).

        Returns False when none of them left. Never waits.
        """

    def route_to(self, address: Address, received: Ancillary) -> "Route":
        """Return the way back to where a packet came from, with the control messages that came with it."""


class UdpSocket:
    """A bound, non-blocking UDP socket that sends runs of equal packets in one call.

    Owned by the endpoint's reader task; any task may send.
    """

    __slots__ = ("_gso_was_refused", "family", "number", "send_errors", "send_full", "sock")
    is_tcp = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        # Kept, as the socket's own attribute builds an enum member at each look. There is one socket for each family.
        self.family = self.number = int(sock.family)
        self._gso_was_refused = False
        self.send_full = 0
        self.send_errors = 0

    @classmethod
    def bind(cls, family: int, host: str, port: int) -> "UdpSocket":
        """Open a socket on `host` and `port`; raises OSError as bind(2) does."""
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: "Route") -> bool:
        """Send the joined `buffers` as datagrams of `segment_bytes` (the last may be shorter; 0 = one datagram).

        Returns False when none of them left, because the socket's buffer is full or the network refused them.
        """
        if segment_bytes and not route.gso:
            return self._send_one_by_one(b"".join(buffers), segment_bytes, route)
        ancillary: Ancillary = route.ancillary
        if segment_bytes:
            ancillary = [*ancillary, (socket.SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(segment_bytes))]
        try:
            self.sock.sendmsg(buffers, ancillary, 0, route.address)
        except OSError as exc:
            if segment_bytes and exc.errno in _GSO_REFUSED:
                self._give_up_gso(route, exc)
                return self._send_one_by_one(b"".join(buffers), segment_bytes, route)
            return self._count(exc)
        return True

    def _send_one_by_one(self, data: bytes, segment_bytes: int, route: "Route") -> bool:
        left = False
        try:
            for start in range(0, len(data), segment_bytes):
                self.sock.sendmsg([data[start : start + segment_bytes]], route.ancillary, 0, route.address)
                left = True
        except OSError as exc:
            self._count(exc)
        # Once a packet has left its number is used up: "nothing left" would let it be given to another.
        return left

    def _give_up_gso(self, route: "Route", exc: OSError) -> None:
        # For this way only: a viewer can make the kernel believe that the path to it is narrow.
        route.gso = False
        if not self._gso_was_refused:
            self._gso_was_refused = True
            log.warning("UDP segmentation offload refused, packets are sent one by one", error=exc.strerror)

    def route_to(self, address: Address, received: Ancillary) -> "Route":
        """Return the way back; see `Route.to`."""
        return Route.to(self, address, received)

    def lost(self) -> int:
        """Return how many received datagrams the kernel dropped for want of room (0 where it does not say)."""
        try:
            # linux/sock_diag.h: the last of nine values is SK_MEMINFO_DROPS.
            return int(_MEMINFO.unpack(self.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))[-1])
        except (OSError, struct.error):
            return 0

    def _count(self, exc: OSError) -> bool:
        if exc.errno in _FULL:
            self.send_full += 1
        else:
            self.send_errors += 1
        return False


_SEGMENT = struct.Struct("=H")
_MEMINFO = struct.Struct("=9I")


class Route:
    """Where a viewer is reached: our socket, its address and, where the kernel's choice would be another, our address.

    A viewer accepts packets only from the address that it sent its checks to (RFC 8445 section 7.2.5.2.1). On a host
    with several addresses the kernel may choose another source; `ancillary` then pins it by IP_PKTINFO.
    gso: whether this way takes segmented sends, as far as is known.
    """

    __slots__ = ("address", "ancillary", "gso", "socket")

    def __init__(self, socket: PacketSocket, address: Address, ancillary: Ancillary) -> None:
        self.socket = socket
        self.address = address
        self.ancillary = ancillary
        self.gso = True

    @classmethod
    def to(cls, udp: UdpSocket, address: Address, received: Ancillary) -> "Route":
        """Make the way back to `address`, given the control messages that came with its packet."""
        family = udp.family
        for level, kind, data in received:
            if family == socket.AF_INET and (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                # struct in_pktinfo: ifindex, spec_dst (our address), addr
                local = socket.inet_ntop(family, data[4:8])
                pinned = (level, kind, bytes(4) + data[4:8] + bytes(4))
            elif family == socket.AF_INET6 and (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                local = socket.inet_ntop(family, data[:16])
                pinned = (level, kind, data)
            else:
                continue
            if local != _kernel_source(family, address):
                return cls(udp, address, [pinned])
        return cls(udp, address, [])

    def send(self, datagram: bytes) -> bool:
        """Send one datagram."""
        return self.socket.send([datagram], 0, self)


def segment_runs(sizes: list[int]) -> list[tuple[int, int, int, int]]:
    """Group packets for GSO: all of a run have one size, but the last may be shorter.

    Returns (first byte, end byte, segment size or 0 for a single packet, packets).
    """
    runs = []
    first = begin = 0
    while first < len(sizes):
        size = sizes[first]
        end, stop = first + 1, begin + size
        while end < len(sizes) and sizes[end] <= size and end - first < MAX_SEGMENTS:
            stop += sizes[end]
            end += 1
            if sizes[end - 1] < size:
                break
        runs.append((begin, stop, size if end - first > 1 else 0, end - first))
        first, begin = end, stop
    return runs


def local_address(received: Ancillary) -> bytes:
    """Return which of our addresses a datagram came to, packed, from its control messages; empty when they say none."""
    for _, _, data in received:
        # struct in_pktinfo has 12 bytes: ifindex, spec_dst, addr. struct in6_pktinfo has 20: addr, ifindex.
        return data[4:8] if len(data) == _IN_PKTINFO_BYTES else data[:16]
    return b""


def _kernel_source(family: int, address: Address) -> str | None:
    """Ask the kernel which of our addresses it would send from."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            return None
        name: str = probe.getsockname()[0]
        return name
