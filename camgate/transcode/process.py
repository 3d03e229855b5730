"""A worker process as Trio sees it: started, talked to, and gone when its block ends or camgate does.

The caller owns the process for the time of `open_worker`'s block. Knows nothing of what the worker does.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import trio

from camgate.base.errors import RemoteError
from camgate.transcode.messages import Kind, MessageReader, WorkerTalksNonsense, pack

COMMAND = (sys.executable, "-P", "-m", "camgate.transcode.worker")
"""-P: the working directory is nobody's place to put modules for us."""

ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TMPDIR")
"""What a worker gets of ours: passwords of cameras may be in the rest."""

READ_BYTES = 1 << 18
END_PATIENCE_S = 1.0
"""What a worker may take to end once we hung up; then it is killed."""
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)
"""Closed: the block of `open_worker` has ended under a task that waited for its turn to talk to the worker."""


class WorkerEnded(RemoteError):
    """A worker process is gone, or made no sense, before its work was done."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how

    def __str__(self) -> str:
        return f"the worker process {self.how}"


class Worker:
    """One running worker. One task sends, another one may receive."""

    def __init__(self, process: trio.Process, stream: trio.SocketStream) -> None:
        self._process = process
        self._stream = stream
        self._reader = MessageReader()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(self, kind: Kind, *parts: bytes) -> None:
        """Send a message; waits while the worker takes nothing. Raises WorkerEnded."""
        await self.send_packed(pack(kind, *parts))

    async def send_packed(self, message: bytes) -> None:
        """Send a message that is made up already; see `send`."""
        try:
            await self._stream.send_all(message)
        except GONE:
            raise await self._ended() from None

    async def receive(self) -> tuple[Kind, bytes]:
        """Return the next message. Raises WorkerEnded."""
        try:
            while (message := self._reader.next_message()) is None:
                data = await self._stream.receive_some(READ_BYTES)
                if not data:
                    raise await self._ended()
                self._reader.receive_data(data)
        except GONE:
            raise await self._ended() from None
        except WorkerTalksNonsense as exc:
            raise WorkerEnded("sent what is no message") from exc
        return message

    def kill(self) -> None:
        """End it at once, as one that hangs."""
        self._process.kill()

    async def _ended(self) -> WorkerEnded:
        with trio.move_on_after(END_PATIENCE_S):
            await self._process.wait()
        return WorkerEnded(_how(self._process.returncode))


@asynccontextmanager
async def open_worker(setup: Mapping[str, object]) -> AsyncIterator[Worker]:
    """Run a worker with its task for the time of the block. Raises WorkerEnded where none can be started."""
    try:
        process, ours = await _start()
    except OSError as exc:
        # No memory, too many processes or files, a Python that an upgrade took away: nothing that others should die of.
        raise WorkerEnded(f"cannot be started: {exc.strerror}") from exc
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    worker = Worker(process, stream)
    try:
        await worker.send(Kind.SETUP, json.dumps(setup).encode())
        yield worker
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
            with trio.move_on_after(END_PATIENCE_S):
                await process.wait()
            process.kill()
            await process.wait()


async def _start() -> tuple[trio.Process, socket.socket]:
    """Start a worker; return it and our end of the socket that is its stdin. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = await trio.lowlevel.open_process(
                COMMAND,
                stdin=theirs.fileno(),
                # Ctrl-C in a terminal is for camgate, which then hangs up.
                start_new_session=True,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def _how(status: int | None) -> str:
    if status is None:
        return "hung up"
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
