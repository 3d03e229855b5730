"""What a camera's packet costs over UDP: the ways to read a datagram, and the whole way of ours; interleaved beside it.

Run: python -m tests.bench.bench_udp

Python has no recvmmsg. UDP_GRO gives several datagrams of one sender at once where the network card, or as here the
sender (UDP_SEGMENT), put them together; cameras do not, and loopback does not by itself.
"""

import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import trio

from camgate.ingest.link import Link
from camgate.ingest.tls import TlsLink, unverified_context
from camgate.ingest.udp import UdpMedia
from camgate.wire.rtp.packet import build_rtp_header
from camgate.wire.rtp.reorder import ReorderBuffer
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from tests.fakes.certificates import make_certificate

ROUNDS = 60
BURST = 44
"""A key frame of 60 kB."""
PACKET_BYTES = 1400
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
CONTROL_BYTES = socket.CMSG_SPACE(4)

buffer = memoryview(bytearray(65_536))


def packets_of(first: int) -> list[bytes]:
    """Return a burst of RTP packets."""
    return [
        build_rtp_header(96, first + i & 0xFFFF, first, 1) + b"\x7c\x05" + bytes(PACKET_BYTES - 14)
        for i in range(BURST)
    ]


def udp_pair() -> tuple[socket.socket, socket.socket]:
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    receiver.bind(("127.0.0.1", 0))
    receiver.setblocking(False)
    sender.connect(receiver.getsockname())
    return receiver, sender


def with_recv_into(receiver: socket.socket) -> list[bytes]:
    """Look at no sender: what a connected socket would allow."""
    found = []
    try:
        while True:
            size = receiver.recv_into(buffer)
            found.append(bytes(buffer[:size]))
    except BlockingIOError:
        return found


def with_recvfrom_into(receiver: socket.socket) -> list[bytes]:
    """Look at the sender, as camgate does."""
    found = []
    try:
        while True:
            size, sender = receiver.recvfrom_into(buffer)
            if sender[0] == "127.0.0.1":
                found.append(bytes(buffer[:size]))
    except BlockingIOError:
        return found


def with_recvfrom(receiver: socket.socket) -> list[bytes]:
    """Have a new object made for each, as large as the largest datagram, and cut to size."""
    found = []
    try:
        while True:
            data, sender = receiver.recvfrom(65_536)
            if sender[0] == "127.0.0.1":
                found.append(data)
    except BlockingIOError:
        return found


def with_gro(receiver: socket.socket) -> list[bytes]:
    """Read what was put together, and take it apart by the size that comes with it."""
    found = []
    try:
        while True:
            size, control, _, sender = receiver.recvmsg_into([buffer], CONTROL_BYTES)
            if sender[0] == "127.0.0.1":
                segment = struct.unpack("i", control[0][2])[0] if control else size
                data = bytes(buffer[:size])
                found += [data[at : at + segment] for at in range(0, size, segment)]
    except BlockingIOError:
        return found


def send_each(sender: socket.socket, packets: list[bytes]) -> None:
    for packet in packets:
        sender.send(packet)


def send_together(sender: socket.socket, packets: list[bytes]) -> None:
    segment = [(SOL_UDP, UDP_SEGMENT, struct.pack("H", PACKET_BYTES))]
    sender.sendmsg(packets, segment)


def measure(
    name: str,
    read: Callable[[socket.socket], object],
    send: Callable[[socket.socket, list[bytes]], None] = send_each,
    *,
    gro: bool = False,
) -> None:
    receiver, sender = udp_pair()
    if gro:
        receiver.setsockopt(SOL_UDP, UDP_GRO, 1)
    best_s = float("inf")
    with receiver, sender:
        for number in range(ROUNDS):
            send(sender, packets_of(number * BURST))
            begin = perf_counter()
            found = read(receiver)
            best_s = min(best_s, perf_counter() - begin)
            assert len(found) == BURST  # type: ignore[arg-type]
    print(f"{name:<52} {best_s / BURST * 1e6:6.2f} us a packet")


def measure_ours() -> None:
    """The way of `UdpMedia`: read, look at the sender, put in order."""
    media = UdpMedia(socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", 0))
    order = ReorderBuffer(96)

    def read(receiver: socket.socket) -> list[bytes]:
        pair.rtp = receiver
        return order.receive_untrusted(media._drain(pair, receiver)[0], 0.0)

    class Pair:
        rtp: socket.socket
        foreign = 0

    pair: Pair = Pair()
    measure("camgate: read, and put in order", read)  # type: ignore[arg-type]
    measure_order()


def measure_order() -> None:
    best_s = float("inf")
    order = ReorderBuffer(96)
    for number in range(ROUNDS):
        packets = packets_of(number * BURST)
        begin = perf_counter()
        order.receive_untrusted(packets, 0.0)
        best_s = min(best_s, perf_counter() - begin)
    print(f"{'of which putting in order':<52} {best_s / BURST * 1e6:6.2f} us a packet")


def measure_interleaved(name: str, link: Link, send: Callable[[bytes], None]) -> None:
    """The same burst interleaved: one read, cut into packets."""
    large = memoryview(bytearray(256 * 1024))
    reader = InterleavedReader()
    reader.channels.add(0)
    best_s = float("inf")
    for number in range(ROUNDS):
        send(b"".join(interleave(0, packet) for packet in packets_of(number * BURST)))
        begin = perf_counter()
        size = link.recv_into(large)
        reader.receive_data(large[:size])
        reader.next_message_untrusted(0.0)
        found = reader.take_packets()
        best_s = min(best_s, perf_counter() - begin)
        assert len(found) == BURST
    print(f"{name:<52} {best_s / BURST * 1e6:6.2f} us a packet")


def measure_streams() -> None:
    receiver, sender = socket.socketpair()
    for end in (receiver, sender):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        end.setblocking(False)
    with receiver, sender, TemporaryDirectory() as folder:
        measure_interleaved("the same over TCP: one read, cut into packets", receiver, sender.sendall)
        context = make_certificate(Path(folder)).context
        link = TlsLink(receiver, unverified_context(), "192.0.2.7")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        trio.run(shake_hands, link, tls, incoming, outgoing, sender)
        with suppress(BlockingIOError):
            link.recv_into(buffer)

        def send(data: bytes) -> None:
            tls.write(data)
            sender.sendall(outgoing.read())

        measure_interleaved("and over TLS", link, send)


async def shake_hands(
    link: TlsLink, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, sender: socket.socket
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.handshake)
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            sender.sendall(outgoing.read())
            await trio.lowlevel.wait_readable(sender)
            incoming.write(sender.recv(65_536))
        sender.sendall(outgoing.read())


def main() -> None:
    measure("recv_into, sender not looked at", with_recv_into)
    measure("recvfrom_into", with_recvfrom_into)
    measure("recvfrom", with_recvfrom)
    measure("recvmsg_into with UDP_GRO, sent one by one", with_gro, gro=True)
    measure("recvmsg_into with UDP_GRO, sent together", with_gro, send_together, gro=True)
    measure_ours()
    measure_streams()


if __name__ == "__main__":
    main()
