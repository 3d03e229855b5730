"""A terminal: a command runs in it, keys are typed, and what is on its screen can be read."""

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyte
import trio

from tests.fakes.command import DEADLINE_S, environment

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_OFF, CURSOR_ON = b"\x1b[?25l", b"\x1b[?25h"


@dataclass
class Terminal:
    """What is on the screen. written: all that the command wrote; before: the terminal's modes at the start."""

    process: trio.Process
    master: int
    screen: pyte.Screen
    stream: pyte.ByteStream
    before: list[object]
    written: bytearray = field(default_factory=bytearray)
    _news: trio.Event = field(default_factory=trio.Event)
    _is_over: bool = False

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, without what is empty at their ends."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Become another size; the kernel tells the command."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """How the terminal's keyboard is set now."""
        return termios.tcgetattr(self.master)

    async def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so of the screen."""
        with trio.move_on_after(DEADLINE_S) as waiting:
            while not is_so():
                if self._is_over:
                    raise AssertionError(f"the command ended, and left:\n{self.text}")
                await self._news.wait()
        assert not waiting.cancelled_caught, f"on the screen is:\n{self.text}"

    async def wait_text(self, *words: str) -> None:
        """Wait until all of this can be read on the screen."""
        await self.wait(lambda: all(each in self.text for each in words))

    async def wait_row(self, place: int, words: str) -> None:
        """Wait until a row begins so. A screen arrives in pieces: what one row says does not mean that all is drawn."""
        await self.wait(lambda: self.lines[place].startswith(words))

    async def wait_end(self) -> int:
        """Return the exit code, once all that was written has been read."""
        with trio.fail_after(DEADLINE_S):
            code = await self.process.wait()
            while not self._is_over:
                await self._news.wait()
        return code

    async def read(self) -> None:
        """Take what the command writes, until it ends."""
        while True:
            await trio.lowlevel.wait_readable(self.master)
            try:
                data = os.read(self.master, 65_536)
            except OSError:  # EIO: nobody has the other end any more
                data = b""
            self.written += data
            self.stream.feed(data)
            self._is_over = not data
            self._news.set()
            self._news = trio.Event()
            if not data:
                return


@asynccontextmanager
async def in_terminal(
    *arguments: str | Path, directory: Path, columns: int = 80, rows: int = 24, **environ: str
) -> AsyncIterator[Terminal]:
    """Run camgate in a terminal of this size; at the end of the block it is killed if it still runs."""
    master, slave = pty.openpty()
    screen = pyte.Screen(columns, rows)
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        own = {name: value for name, value in environment(directory, **environ).items() if name != "COLUMNS"}
        before = termios.tcgetattr(slave)
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "camgate", *map(str, arguments)],
            cwd=directory,
            env=own | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    finally:
        os.close(slave)
    try:
        terminal = Terminal(process, master, screen, pyte.ByteStream(screen), before)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(terminal.read)
            try:
                yield terminal
            finally:
                with trio.CancelScope(shield=True):
                    process.kill()
                    await process.wait()
                nursery.cancel_scope.cancel()
    finally:
        os.close(master)
