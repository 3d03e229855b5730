"""ICE-TCP, the passive side (RFC 6544): viewers whose network lets no UDP through connect to us.

A connection is nobody's until a check with a known user name came on it; until then it is one of a few, and for a few
seconds. From then on it is one more path of a viewer, on which packets go as they go by UDP, each behind its length.

A viewer that takes less than comes costs others nothing: what the kernel has no room for waits here, bounded in bytes
and age, and beyond that frames are left out as where a UDP socket is full.
"""

import itertools
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import trio

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.serve.datagrams import Address, Ancillary, PathKey, Route
from camgate.wire.ice.framing import Deframer, FramingMalformed, framed

log = get_logger("webrtc.tcp")

BACKLOG = 128
FIRST_CHECK_S = 5.0
"""A browser checks as soon as it is connected."""
MAX_UNPROVEN = 256
"""Connections without a check yet, in all; more are closed at once."""
MAX_UNPROVEN_PER_ADDRESS = 16
"""A wall of cameras joins one after the other, and is proven within a round trip."""
RECEIVE_BYTES = 16 * 1024
UNSENT_BYTES = 64 * 1024
"""The kernel takes no more than it has sent and so much: what waits there could not be left out any more."""
MAX_WAITING_BYTES = 2 * 1024 * 1024
MAX_WAITING_S = 0.25
"""As for all queues of frames. Beyond, nothing more is taken until what waits is on its way."""
STUCK_S = 10.0
"""A viewer that takes nothing for so long is gone."""


_numbers = itertools.count(1_000)
"""Of connections, above all of address families. The other side's address tells connections not apart: it may have one
to each of our addresses from the same port, or come again before we have seen the last one's end."""


class Dispatch(Protocol):
    """Takes a packet of a viewer; see `Endpoint`."""

    def __call__(self, channel: "TcpChannel", data: bytes, ancillary: Ancillary, address: Address, /) -> None: ...


class TcpChannel:
    """One accepted connection, with the interface of `datagrams.UdpSocket`: any task may send, and none waits."""

    __slots__ = ("_is_leaving", "_room", "_waiting", "_waiting_bytes", "is_broken", "number", "send_full", "sock")
    is_tcp = True

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.number = next(_numbers)
        self.is_broken = False
        self.send_full = 0
        self._waiting: deque[tuple[float, memoryview]] = deque()
        self._waiting_bytes = 0
        self._is_leaving = False
        self._room = trio.Event()

    def hang_up(self) -> None:
        """Have `run` return when what waits is on its way."""
        self._is_leaving = True
        self._room.set()

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: Route) -> bool:
        """Send the joined `buffers` as packets of `segment_bytes`; False when none of them will leave."""
        if self.is_broken:
            return False
        data = framed(buffers, segment_bytes)
        if self._waiting:
            too_late = time.monotonic() - self._waiting[0][0] > MAX_WAITING_S
            if too_late or self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                self.send_full += 1
                return False
            self._wait(memoryview(data))
            return True
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_broken = True
            self._room.set()
            return False
        if sent < len(data):
            # The rest must come before anything else, or the other side loses count.
            self._wait(memoryview(data)[sent:])
        return True

    def route_to(self, address: Address, received: Ancillary) -> Route:
        """Return the way back."""
        return Route(self, address, [])

    async def run(self) -> None:
        """Send what waits as the kernel has room; returns when the connection is broken or stuck, or to hang up."""
        while not self.is_broken:
            await self._room.wait()
            self._room = trio.Event()
            while self._waiting and not self.is_broken:
                with trio.move_on_after(STUCK_S) as patience:
                    await trio.lowlevel.wait_writable(self.sock)
                if patience.cancelled_caught:
                    return
                self._send_waiting()
            if self._is_leaving:
                return

    def _wait(self, data: memoryview) -> None:
        self._waiting.append((time.monotonic(), data))
        self._waiting_bytes += len(data)
        self._room.set()

    def _send_waiting(self) -> None:
        while self._waiting:
            since_s, data = self._waiting[0]
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                return
            except OSError:
                self.is_broken = True
                return
            self._waiting_bytes -= sent
            if sent < len(data):
                self._waiting[0] = since_s, data[sent:]
                return
            self._waiting.popleft()


class TcpSide:
    """All connections.

    dispatch: takes what they carry. is_proven: whether a path is a viewer's. lost: told of such a path's end.
    """

    def __init__(
        self, dispatch: Dispatch, is_proven: Callable[[PathKey], bool], lost: Callable[[PathKey], None]
    ) -> None:
        self._dispatch = dispatch
        self._is_proven = is_proven
        self._lost = lost
        self._sockets: list[socket.socket] = []
        self._unproven: Counter[str] = Counter()
        self._channels: dict[PathKey, TcpChannel] = {}
        self.connections = 0
        self.refused = 0

    def bind(self, port: int) -> None:
        """Listen on `port`, on all addresses. Raises OSError."""
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            try:
                self._sockets.append(_listen(family, host, port))
            except OSError:
                if family == socket.AF_INET:
                    raise

    def close(self) -> None:
        """Stop listening."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    @property
    def is_listening(self) -> bool:
        """Whether viewers can connect."""
        return bool(self._sockets)

    @property
    def unproven(self) -> int:
        """Connections that nobody has checked on yet."""
        return self._unproven.total()

    def hang_up(self, key: PathKey) -> None:
        """Close the connection that was a viewer's way and is no more; does nothing where there is none."""
        channel = self._channels.get(key)
        if channel is not None:
            channel.hang_up()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            for sock in self._sockets:
                nursery.start_soon(self._accept, sock, nursery)

    async def _accept(self, listening: socket.socket, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(listening)
            try:
                sock, address = listening.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                # Out of descriptors, mostly: the connection waits in the kernel, and who watches goes on.
                log.warning("cannot accept a viewer's TCP connection", error=error.strerror)
                await trio.sleep(1.0)
                continue
            host = str(address[0])
            if self.unproven >= MAX_UNPROVEN or self._unproven[host] >= MAX_UNPROVEN_PER_ADDRESS:
                self.refused += 1
                sock.close()
                continue
            self._unproven[host] += 1
            nursery.start_soon(self._serve, sock, address)

    async def _serve(self, sock: socket.socket, address: Address) -> None:
        channel = TcpChannel(sock)
        key: PathKey = (channel.number, address, b"")
        self.connections += 1
        self._channels[key] = channel
        try:
            with sock:
                await self._converse(channel, key)
        except Exception:
            log.exception("internal error: a viewer's TCP connection was dropped", address=place(*address[:2]))
        finally:
            channel.is_broken = True
            self.connections -= 1
            del self._channels[key]
            if self._is_proven(key):
                self._lost(key)

    async def _converse(self, channel: TcpChannel, key: PathKey) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, channel, nursery.cancel_scope)
            deframer, proven = Deframer(), False
            try:
                prepare(channel.sock)
                with trio.move_on_after(FIRST_CHECK_S):
                    proven = await self._read(channel, key, deframer, until_proven=True)
            finally:
                host = str(key[1][0])
                self._unproven[host] -= 1
                if not self._unproven[host]:
                    del self._unproven[host]
            if proven:
                await self._read(channel, key, deframer, until_proven=False)
            nursery.cancel_scope.cancel()

    async def _send(self, channel: TcpChannel, connection: trio.CancelScope) -> None:
        await channel.run()
        connection.cancel()

    async def _read(self, channel: TcpChannel, key: PathKey, deframer: Deframer, *, until_proven: bool) -> bool:
        """Hand on what comes; returns True as soon as the path is a viewer's, False at the connection's end."""
        while not channel.is_broken:
            await trio.lowlevel.wait_readable(channel.sock)
            try:
                data = channel.sock.recv(RECEIVE_BYTES)
                packets = deframer.receive_data_untrusted(data)
            except BlockingIOError:
                continue
            except (OSError, FramingMalformed):
                return False
            if not data:
                return False
            for packet in packets:
                self._dispatch(channel, packet, [], key[1])
            if until_proven and packets:
                # Whoever says anything else first is no viewer.
                return self._is_proven(key)
        return False


def prepare(sock: socket.socket) -> None:
    """Set an accepted connection up for media: nothing waits for more to come, and little waits in the kernel."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _listen(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        with suppress(OSError):
            sock.close()
        raise
    return sock
