"""A TCP way to a camera, in this process, that can be cut and torn."""

from contextlib import suppress

import trio

HOST = "127.0.0.1"


class Cable:
    """Who connects to `port` reaches the camera's; `run` carries the bytes.

    Cut, nothing goes through any more, as if the camera had lost power. Torn, connections end, new ones at once.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._whole = trio.Event()
        self._whole.set()
        self._torn = trio.Event()
        self.port = 0

    def cut(self) -> None:
        """Let nothing through."""
        self._whole = trio.Event()

    def tear(self) -> None:
        """End all connections."""
        self._torn.set()

    def mend(self) -> None:
        """Let everything through again."""
        self._whole.set()
        if self._torn.is_set():
            self._torn = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Carry until cancelled; started once there is a `port`."""
        listeners = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._connect, listeners)

    async def _connect(self, ours: trio.SocketStream) -> None:
        async with ours, trio.open_nursery() as nursery:
            nursery.start_soon(self._end, nursery.cancel_scope, self._torn)
            with suppress(OSError):
                async with await trio.open_tcp_stream(HOST, self._port) as theirs:
                    nursery.start_soon(self._carry, theirs, ours, nursery.cancel_scope)
                    await self._carry(ours, theirs, nursery.cancel_scope)
            nursery.cancel_scope.cancel()

    async def _end(self, connection: trio.CancelScope, torn: trio.Event) -> None:
        await torn.wait()
        connection.cancel()

    async def _carry(self, source: trio.SocketStream, sink: trio.SocketStream, connection: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await self._whole.wait()
                await sink.send_all(data)
        connection.cancel()
