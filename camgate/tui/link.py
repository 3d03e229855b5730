"""The way to a camgate: requests, and the WebSocket that tells of cameras; over its control socket or over HTTP.

`Link` owns no task. Who asks waits, and whoever listens runs `listen`, which returns or raises when the socket ends.
"""

import json
import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from camgate.base.errors import RemoteError
from camgate.base.place import place
from camgate.base.unanswered import no_camgate, why_unanswered

CAMERAS, SERVER, VIEWERS, LOGS = "/api/v1/cameras", "/api/v1/server", "/api/v1/viewers", "/api/v1/logs"
SOCKET = "/ws"
TIMEOUT_S = 10.0
"""For an answer, and for a WebSocket to open."""
PING_S, SILENCE_S = 10.0, 25.0
"""A socket is asked whether it lives, and given up when nothing at all has come for so long."""
MAX_MESSAGE_CHARS = 32 << 20
"""The list of 2,000 cameras has about 3 MB."""
RECEIVE_BYTES = 65_536


class Unreachable(RemoteError):
    """camgate cannot be asked. `why`: a sentence without its full stop."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


class NotAllowed(Unreachable):
    """It answers, and wants another login."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a camgate is.

    socket: its control socket; None for host and port. header: what the Host header says. root: path in front of
    camgate's own. token: shown as Bearer; empty for none.
    """

    name: str
    socket: Path | None = None
    host: str = "localhost"
    port: int = 0
    tls: ssl.SSLContext | None = None
    header: str = "localhost"
    root: str = ""
    token: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """Return what every request says."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@asynccontextmanager
async def open_link(target: Target) -> AsyncIterator["Link"]:
    """Have a way to a camgate for the time of the block; nothing is dialled yet."""
    uds = None if target.socket is None else os.fspath(target.socket)
    transport = httpx.AsyncHTTPTransport(uds=uds, verify=target.tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    # Deadlines are trio's, over all of a request.
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=None) as client:  # noqa: S113
        yield Link(target, client)


class Link:
    """Asks one camgate, and listens to it."""

    def __init__(self, target: Target, client: httpx.AsyncClient) -> None:
        self._target = target
        self._client = client

    async def ask(self, path: str) -> Any:
        """Return an answer, read from JSON. Raises Unreachable."""
        target = self._target
        scheme = "http" if target.tls is None else "https"
        url = f"{scheme}://{place(target.host, target.port) if target.port else target.host}{target.root}{path}"
        headers = {**target.headers(), "Host": target.header, "Accept-Encoding": "identity"}
        try:
            with trio.fail_after(TIMEOUT_S):
                async with self._client.stream("GET", url, headers=headers) as reply:
                    body = b"".join([part async for part in reply.aiter_raw()])
            answer = json.loads(body)
        except trio.TooSlowError:
            raise self._silent() from None
        except httpx.TransportError as error:
            raise self._gone(error) from None
        except (ValueError, RecursionError, httpx.InvalidURL):
            raise Unreachable(no_camgate(target.name)) from None
        if not reply.is_success:
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise self._refused(reply.status_code, str(detail or ""))
        return answer

    async def ask_if_allowed(self, path: str) -> Any:
        """Return an answer as `ask` does; None where we may not ask for it. Raises Unreachable."""
        try:
            return await self.ask(path)
        except NotAllowed:
            return None

    async def listen(self, hear: Callable[[dict[str, Any]], None], names: Sequence[str] = ()) -> None:
        """Hand over what is told of cameras until the socket ends. names: of these only. Raises Unreachable."""
        target = self._target
        path = target.root + SOCKET + "?" * bool(names) + "&".join(f"camera={quote(name, safe='')}" for name in names)
        try:
            with trio.fail_after(TIMEOUT_S):
                stream = await self._dial()
            async with stream:
                await _Socket(self, stream, hear).run(path, target.header, target.headers())
        except trio.TooSlowError:
            raise self._silent() from None
        except (OSError, trio.BrokenResourceError, RemoteProtocolError) as error:
            raise self._gone(error) from None

    async def _dial(self) -> trio.abc.Stream:
        target = self._target
        if target.socket is not None:
            return await trio.open_unix_socket(os.fspath(target.socket))
        stream = await trio.open_tcp_stream(target.host, target.port)
        if target.tls is None:
            return stream
        protected = trio.SSLStream(stream, target.tls, server_hostname=target.host, https_compatible=True)
        try:
            await protected.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(protected)
            raise
        return protected

    def _silent(self) -> Unreachable:
        return Unreachable(f"camgate at {self._target.name} does not answer within {TIMEOUT_S:g} s")

    def _gone(self, error: Exception) -> Unreachable:
        return Unreachable(why_unanswered(self._target.name, error))

    def _refused(self, status: int, detail: str) -> Unreachable:
        if status in (401, 403):
            words = f"camgate at {self._target.name} wants a login that may view"
            return NotAllowed(f"{words}: give a token in CAMGATE_TOKEN or by --token-file (camgate token makes one)")
        return Unreachable(f"camgate at {self._target.name} answered {status}" + (f": {detail}" if detail else ""))


class _Socket:
    """One WebSocket, from its opening to its end."""

    def __init__(self, link: Link, stream: trio.abc.Stream, hear: Callable[[dict[str, Any]], None]) -> None:
        self._link = link
        self._stream = stream
        self._hear = hear
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self._chars = 0
        self._is_open = False

    async def run(self, path: str, host: str, headers: dict[str, str]) -> None:
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._stream.send_all(self._connection.send(Request(host=host, target=path, extra_headers=extra)))
        since_s, has_asked = trio.current_time(), False
        while True:
            until_s = since_s + (SILENCE_S if has_asked else PING_S) if self._is_open else since_s + TIMEOUT_S
            data = None
            with trio.move_on_at(until_s):
                data = await self._stream.receive_some(RECEIVE_BYTES)
            if data is None:
                if has_asked or not self._is_open:
                    raise self._link._silent()
                has_asked = True
                await self._stream.send_all(self._connection.send(Ping()))
                continue
            since_s, has_asked = trio.current_time(), False
            self._connection.receive_data(bytes(data) or None)
            if not await self._take_events() or not data:
                return

    async def _take_events(self) -> bool:
        """Whether the socket goes on."""
        for event in self._connection.events():
            match event:
                case AcceptConnection():
                    self._is_open = True
                case RejectConnection(status_code=status):
                    raise self._link._refused(status, "")
                case TextMessage(data=part, message_finished=is_whole):
                    self._take(part, is_whole=is_whole)
                case Ping():
                    await self._stream.send_all(self._connection.send(event.response()))
                case CloseConnection():
                    return False
                case _:
                    pass
        return True

    def _take(self, part: str, *, is_whole: bool) -> None:
        self._parts.append(part)
        self._chars += len(part)
        if self._chars > MAX_MESSAGE_CHARS:
            raise Unreachable(f"camgate sent a message of more than {MAX_MESSAGE_CHARS} characters")
        if not is_whole:
            return
        whole, self._parts, self._chars = "".join(self._parts), [], 0
        try:
            message = json.loads(whole)
        except (ValueError, RecursionError):
            raise Unreachable("what answers is no camgate") from None
        if isinstance(message, dict):
            self._hear(message)
