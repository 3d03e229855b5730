"""Between the command and the processes that it starts: JSON objects, one a line, over standard input and output.

A child ends when its input does, so that none outlives the command.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from camgate.base.errors import RemoteError

Message = dict[str, Any]

READ_BYTES = 65_536
GOODBYE_TIMEOUT_S = 3.0
"""What viewers may take to take their leave, so that a server that goes on has room for others."""
_STDERR_LINES = 8


class ProcessFailed(RemoteError):
    """A process of the benchmark ended before its time, or was silent for too long."""

    def __init__(self, name: str, reason: str, stderr: str = "") -> None:
        super().__init__(name, reason, stderr)
        self.name = name
        self.reason = reason
        self.stderr = stderr

    def __str__(self) -> str:
        said = "".join(f"\n    {line}" for line in self.stderr.splitlines()[-_STDERR_LINES:])
        return f"the benchmark's {self.name} {self.reason}{said}"


class Link:
    """One side of the conversation. Each side has one task that receives."""

    def __init__(self, incoming: trio.abc.ReceiveStream, outgoing: trio.abc.SendStream) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._buffer = bytearray()

    async def send(self, message: Message) -> None:
        """Send one message."""
        await self._outgoing.send_all(json.dumps(message).encode() + b"\n")

    async def close(self) -> None:
        """Tell the other side that there will be no more."""
        await self._outgoing.aclose()

    async def receive(self) -> Message | None:
        """Return the next message, None when the other side is gone."""
        while b"\n" not in self._buffer:
            data = await self._incoming.receive_some(READ_BYTES)
            if not data:
                return None
            self._buffer += data
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = rest
        message: Message = json.loads(line)
        return message


def link_to_parent() -> Link:
    """Return a child's side; nothing else may print."""
    return Link(trio.lowlevel.FdStream(os.dup(0)), trio.lowlevel.FdStream(os.dup(1)))


class Child:
    """The command's side of a running child. `pid` is its process."""

    def __init__(self, name: str, process: trio.Process, stderr: Path) -> None:
        self.pid = process.pid
        self._name = name
        self._process = process
        self._stderr = stderr

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def failed(self, reason: str) -> ProcessFailed:
        """Make the error that tells what the child wrote last."""
        return ProcessFailed(self._name, reason, self._stderr.read_text(errors="replace"))


class TalkingChild(Child):
    """A child that converses."""

    def __init__(self, name: str, process: trio.Process, stderr: Path) -> None:
        super().__init__(name, process, stderr)
        assert process.stdin is not None
        assert process.stdout is not None
        self._link = Link(process.stdout, process.stdin)

    async def send(self, message: Message) -> None:
        """Send a message. Raises ProcessFailed when the child is gone."""
        try:
            await self._link.send(message)
        except trio.BrokenResourceError:
            raise self.failed("ended") from None

    async def receive(self, timeout_s: float) -> Message:
        """Return the next message. Raises ProcessFailed when the child is gone or says nothing for so long."""
        with trio.move_on_after(timeout_s):
            message = await self._link.receive()
            if message is None:
                await self._process.wait()
                raise self.failed("ended")
            return message
        raise self.failed(f"said nothing for {timeout_s:g} s")

    async def end(self) -> None:
        """Let it end by itself, for a while."""
        await self._link.close()
        with trio.move_on_after(GOODBYE_TIMEOUT_S):
            await self._process.wait()


@asynccontextmanager
async def open_talking_child(name: str, module: str, settings: Message) -> AsyncIterator[TalkingChild]:
    """Run `python -m MODULE` for the time of the block, and send it its settings; it may say its goodbyes."""
    async with _open_process([module], talks=True) as (process, stderr):
        child = TalkingChild(name, process, stderr)
        await child.send(settings)
        yield child
        await child.end()


@asynccontextmanager
async def open_child(name: str, arguments: Sequence[str]) -> AsyncIterator[Child]:
    """Run `python -m ARGUMENTS` for the time of the block; what it prints is kept for the error of its failure."""
    async with _open_process(arguments, talks=False) as (process, stderr):
        yield Child(name, process, stderr)


@asynccontextmanager
async def _open_process(arguments: Sequence[str], *, talks: bool) -> AsyncIterator[tuple[trio.Process, Path]]:
    with TemporaryDirectory(prefix="camgate-bench-") as folder:
        stderr = Path(folder, "stderr")
        with stderr.open("wb") as log:  # noqa: ASYNC230 (a small local file, before anything is measured)
            async with trio.open_nursery() as nursery:
                start = partial(
                    trio.run_process,
                    [sys.executable, "-m", *arguments],
                    stdin=subprocess.PIPE if talks else b"",
                    stdout=subprocess.PIPE if talks else log,
                    stderr=log,
                    check=False,
                )
                process: trio.Process = await nursery.start(start)
                yield process, stderr
                nursery.cancel_scope.cancel()
