"""Sending in batches: GSO where the kernel has it, one by one where not, never a wait."""

import errno
import socket
from collections.abc import Iterator

import pytest

from camgate.serve.datagrams import UDP_SEGMENT, Route, UdpSocket


@pytest.fixture
def pair() -> Iterator[tuple[UdpSocket, socket.socket]]:
    sender = UdpSocket.bind(socket.AF_INET, "127.0.0.1", 0)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(10)
    yield sender, receiver
    sender.sock.close()
    receiver.close()


def _route(sender: UdpSocket, receiver: socket.socket) -> Route:
    return Route.to(sender, receiver.getsockname(), [])


def test_a_batch_arrives_as_its_segments(pair: tuple[UdpSocket, socket.socket]) -> None:
    sender, receiver = pair
    assert sender.send([b"a" * 100 + b"b" * 100, b"c" * 40], 100, _route(*pair))
    assert [receiver.recv(2048) for _ in range(3)] == [b"a" * 100, b"b" * 100, b"c" * 40]


class Refusing:
    """A kernel socket whose driver refuses segmentation, or whatever `error` is, for the first `times` sends."""

    def __init__(self, real: socket.socket, error: int, times: int = 1_000) -> None:
        self._real = real
        self._error = error
        self._times = times
        self.family = real.family
        self.calls = 0

    def sendmsg(self, buffers: object, ancillary: list, flags: int, address: object) -> int:  # type: ignore[type-arg]
        self.calls += 1
        segmented = any(kind == UDP_SEGMENT for _, kind, _ in ancillary)
        if self._times and (segmented or self._error == errno.EAGAIN):
            self._times -= 1
            raise OSError(self._error, "refused")
        return self._real.sendmsg(buffers, ancillary, flags, address)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL, errno.EMSGSIZE])
def test_where_gso_is_refused_the_failed_batch_and_all_others_go_one_by_one(
    pair: tuple[UdpSocket, socket.socket], error: int
) -> None:
    sender, receiver = pair
    real, route = sender.sock, _route(*pair)
    sender.sock = refusing = Refusing(real, error)  # type: ignore[assignment]
    try:
        for _ in range(2):
            assert sender.send([b"a" * 100, b"b" * 100], 100, route)
            assert [receiver.recv(2048) for _ in range(2)] == [b"a" * 100, b"b" * 100]
        assert refusing.calls == 1 + 2 + 2
    finally:
        sender.sock = real


def test_one_viewers_narrow_path_does_not_end_gso_for_the_others(pair: tuple[UdpSocket, socket.socket]) -> None:
    sender, receiver = pair
    real, narrow, wide = sender.sock, _route(*pair), _route(*pair)
    sender.sock = refusing = Refusing(real, errno.EINVAL, times=1)  # type: ignore[assignment]
    try:
        assert sender.send([b"a" * 100, b"b" * 100], 100, narrow)
        assert (narrow.gso, wide.gso) == (False, True)
        refusing.calls = 0
        assert sender.send([b"a" * 100, b"b" * 100], 100, wide)
        assert refusing.calls == 1
        assert [receiver.recv(2048) for _ in range(4)] == [b"a" * 100, b"b" * 100] * 2
    finally:
        sender.sock = real


class Filling(Refusing):
    """A kernel socket that refuses segmentation and is full from its second packet on."""

    def sendmsg(self, buffers: object, ancillary: list, flags: int, address: object) -> int:  # type: ignore[type-arg]
        if self.calls > 1:
            raise BlockingIOError(errno.EAGAIN, "full")
        return super().sendmsg(buffers, ancillary, flags, address)


def test_a_batch_of_which_one_packet_left_is_not_called_unsent(pair: tuple[UdpSocket, socket.socket]) -> None:
    """The numbers of a batch that did not leave are given to other packets, under the same nonces."""
    sender, receiver = pair
    real, route = sender.sock, _route(*pair)
    sender.sock = Filling(real, errno.EIO)  # type: ignore[assignment]
    try:
        assert sender.send([b"a" * 100, b"b" * 100], 100, route)
        assert receiver.recv(2048) == b"a" * 100
        assert sender.send_full == 1
    finally:
        sender.sock = real


def test_a_full_socket_drops_and_counts(pair: tuple[UdpSocket, socket.socket]) -> None:
    sender, _ = pair
    real, route = sender.sock, _route(*pair)
    sender.sock = Refusing(real, errno.EAGAIN)  # type: ignore[assignment]
    try:
        assert not sender.send([b"a"], 0, route)
        assert sender.send_full == 1
        assert sender.send_errors == 0
    finally:
        sender.sock = real


def test_the_source_address_is_pinned_where_the_kernel_would_choose_another(
    pair: tuple[UdpSocket, socket.socket],
) -> None:
    wildcard = UdpSocket.bind(socket.AF_INET, "0.0.0.0", 0)
    viewer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    viewer.bind(("127.0.0.1", 0))
    viewer.settimeout(10)
    try:
        # 127.0.0.2 is ours too on Linux; without pinning, the answer would come from 127.0.0.1.
        viewer.sendto(b"check", ("127.0.0.2", wildcard.sock.getsockname()[1]))
        wildcard.sock.setblocking(True)
        wildcard.sock.settimeout(10)
        _, ancillary, _, address = wildcard.sock.recvmsg(100, 64)
        route = Route.to(wildcard, address, ancillary)
        assert route.ancillary
        assert route.send(b"answer")
        data, source = viewer.recvfrom(100)
        assert (data, source[0]) == (b"answer", "127.0.0.2")
        assert wildcard.send([b"x" * 50 + b"y" * 50], 50, route)
        assert viewer.recvfrom(100)[1][0] == "127.0.0.2"
    finally:
        wildcard.sock.close()
        viewer.close()
