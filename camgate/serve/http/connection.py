"""One TCP connection: a Trio stream under hypercorn's HTTP/1.1 and WebSocket protocols.

Hypercorn has such a shell of its own. This one differs where ours must hold against rude clients:
- a client that stops reading is dropped after `WRITE_TIMEOUT_S`; there it holds its task, and the shutdown, for ever;
- an answer given while the client still sends (413) reaches it before the connection closes (RFC 9112 section 9.6);
- answers to broken HTTP and failed WebSocket handshakes are problem documents, not empty;
- no HTTP/2 without TLS and no WebSocket compression, which inflates one read of 64 KiB to 64 MiB;
- a bug ends one connection and is logged, and an application that ends early leaves no task behind.

The only module that touches hypercorn's inner names. The connection's tasks live in `Connection.run`.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState, H11SendableEvent

from camgate.base.budget import Budget
from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.serve.http.problem import Problem

log = get_logger("serve.http")

KEEP_ALIVE_S = 15.0
"""How long a connection may be without a whole request: longer than the pages' polls are apart (5 s), and what a
client that sends its headers byte by byte gets at most."""
WRITE_TIMEOUT_S = 10.0
"""How long `WRITE_BYTES` may wait for a client that does not read; browsers' background tabs still read."""
WRITE_BYTES = 64 * 1024
"""A client slower than 6 kB/s cannot show video either."""
LINGER_S = 1.0
"""How long to go on reading, and dropping, after our last byte, so that no reset overtakes the answer."""
MAX_MESSAGE_BYTES = 64 * 1024
"""Of a WebSocket message, and of a request's body: offers of browsers have 2-20 KiB."""
MAX_HEADER_BYTES = 16 * 1024
READ_BYTES = 16 * 1024
RECEIVE_BURST_BYTES, RECEIVE_BYTES_PER_S = 512 * 1024, 64 * 1024
"""What a client may send at once, and a second: forty offers of 12 KiB, then five a second. A flood of the shortest
WebSocket frames costs a fifth of the processor at this rate, and all of it without."""
APP_QUEUE_EVENTS = 4
"""Body parts or messages that wait for the application; at most 64 KiB each."""


def hypercorn_config() -> Config:
    """Hypercorn's settings, in one place that type checkers see: it takes misspelt names without a word."""
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = MAX_HEADER_BYTES
    config.websocket_max_message_size = MAX_MESSAGE_BYTES
    config.max_app_queue_size = APP_QUEUE_EVENTS
    return config


ByteStream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


def socket_of(stream: ByteStream) -> trio.socket.SocketType:
    """The socket under a stream, encrypted or not."""
    return stream.transport_stream.socket if isinstance(stream, trio.SSLStream) else stream.socket


def _ends(socket: trio.socket.SocketType) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """Return the client's address and ours; None for both over a Unix socket. Raises OSError."""
    if socket.family == trio.socket.AF_UNIX:
        return None, None
    return socket.getpeername()[:2], socket.getsockname()[:2]


class Connection:
    """One client's connection; `run` serves it until it ends."""

    def __init__(self, app: ASGIFramework, config: Config, context: WorkerContext, stream: ByteStream) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._stream = stream
        self._address = ""
        self._protocol: HttpProtocol
        self._reading = trio.CancelScope()
        self._idle = True
        self._closing = False
        self._write_lock = trio.Lock()

    async def run(self) -> None:
        """Serve requests until the client leaves, is silent for too long, or we close. Bugs are logged, not raised."""
        try:
            await self._serve()
        except* Exception:
            log.exception("serving an HTTP connection failed", address=self._address)

    async def _serve(self) -> None:
        try:
            socket = socket_of(self._stream)
            peer, own = _ends(socket)
        except OSError:  # The client has gone before we looked.
            await trio.aclose_forcefully(self._stream)
            return
        self._address = "the control socket" if peer is None else place(*peer)
        async with trio.open_nursery() as nursery:
            self._protocol = HttpProtocol(
                ASGIWrapper(self._app),
                self._config,
                self._context,
                AppTasks(nursery),
                ConnectionState({}),
                ssl=isinstance(self._stream, trio.SSLStream),
                client=peer,
                server=own,
                send=self._handle_event,
            )
            try:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._read()
            finally:
                # Closing first: it wakes a task whose write is shielded from the cancellation.
                await trio.aclose_forcefully(self._stream)
                nursery.cancel_scope.cancel()
        # It holds us, too: without it all of this is freed at once, and not when the collector comes by.
        del self._protocol

    def stop_if_idle(self) -> None:
        """Close now unless a request or a WebSocket is being served."""
        if self._idle or self._closing:
            self._reading.cancel()

    async def _read(self) -> None:
        self._reading.deadline = trio.current_time() + KEEP_ALIVE_S
        with self._reading:
            pace = Budget(RECEIVE_BURST_BYTES, RECEIVE_BYTES_PER_S)
            while data := await self._stream.receive_some(READ_BYTES):
                if self._closing:
                    continue  # what is dropped costs next to nothing
                await self._protocol.handle(RawData(bytes(data)))
                wait_s = pace.spend(trio.current_time(), len(data))
                if wait_s and not self._closing:
                    await trio.sleep(wait_s)

    async def _handle_event(self, event: Event) -> None:
        match event:
            case RawData():
                await self._write(event.data)
            case Updated() if not self._closing:
                self._idle = event.idle
                self._reading.deadline = trio.current_time() + KEEP_ALIVE_S if event.idle else math.inf
            case Closed():
                await self._close()

    async def _write(self, data: bytes) -> None:
        async with self._write_lock:
            if self._closing:
                return
            try:
                # Shielded: half a WebSocket frame would garble all that follow.
                with trio.CancelScope(shield=True) as writing:
                    for start in range(0, len(data), WRITE_BYTES):
                        writing.deadline = trio.current_time() + WRITE_TIMEOUT_S
                        await self._stream.send_all(data[start : start + WRITE_BYTES])
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._reading.cancel()
            if writing.cancelled_caught:
                log.info("an HTTP client stopped reading; closed its connection", address=self._address)
                self._closing = True
                self._reading.cancel()

    async def _close(self) -> None:
        """Our last byte is written: say so, and let `_read` wait a little for the client's own end."""
        if self._closing:
            return
        self._closing = True
        self._reading.deadline = trio.current_time() + LINGER_S
        if isinstance(self._stream, trio.SSLStream):
            # TLS has no half of an end; `connection: close` has told the client.
            await self._protocol.handle(Closed())
            return
        try:
            # Shielded: hypercorn has told the application by now, and Quart then cancels who brought us here.
            with trio.CancelScope(shield=True):
                await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            self._reading.cancel()
        await self._protocol.handle(Closed())


class AppTasks(TaskGroup):
    """Starts the application for each request; its bugs end the request, not the connection's task tree."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__()
        self._nursery = nursery

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """Start the application on one request; returns where the request's events go."""
        assert self._nursery is not None
        to_app, from_client = trio.open_memory_channel[Any](config.max_app_queue_size)
        self._nursery.start_soon(self._run_app, app, scope, from_client, send)

        async def put(event: Any) -> None:
            with suppress(trio.BrokenResourceError):  # The application has finished with this request.
                await to_app.send(event)

        return put

    async def _run_app(
        self,
        app: AppWrapper,
        scope: Any,
        from_client: trio.MemoryReceiveChannel[Any],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        try:
            async with from_client:
                await app(scope, from_client.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
        except Exception:
            log.exception("answering an HTTP request failed", path=scope["path"])
        await send(None)


class HttpProtocol(H11Protocol):
    """Hypercorn's HTTP/1.1 protocol without upgrades to HTTP/2, and with a body in its own error answers."""

    _method: bytes
    _head = b""
    _is_refusing = False
    _websocket_decided: trio.Event

    async def _check_protocol(self, event: h11.Request) -> None:
        """Offer no HTTP/2: RFC 9113 section 3.1 has retired the `h2c` upgrade, and browsers speak it over TLS only."""

    async def _create_stream(self, request: h11.Request) -> None:
        self._method = request.method
        self._websocket_decided = trio.Event()
        # Where this header is missing, hypercorn's WebSockets do not offer compression.
        await super()._create_stream(_without(request, b"sec-websocket-extensions"))
        if isinstance(self.stream, WSStream):
            # RFC 6455 section 4.1 forbids frames before our handshake; let them wait for it. Hypercorn would answer
            # 400 and then fail to shake hands.
            await self._websocket_decided.wait()

    async def stream_send(self, event: StreamEvent) -> None:
        """Give an error answer of hypercorn's streams, which has no body, the body that it lacks; then close."""
        if isinstance(event, Response) and event.status_code >= 400 and (b"content-length", b"0") in event.headers:
            self._is_refusing = True
            problem = Problem.of_status(event.status_code, connection="close")
            await super().stream_send(Response(STREAM_ID, _headers(problem), event.status_code))
            if self._method != b"HEAD":
                await super().stream_send(Body(STREAM_ID, problem.body()))
            return
        await super().stream_send(event)
        if isinstance(event, Response) and event.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._websocket_decided.set()
        elif isinstance(event, EndBody) and self._is_refusing:
            # A refused handshake would stay open for ever.
            await self.send(Closed())

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        """Write an answer's head together with the first of its body, and nothing where there is nothing to write.

        Each write wakes the client, too, and costs as much as reading the whole request.
        """
        try:
            data = self._head + (self.connection.send(event) or b"")
        except h11.LocalProtocolError:
            # What is wrong is the client's part, and it has been told so.
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        is_head = isinstance(event, h11.Response)
        self._head = data if is_head else b""
        if data and not is_head:
            await self.send(RawData(data))

    async def _close_stream(self) -> None:
        await super()._close_stream()
        self._websocket_decided.set()

    async def _send_error_response(self, status_code: int) -> None:
        problem = Problem.of_status(status_code, connection="close")
        headers = [*_headers(problem), *self.config.response_headers("h11")]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=problem.body()))
        await self._send_h11_event(h11.EndOfMessage())


def _without(request: h11.Request, header: bytes) -> h11.Request:
    if all(name != header for name, _ in request.headers):
        return request
    headers = [(name, value) for name, value in request.headers if name != header]
    return h11.Request(method=request.method, target=request.target, headers=headers, http_version=request.http_version)


def _headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    items = [*problem.header_items(), ("content-length", str(len(problem.body())))]
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in items]
