"""A bare HTTP/1.1 client that says exactly what it is told to, and a running server to say it to."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import trio
from quart_trio import QuartTrio
from trio_websocket import WebSocketConnection, wrap_client_stream

from camgate.auth.access import Access
from camgate.config.model import LimitSettings, ServerSettings
from camgate.serve.http.access import AccessRules
from camgate.serve.http.application import build_application
from camgate.serve.http.control import Control, NoControl
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.feed import CameraFeed
from camgate.serve.http.metrics import ForMachines
from camgate.serve.http.pages import WebFiles
from camgate.serve.http.rates import Rates
from camgate.serve.http.server import NO_LIMITS, serve_http
from camgate.serve.listeners import open_listeners
from camgate.serve.tls import ServerTls

LOOPBACK = "127.0.0.1"
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)

    def problem(self) -> dict[str, Any]:
        """The body, which must be a whole problem document that fits the status and says what to do."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.body)
        problem: dict[str, Any] = self.json()
        assert problem["status"] == self.status
        assert problem["type"]
        assert problem["title"]
        assert len(problem["detail"].split()) >= 5, problem
        return problem


class Client:
    """One connection to a server."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._received = b""

    async def send_request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a request; Host and Content-Length are added where they are missing."""
        fields = {"Host": "localhost", **({"Content-Length": str(len(body))} if body else {}), **(headers or {})}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        await self.stream.send_all("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def reply(self, method: str = "GET") -> Reply:
        """Read one answer to a request of this method."""
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "localhost")]))
        connection.send(h11.EndOfMessage())
        body, response = b"", None
        if self._received:  # Nothing would mean the end of the connection.
            connection.receive_data(self._received)
        with trio.fail_after(PATIENCE_S):
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await self.stream.receive_some(65536))
                elif isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    assert isinstance(event, h11.InformationalResponse), event
        assert response is not None
        self._received = connection.trailing_data[0]
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode(), raw_value.decode("latin-1")
            # RFC 9110 section 5.3: several lines of a name mean the same as their values with commas between them.
            is_more = name in headers and name != "set-cookie"
            headers[name] = f"{headers[name]}, {value}" if is_more else value
        return Reply(response.status_code, headers, bytes(body))


class Server:
    """A running server and the ways to talk to it."""

    def __init__(self, port: int, stopping: trio.Event) -> None:
        self.port = port
        self.stopping = stopping

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a connection."""
        stream = await trio.open_tcp_stream(LOOPBACK, self.port)
        async with stream:
            yield Client(stream)

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own."""
        async with self.client() as client:
            await client.send_request(method, target, body, headers)
            return await client.reply(method)

    @asynccontextmanager
    async def websocket(
        self, target: str = "/ws", *, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[WebSocketConnection]:
        """Open a WebSocket. The stream is ours to close: trio-websocket leaves it open at times."""
        extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        host = f"{LOOPBACK}:{self.port}"
        async with await trio.open_tcp_stream(LOOPBACK, self.port) as stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, host, target, extra_headers=extra)
            yield socket
            await socket.aclose()
            nursery.cancel_scope.cancel()

    async def raw(self, data: bytes) -> Reply:
        """Say `data`, take one answer."""
        async with self.client() as client:
            await client.stream.send_all(data)
            return await client.reply()


def application(engine: MediaEngine, web: Path) -> QuartTrio:
    """Build what is served, without anything in front of it, for looks at its routes."""
    return build_application(
        engine,
        ServerSettings(),
        AccessRules(cors_origins=(), allowed_hosts=(), loopback_only=True),
        CameraFeed(engine),
        WebFiles(web),
        Access(),
        Rates(LimitSettings()),
        NoControl(),
        trio.Event(),
    )


@asynccontextmanager
async def running_server(
    engine: MediaEngine,
    web: Path,
    settings: ServerSettings | None = None,
    access: Access | None = None,
    *,
    tls: ServerTls | None = None,
    redirect: Sequence[trio.SocketListener] = (),
    limits: LimitSettings = NO_LIMITS,
    control: Control | None = None,
    machines: ForMachines | None = None,
) -> AsyncIterator[Server]:
    """Serve `engine` on a free loopback port; stopped in order at the end."""
    stopping = trio.Event()
    listeners = await open_listeners(f"{LOOPBACK}:0")
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[list[tuple[str, int]]]) -> None:
            await serve_http(
                engine,
                settings or ServerSettings(),
                listeners,
                stopping=stopping,
                tls=tls,
                redirect=redirect,
                access=access,
                rates=Rates(limits),
                control=control,
                machines=machines,
                web=web,
                task_status=task_status,
            )

        addresses = await nursery.start(serve)
        yield Server(addresses[0][1], stopping)
        stopping.set()
