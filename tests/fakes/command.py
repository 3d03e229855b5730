"""Runs the `camgate` command as its users do: arguments, directory, environment in; exit code and printed text out.

Commands that end by themselves run in the test's own process, with its descriptors, directory and environment put in
place of a new process's: a start takes half a second, most of it imports, and there are a hundred of them. What needs a
process has one: whatever is started and signalled, and a login among the arguments, for which camgate starts itself
again.
"""

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from unittest import mock

import trio

from camgate.__main__ import run
from camgate.cli.argv import hidden

DEADLINE_S = 60
"""Not a measurement: a command that hangs fails its test."""


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment with wide tables and nothing of the caller's.

    directory: where the control socket is, so that no test meets the camgate of another.
    """
    ours = {"COLUMNS": "300", "PYTHONPATH": str(Path(__file__).parents[2]), "RUNTIME_DIRECTORY": str(directory)}
    return {"PATH": os.environ["PATH"], **ours, **more}


def camgate(*arguments: str | Path, directory: Path, stdin: str = "", **environ: str) -> Outcome:
    """Run a command to its end, in this process where that can be."""
    words = list(map(str, arguments))
    is_main = threading.current_thread() is threading.main_thread()  # only it can be told of signals
    if not is_main or trio.lowlevel.in_trio_run() or any(hidden(word) != word for word in words):
        return camgate_process(*arguments, directory=directory, stdin=stdin, **environ)
    with TemporaryFile() as typed, TemporaryFile() as out, TemporaryFile() as err:
        typed.write(stdin.encode())
        typed.seek(0)
        with (
            _instead_of_ours(typed, out, err),
            mock.patch.object(sys, "argv", ["camgate", *words]),
            mock.patch.dict(os.environ, environment(directory, **environ), clear=True),
            _inside(directory),
        ):
            code = run()
        return Outcome(code, _read(out), _read(err))


def camgate_process(*arguments: str | Path, directory: Path, stdin: str = "", **environ: str) -> Outcome:
    """Run a command to its end, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "camgate", *arguments],
        cwd=directory,
        env=environment(directory, **environ),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def _inside(directory: Path) -> Iterator[None]:
    before = os.open(".", os.O_RDONLY)
    os.chdir(directory)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextmanager
def _instead_of_ours(*files: IO[bytes]) -> Iterator[None]:
    """Put files in the place of stdin, stdout, stderr: of the descriptors, as the log writes to 2, and of Python's."""
    with ExitStack() as stack:
        for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
            stack.callback(_put_back, os.dup(number), number)
            os.dup2(files[number].fileno(), number)
            stream = stack.enter_context(open(number, mode, closefd=False))
            stack.enter_context(mock.patch.object(sys, name, stream))
        yield


def _put_back(saved: int, number: int) -> None:
    os.dup2(saved, number)
    os.close(saved)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@dataclass
class Running:
    """A command that has not ended yet."""

    process: trio.Process
    lines: list[str] = field(default_factory=list)
    _news: trio.Event = field(default_factory=trio.Event)
    _has_ended: bool = False

    async def wait_line(self, words: str, *, nth: int = 1) -> str:
        """Return the first, or nth, line on stderr that has `words` in it, once it is there."""
        with trio.fail_after(DEADLINE_S):
            while len(found := [line for line in self.lines if words in line]) < nth:
                assert not self._has_ended, f"it ended without {words!r}: {self.lines}"
                await self._news.wait()
        return found[nth - 1]

    async def wait_end(self) -> int:
        """Return the exit code."""
        with trio.fail_after(DEADLINE_S):
            return await self.process.wait()

    async def read_stderr(self) -> None:
        """Fill `lines` until the command closes its stderr."""
        assert self.process.stderr is not None
        rest = b""
        async for data in self.process.stderr:
            *lines, rest = (rest + data).split(b"\n")
            self.lines += [line.decode() for line in lines]
            self._tell()
        self._has_ended = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def running_camgate(
    *arguments: str | Path, directory: Path, program: tuple[str, ...] = ("-m", "camgate"), **environ: str
) -> AsyncIterator[Running]:
    """Start a command, or another Python program; at the end of the block it is killed if it still runs."""
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            [sys.executable, *program, *map(str, arguments)],
            cwd=directory,
            env=environment(directory, **environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        running = Running(process)
        nursery.start_soon(running.read_stderr)
        try:
            yield running
        finally:
            with trio.CancelScope(shield=True):
                process.kill()
                await process.wait()
