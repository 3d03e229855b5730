"""Accepts RTSP clients; each connection is a task of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import trio

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.relay.registry import Registry
from camgate.serve.rtsp.connection import Connection
from camgate.wire.rtsp.server import Access, RtspServer, ServerPolicies, open_to_all

MAX_CONNECTIONS = 200
"""Clients at a time. A player takes one connection a stream, and each may hold two seconds of video."""

log = get_logger("serve.rtsp")


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspService:
    """What an RTSP server serves, and to whom."""

    registry: Registry
    access: Access = open_to_all
    policies: ServerPolicies = field(default_factory=ServerPolicies)
    max_connections: int = MAX_CONNECTIONS


async def serve_rtsp(
    listeners: Sequence[trio.SocketListener],
    service: RtspService,
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the listeners are closed then, and clients that play get an RTCP BYE."""
    places = trio.Semaphore(service.max_connections)
    await trio.serve_listeners(partial(_serve_client, service, places), list(listeners), task_status=task_status)


async def _serve_client(service: RtspService, places: trio.Semaphore, stream: trio.SocketStream) -> None:
    async with stream:
        address = _address(stream)
        try:
            places.acquire_nowait()
        except trio.WouldBlock:
            log.warning("RTSP client refused: too many", address=address, max_connections=service.max_connections)
            return
        try:
            server = RtspServer(trio.current_time(), access=service.access, policies=service.policies)
            await Connection(stream, server, service.registry, address=address).run()
        except Exception:
            # A bug that one client meets must not end the others.
            log.exception("RTSP connection failed", address=address)
        finally:
            places.release()


def _address(stream: trio.SocketStream) -> str:
    try:
        host, port, *_ = stream.socket.getpeername()
    except OSError:
        return "gone"
    return place(host, port)
