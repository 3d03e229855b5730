"""The TCP sockets that HTTP and RTSP listen on, opened before anything is served so that failures show at the start."""

import errno
import os
from collections.abc import Sequence

import trio

from camgate.base.log import get_logger
from camgate.config.address import is_loopback, split_listen
from camgate.serve.inherited import Inherited

log = get_logger("serve.listeners")

BACKLOG = 512
"""Connections that wait for us while we are busy: a wall of viewers that comes back after a restart."""

DEAD_AFTER_S = 30
"""How long a client may be unreachable before the kernel ends its connection: WebSockets have no end of their own."""

NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""accept(2): no descriptors or no memory for one more connection; those that wait stay with the kernel."""
AGAIN_S = 0.25
"""After which it is tried again where there was no room: often enough for a page, too rarely to cost anything."""


class PatientListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts what `listener` does, and where there is no room for one more connection waits until there is."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self._has_room = True

    async def accept(self) -> trio.SocketStream:
        """Accept the next connection, when there is room for it."""
        while True:
            try:
                stream = await self._listener.accept()
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                if self._has_room:
                    log.warning(
                        "no more connections can be taken before others end; they wait", error=os.strerror(error.errno)
                    )
                self._has_room = False
                await trio.sleep(AGAIN_S)
            else:
                self._has_room = True
                return stream

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()


async def open_listeners(listen: str, inherited: Inherited | None = None) -> list[trio.SocketListener]:
    """Listen on `HOST:PORT`: one listener an address of the host's. Port 0 takes a free one; `[::]` is all addresses.

    inherited: what is open already is taken from there, and nothing is opened beside it.
    Raises: OSError, whose `strerror` names the address and what stands against it.
    """
    host, port = split_listen(listen)
    given = inherited.take(listen) if inherited else []
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(one)) for one in given]
    try:
        if not given:
            listeners += await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
        if host == "::" and not given:
            # Trio's IPv6 sockets take no IPv4.
            port = listeners[0].socket.getsockname()[1]
            listeners += await trio.open_tcp_listeners(port, host="0.0.0.0", backlog=BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.socket.close()
        raise OSError(error.errno, f"cannot listen on {listen}: {error.strerror or error}") from error
    for listener in listeners:
        _watch_for_death(listener.socket)
    return listeners


def _watch_for_death(socket: trio.socket.SocketType) -> None:
    """Have the kernel look after silent clients, on this listening socket and so on all that it accepts (tcp(7))."""
    socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, True)
    socket.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPIDLE, DEAD_AFTER_S // 2)
    socket.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_KEEPINTVL, DEAD_AFTER_S // 6)
    socket.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 1000)


def addresses(listeners: Sequence[trio.SocketListener]) -> list[tuple[str, int]]:
    """The addresses and ports that are really listened on."""
    return [listener.socket.getsockname()[:2] for listener in listeners]


def are_all_loopback(listeners: Sequence[trio.SocketListener]) -> bool:
    """Whether only this machine can reach the listeners."""
    return all(is_loopback(host) for host, _ in addresses(listeners))
