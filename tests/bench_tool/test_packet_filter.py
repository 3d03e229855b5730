"""The kernel's filter, on real sockets."""

import socket
from collections.abc import Iterator

import pytest

from camgate.bench.packet_filter import keep_one_in_32
from camgate.wire.rtp.packet import build_rtp_header

PHASE = 5
Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        keep_one_in_32(receiver, PHASE)
        sender.connect(receiver.getsockname())
        yield sender, receiver


def arrived(receiver: socket.socket) -> list[bytes]:
    """Everything that the kernel kept; on loopback it is there when send(2) returns."""
    datagrams = []
    while True:
        try:
            datagrams.append(receiver.recv(2048))
        except BlockingIOError:
            return datagrams


@pytest.mark.parametrize("payload_type", [96, 106, 127, 0, 35])
@pytest.mark.parametrize(("marker", "rtp_time"), [(False, PHASE << 12), (True, 0), (True, PHASE + 1 << 12)])
def test_one_rtp_packet_in_32_arrives(sockets: Sockets, payload_type: int, marker: bool, rtp_time: int) -> None:
    sender, receiver = sockets
    for sequence in range(65_500, 65_500 + 128):
        sender.send(build_rtp_header(payload_type, sequence, rtp_time, 1, marker=marker) + b"media")
    assert [int.from_bytes(packet[2:4], "big") for packet in arrived(receiver)] == [65_504, 0, 32, 64]


@pytest.mark.parametrize("fps", [10, 25, 30])
def test_the_last_packets_of_about_one_frame_in_32_arrive(sockets: Sockets, fps: int) -> None:
    sender, receiver = sockets
    for frame in range(32 * 20):
        rtp_time = 0xFFFF_0000 + frame * 90_000 // fps & 0xFFFFFFFF
        sender.send(build_rtp_header(96, 1, rtp_time, 1, marker=True) + b"media")
    assert 15 <= len(arrived(receiver)) <= 25


@pytest.mark.parametrize(
    "first_bytes",
    ["00010000", "01010001", "16fefd01", "17fefd01", "80c80001", "81c90001", "81cd0001", "81ce0001", "80cb0001"],
)
def test_stun_dtls_and_rtcp_all_arrive(sockets: Sockets, first_bytes: str) -> None:
    sender, receiver = sockets
    datagram = bytes.fromhex(first_bytes) + bytes(40)
    sender.send(datagram)
    assert arrived(receiver) == [datagram]


def test_a_datagram_too_short_to_look_at_does_no_harm(sockets: Sockets) -> None:
    sender, receiver = sockets
    sender.send(b"\x80")
    sender.send(b"")
    assert len(arrived(receiver)) <= 1
