"""ICE-TCP on real sockets: what waits is bounded and stays whole, and strangers hold nothing."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.datagrams import Address, Ancillary, PathKey
from camgate.serve.webrtc import tcp
from camgate.serve.webrtc.tcp import (
    FIRST_CHECK_S,
    MAX_UNPROVEN_PER_ADDRESS,
    MAX_WAITING_BYTES,
    STUCK_S,
    TcpChannel,
    TcpSide,
)
from camgate.wire.ice.framing import Deframer, framed

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
PATIENCE_S = 30
HELLO = b"\x00hello"


@pytest.fixture
def patient_clock() -> MockClock:
    """Virtual time that gives real sockets a moment before it jumps."""
    return MockClock(autojump_threshold=0.05)


@pytest.fixture
def pair() -> Iterator[tuple[TcpChannel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        yield TcpChannel(ours), theirs


def send(channel: TcpChannel, *packets: bytes) -> list[bool]:
    route = channel.route_to((HOST, 9), [])
    return [channel.send([packet], 0, route) for packet in packets]


async def read_all(theirs: socket.socket, count: int) -> list[bytes]:
    deframer, packets = Deframer(), list[bytes]()
    with trio.fail_after(PATIENCE_S):
        while len(packets) < count:
            await trio.lowlevel.wait_readable(theirs)
            packets += deframer.receive_data_untrusted(theirs.recv(65536))
    return packets


async def test_what_the_kernel_has_no_room_for_comes_whole_and_in_order(pair: tuple[TcpChannel, socket.socket]) -> None:
    channel, theirs = pair
    packets = [bytes([number]) * 1000 for number in range(200)]
    assert all(send(channel, *packets))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        assert await read_all(theirs, 200) == packets
        nursery.cancel_scope.cancel()


async def test_segments_of_a_frame_are_packets(pair: tuple[TcpChannel, socket.socket]) -> None:
    channel, theirs = pair
    assert channel.send([b"aaaabbbb", b"cc"], 4, channel.route_to((HOST, 9), []))
    assert await read_all(theirs, 3) == [b"aaaa", b"bbbb", b"cc"]


def test_what_waits_is_bounded_in_bytes(pair: tuple[TcpChannel, socket.socket]) -> None:
    channel, _ = pair
    taken = send(channel, *[bytes(60_000)] * 50)
    assert taken == sorted(taken, reverse=True)
    assert sum(taken) * 60_002 <= MAX_WAITING_BYTES + 100_000
    assert channel.send_full == taken.count(False)


def test_what_waits_is_bounded_in_age(pair: tuple[TcpChannel, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    channel, theirs = pair
    now_s = [100.0]
    monkeypatch.setattr(tcp.time, "monotonic", lambda: now_s[0])
    assert send(channel, bytes(60_000), bytes(60_000)) == [True, True]
    now_s[0] += 0.3
    assert send(channel, b"late") == [False]
    while True:  # the viewer takes what there is
        try:
            theirs.recv(65536)
        except BlockingIOError:
            break
        channel._send_waiting()
    assert send(channel, b"now") == [True]


async def test_a_viewer_that_takes_nothing_is_gone(
    pair: tuple[TcpChannel, socket.socket], autojump_clock: MockClock
) -> None:
    channel, _ = pair
    send(channel, bytes(60_000), bytes(60_000))
    began_s = trio.current_time()
    await channel.run()
    assert trio.current_time() - began_s == pytest.approx(STUCK_S)


async def test_hanging_up_waits_for_what_was_sent(pair: tuple[TcpChannel, socket.socket]) -> None:
    channel, theirs = pair
    packets = [bytes([number]) * 1000 for number in range(200)]
    assert all(send(channel, *packets))
    channel.hang_up()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        assert await read_all(theirs, 200) == packets
        # No more than `run` itself, or this would never end.


async def test_a_broken_connection_takes_nothing(pair: tuple[TcpChannel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.close()
    assert send(channel, b"x", b"y") == [False, False]
    await channel.run()


@dataclass
class Scene:
    """A side whose one viewer is whoever says HELLO first."""

    side: TcpSide
    port: int
    proven: set[PathKey] = field(default_factory=set)
    lost: list[PathKey] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    hook: Callable[[TcpChannel, bytes, Address], None] | None = None


@asynccontextmanager
async def open_scene() -> AsyncIterator[Scene]:
    def dispatch(channel: TcpChannel, data: bytes, ancillary: Ancillary, address: Address) -> None:
        scene.taken.append(data)
        if data == HELLO:
            scene.proven.add((channel.number, address, b""))
            channel.send([b"welcome"], 0, channel.route_to(address, []))

    scene = Scene(TcpSide(dispatch, lambda key: key in scene.proven, lambda key: scene.lost.append(key)), 0)  # noqa: PLW0108 (it is made below)
    scene.side.bind(0)
    scene.port = scene.side._sockets[0].getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.side.run)
        yield scene
        nursery.cancel_scope.cancel()
    scene.side.close()


async def wait_ended(stream: trio.SocketStream) -> None:
    """Return when the other side has closed a connection, and close it here."""
    with trio.fail_after(PATIENCE_S):
        async with stream:
            with suppress(trio.BrokenResourceError):
                assert await stream.receive_some(10) == b""


@pytest.mark.parametrize("cut", range(1, len(HELLO) + 2))
async def test_a_check_proves_a_connection_wherever_it_is_cut(cut: int) -> None:
    data = framed([HELLO], 0)
    async with open_scene() as scene:
        stream = await trio.open_tcp_stream(HOST, scene.port)
        await stream.send_all(data[:cut])
        await trio.testing.wait_all_tasks_blocked(0.001)
        await stream.send_all(data[cut:] + framed([b"\x80more"], 0))
        with trio.fail_after(PATIENCE_S):
            assert await stream.receive_some(100) == framed([b"welcome"], 0)
            while len(scene.taken) < 2:
                await trio.testing.wait_all_tasks_blocked(0.001)
        assert scene.taken == [HELLO, b"\x80more"]
        assert scene.side.unproven == 0
        await stream.aclose()
        with trio.fail_after(PATIENCE_S):
            while not scene.lost:
                await trio.testing.wait_all_tasks_blocked(0.001)
    assert scene.lost == list(scene.proven)


async def test_connections_from_one_port_to_two_of_our_addresses_are_two() -> None:
    async with open_scene() as scene:
        with socket.socket() as theirs, socket.socket() as strangers:
            for sock in (theirs, strangers):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            theirs.bind((HOST, 0))
            strangers.bind(theirs.getsockname())
            theirs.connect((HOST, scene.port))
            theirs.sendall(framed([HELLO], 0))
            with trio.fail_after(PATIENCE_S):
                while not scene.proven:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                strangers.connect((OTHER_HOST, scene.port))
                while scene.side.connections < 2:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                assert scene.side.unproven == 1, "it proves nothing that the other one has"
                strangers.close()
                while scene.side.connections > 1:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                assert scene.lost == []
                theirs.close()
                while scene.side.connections:
                    await trio.testing.wait_all_tasks_blocked(0.001)
        assert scene.lost == list(scene.proven)


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", framed([b"\x00who"], 0), framed([b"\x16dtls"], 0), b"\xff\xff"]
)
async def test_who_says_anything_else_first_is_gone_at_once(said: bytes) -> None:
    async with open_scene() as scene:
        stream = await trio.open_tcp_stream(HOST, scene.port)
        await stream.send_all(said)
        await wait_ended(stream)
    assert scene.lost == []


async def test_silence_is_not_waited_for(patient_clock: MockClock) -> None:
    async with open_scene() as scene:
        began_s = trio.current_time()
        stream = await trio.open_tcp_stream(HOST, scene.port)
        await stream.send_all(b"\x00")
        await wait_ended(stream)
        assert trio.current_time() - began_s == pytest.approx(FIRST_CHECK_S, abs=1)
        assert (scene.side.unproven, scene.side.connections) == (0, 0)


async def test_a_flood_of_silent_connections_is_bounded_and_disturbs_nobody() -> None:
    async with open_scene() as scene:
        watcher = await trio.open_tcp_stream(HOST, scene.port)
        await watcher.send_all(framed([HELLO], 0))
        assert await watcher.receive_some(100)
        flood = [await trio.open_tcp_stream(HOST, scene.port) for _ in range(5 * MAX_UNPROVEN_PER_ADDRESS)]
        with trio.fail_after(PATIENCE_S):
            while scene.side.refused < 4 * MAX_UNPROVEN_PER_ADDRESS:
                await trio.testing.wait_all_tasks_blocked(0.001)
        assert scene.side.unproven == MAX_UNPROVEN_PER_ADDRESS
        for number in range(20):
            await watcher.send_all(framed([bytes([0x80, number])], 0))
        with trio.fail_after(PATIENCE_S):
            while len(scene.taken) < 21:
                await trio.testing.wait_all_tasks_blocked(0.001)
        assert scene.taken[1:] == [bytes([0x80, number]) for number in range(20)]
        for stream in (*flood, watcher):
            await stream.aclose()
