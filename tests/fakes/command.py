"""Runs the `camgate` command as its users do: another process, its exit code, what it printed."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

DEADLINE_S = 60
"""Not a measurement: a command that hangs fails its test."""


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Return an environment with wide tables and nothing of the caller's."""
    return {"PATH": os.environ["PATH"], "COLUMNS": "300", "PYTHONPATH": str(Path(__file__).parents[2]), **more}


def camgate(*arguments: str | Path, directory: Path, stdin: str = "", **environ: str) -> Outcome:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "camgate", *arguments],
        cwd=directory,
        env=environment(**environ),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass
class Running:
    """A command that has not ended yet."""

    process: trio.Process
    lines: list[str] = field(default_factory=list)
    _news: trio.Event = field(default_factory=trio.Event)

    async def wait_line(self, words: str, *, nth: int = 1) -> str:
        """Return the first, or nth, line on stderr that has `words` in it, once it is there."""
        with trio.fail_after(DEADLINE_S):
            while len(found := [line for line in self.lines if words in line]) < nth:
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
            env=environment(**environ),
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
