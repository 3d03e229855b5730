"""`FakeTunnel`: an HTTP tunnel in front of a `FakeCamera`, in virtual time."""

import base64
import socket
import ssl
from contextlib import suppress

import trio

from tests.fakes.camera import ByteStream, FakeCamera


class FakeTunnel:
    """Dial it instead of the camera.

    credentials: `user:password` that GET and POST must bring, by Basic; None for none. tls: with which it serves HTTPS.
    answer: status line of the answer to GET; empty to close instead, None to stay silent.
    """

    def __init__(self, camera: FakeCamera) -> None:
        self.camera = camera
        self.credentials: str | None = None
        self.tls: ssl.SSLContext | None = None
        self.answer: str | None = "HTTP/1.0 200 OK"
        self.requests: list[dict[str, str]] = []
        self.dialled: list[tuple[str, int]] = []
        self.open_connections = 0
        self._inside: dict[str, trio.SocketStream] = {}
        self._send, self._receive = trio.open_memory_channel[socket.socket](float("inf"))

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to the tunnel's server."""
        self.dialled.append((host, port))
        await trio.lowlevel.checkpoint()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._send.send_nowait(ours)
        return theirs

    async def run(self) -> None:
        """Serve every connection until cancelled."""
        async with trio.open_nursery() as nursery:
            async for connection in self._receive:
                stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
                nursery.start_soon(self._serve, stream)

    async def _serve(self, plain: trio.SocketStream) -> None:
        stream: ByteStream = plain
        if self.tls is not None:
            stream = trio.SSLStream(plain, self.tls, server_side=True, https_compatible=True)
        self.open_connections += 1
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async with stream:
                    await self._serve_request(stream)
        finally:
            self.open_connections -= 1

    async def _serve_request(self, stream: ByteStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1000)
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        request = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        request["line"] = first
        self.requests.append(request)
        if self.answer is None:
            await trio.sleep_forever()
        elif not self._is_logged_in(request):
            await stream.send_all(b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="tunnel"\r\n\r\n')
        elif first.startswith("GET "):
            await self._serve_get(stream, request["x-sessioncookie"])
        else:
            await self._serve_post(stream, self._inside[request["x-sessioncookie"]], body)

    def _is_logged_in(self, request: dict[str, str]) -> bool:
        if self.credentials is None:
            return True
        return request.get("authorization") == "Basic " + base64.b64encode(self.credentials.encode()).decode()

    async def _serve_get(self, stream: ByteStream, cookie: str) -> None:
        assert self.answer is not None
        if not self.answer:
            return
        inside = trio.SocketStream(trio.socket.from_stdlib_socket(await self.camera.dial("", 0, 0)))
        self._inside[cookie] = inside
        await stream.send_all(f"{self.answer}\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n".encode())
        async with inside:
            async for data in inside:
                await stream.send_all(data)

    async def _serve_post(self, stream: ByteStream, inside: trio.SocketStream, pending: bytes) -> None:
        while True:
            whole = len(pending) // 4 * 4
            # Four characters at a time, as padding may stand in the middle.
            pieces = (pending[at : at + 4] for at in range(0, whole, 4))
            await inside.send_all(b"".join(map(base64.b64decode, pieces)))
            data = await stream.receive_some()
            if not data:
                return
            pending = pending[whole:] + data
