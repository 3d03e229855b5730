"""A small real web server on loopback that answers what a test says, for what asks other people's servers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import h11
import trio

RECEIVE_BYTES = 65_536


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer; sent `after_s`."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0


@dataclass
class WebServer:
    """Where it is, what it was asked, and what it answers."""

    port: int
    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str = "/", login: str = "") -> str:
        """Return an address below it."""
        return f"http://{login}127.0.0.1:{self.port}{path}"

    async def serve(self, stream: trio.SocketStream) -> None:
        """Converse with one client."""
        async with stream:
            with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
                connection = h11.Connection(h11.SERVER)
                while await self._serve_request(connection, stream):
                    connection.start_next_cycle()

    async def _serve_request(self, connection: h11.Connection, stream: trio.SocketStream) -> bool:
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(RECEIVE_BYTES))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        headers = {name.decode(): value.decode() for name, value in request.headers}
        asked = Asked(request.method.decode(), request.target.decode(), headers, body)
        self.asked.append(asked)
        answer = self.answer(asked)
        await trio.sleep(answer.after_s)
        fields = [*answer.headers, ("Content-Length", str(len(answer.body)))]
        for part in (
            h11.Response(status_code=answer.status, headers=fields),
            h11.Data(answer.body),
            h11.EndOfMessage(),
        ):
            await stream.send_all(connection.send(part) or b"")
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


@asynccontextmanager
async def web_server(answer: Callable[[Asked], Answer]) -> AsyncIterator[WebServer]:
    """Serve on a free port for the time of the block."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = WebServer(listeners[0].socket.getsockname()[1], answer)
        nursery.start_soon(partial(trio.serve_listeners, server.serve, listeners))
        yield server
        nursery.cancel_scope.cancel()
