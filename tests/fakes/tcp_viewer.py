"""The benchmark's viewer over ICE-TCP: its socket is a connection that looks like one for datagrams."""

import socket
from collections import deque
from contextlib import suppress

import trio
import trio.lowlevel

from camgate.bench.viewer import ViewerSettings
from camgate.wire.ice.framing import Deframer, framed
from camgate.wire.rtp.rtcp import build_nack
from tests.fakes.visitors import Watcher

HOST = "127.0.0.1"
READ_AHEAD_BYTES = 16 * 1024
TICK_S = 0.05


class FramedSocket:
    """A TCP connection with the few methods of a UDP socket that a `Viewer` uses."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = socket.create_connection(address)
        self._connection.setblocking(False)
        self._address = address
        self._deframer = Deframer()
        self._packets: deque[bytes] = deque()

    def fileno(self) -> int:
        return self._connection.fileno()

    def getsockname(self) -> tuple[str, int]:
        host, port = self._connection.getsockname()
        return host, port

    def sendto(self, data: bytes, address: object) -> None:
        self._connection.sendall(framed([data], 0))

    def recvmsg(self, size: int, ancillary: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        while not self._packets:
            data = self._connection.recv(65536)
            if not data:
                raise BlockingIOError
            self._packets += self._deframer.receive_data_untrusted(data)
        return self._packets.popleft(), [], 0, self._address

    def setsockopt(self, *options: object) -> None:
        """Packets cannot be filtered in a stream."""

    def close(self) -> None:
        self._connection.close()


class TcpViewer(Watcher):
    """A viewer that only knows TCP, on `port`."""

    port = 0

    def __init__(self, settings: ViewerSettings) -> None:
        super().__init__(settings)
        host = self.sock.getsockname()[0]
        self.sock.close()
        self.sock = FramedSocket((host, self.port))  # type: ignore[assignment]


class MovingViewer(Watcher):
    """A viewer by UDP, whose network stops letting that through while it watches."""

    def lose_udp(self) -> None:
        """From now on nothing that is sent to it by UDP arrives."""
        self._change_socket(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))

    def connect_by_tcp(self, port: int) -> None:
        """Connect, and nominate that pair, as a browser does within the session that it has."""
        assert self._server_address is not None
        self._change_socket(FramedSocket((self._server_address[0], port)))  # type: ignore[arg-type]
        self.check_consent()

    def _change_socket(self, sock: socket.socket) -> None:
        trio.lowlevel.notify_closing(self.sock)
        self.sock.close()
        self.sock = sock

    def ask_for_missing(self) -> None:
        """Send a NACK for all that did not come."""
        assert self._keys is not None
        nack = build_nack(1, self.reception.ssrc, self.missing)
        self._send(self._keys.outbound.protect_rtcp(nack))


class SlowPath:
    """A relay before a TCP port that reads what comes from there at no more than so many bytes a second."""

    def __init__(self, to_port: int, bytes_per_s: float) -> None:
        self._to = (HOST, to_port)
        self.bytes_per_s = bytes_per_s
        """May be changed; 0 = read nothing."""
        self._listening = socket.create_server((HOST, 0))
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]

    async def run(self) -> None:
        """Relay until cancelled."""
        with self._listening:
            async with trio.open_nursery() as nursery:
                while True:
                    await trio.lowlevel.wait_readable(self._listening)
                    viewer, _ = self._listening.accept()
                    nursery.start_soon(self._relay, trio.SocketStream(trio.socket.from_stdlib_socket(viewer)))

    async def _relay(self, viewer: trio.SocketStream) -> None:
        sock = trio.socket.socket()
        # Before the connection is there: it decides the window that the server sees.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_AHEAD_BYTES)
        async with viewer, trio.SocketStream(sock) as server:
            await sock.connect(self._to)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send_up, viewer, server)
                    await self._send_down(server, viewer)
                    nursery.cancel_scope.cancel()

    async def _send_down(self, server: trio.SocketStream, viewer: trio.SocketStream) -> None:
        """Keep to the rate by the clock: a busy machine must not make it slower."""
        allowed_bytes, looked_s = 0.0, trio.current_time()
        while True:
            await trio.sleep(TICK_S)
            now = trio.current_time()
            allowed_bytes = min(allowed_bytes + self.bytes_per_s * (now - looked_s), self.bytes_per_s)
            looked_s = now
            if allowed_bytes < 1:
                continue
            data = await server.receive_some(int(allowed_bytes))
            if not data:
                return
            allowed_bytes -= len(data)
            await viewer.send_all(data)

    async def _send_up(self, viewer: trio.SocketStream, server: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in viewer:
                await server.send_all(data)
