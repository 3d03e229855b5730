"""The live screen: listens, asks, reads keys and draws, each as a task of one nursery, until `q` or a signal.

All tasks end together, and the terminal is as it was by then: the nursery is inside of what changes it.
"""

import signal
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import trio
from rich.console import Console
from rich.live import Live

from camgate.tui.board import Board
from camgate.tui.draw import draw
from camgate.tui.facts import read_log, read_process
from camgate.tui.keys import KeyReader
from camgate.tui.link import LOGS, SERVER, VIEWERS, Link, Unreachable
from camgate.tui.terminal import keyboard, read_keys

DRAW_S = 0.5
"""News is drawn so seldom: hundreds of cameras tell something in each second."""
KEYS_S = 0.05
"""What a key does is drawn at once, but not more often."""
PROCESS_S = 2.0
"""Between two questions of what no WebSocket tells: the process, and of viewers and the log what is on the screen."""
LOG_LINES = 50
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 4.0
SETTLE_S = 0.5
"""Before the cameras that are on the screen now are asked for their figures of each second."""
MAX_NAMES_CHARS = 4096
"""Of the names in a request, which has room for 16 KiB, percent-encoded."""


async def run_live(link: Link, board: Board, console: Console, descriptor: int) -> None:
    """Show the board until somebody has enough of it. descriptor: the terminal's keyboard."""
    with (
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH) as signals,
        keyboard(descriptor),
        Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live,
    ):
        screen = _Screen(link, board, console, live)
        async with trio.open_nursery() as nursery:
            for task in (screen.listen, screen.listen_to_shown, screen.ask, screen.draw):
                nursery.start_soon(task)
            nursery.start_soon(screen.read_keys, descriptor)
            nursery.start_soon(screen.take_signals, signals)
            await screen.ended.wait()
            nursery.cancel_scope.cancel()


class _Screen:
    """What the tasks share. `ended`: it is time to go."""

    def __init__(self, link: Link, board: Board, console: Console, live: Live) -> None:
        self.ended = trio.Event()
        self._link = link
        self._board = board
        self._console = console
        self._live = live
        self._shown: tuple[str, ...] = ()
        self._listened: frozenset[str] = frozenset()
        self._listening = trio.CancelScope()
        self._hurry = trio.Event()
        self._asking = trio.Event()
        self._asked_for = (False, "")

    async def listen(self) -> None:
        """Hear of all cameras; after a break from anew."""
        retry_s = FIRST_RETRY_S
        while True:
            why = "camgate has closed the connection"
            try:
                await self._link.listen(lambda message: self._board.hear(message, time.monotonic()))
            except Unreachable as error:
                why = str(error)
            if not self._board.is_lost:
                retry_s = FIRST_RETRY_S
            self._board.lose(why)
            await trio.sleep(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)

    async def listen_to_shown(self) -> None:
        """Hear the figures of the cameras on the screen, each second; `draw` ends it when there are others."""
        while True:
            # Who scrolls comes by many.
            await trio.sleep(SETTLE_S)
            self._listened = frozenset(self._shown)
            if self._listened and not self._board.is_lost:
                with trio.CancelScope() as self._listening:
                    await self._listen_to(self._shown)

    async def _listen_to(self, names: Collection[str]) -> None:
        try:
            await self._link.listen(self._hear_figures, tuple(names))
        except Unreachable:
            return  # the other socket says so

    def _hear_figures(self, message: dict[str, Any]) -> None:
        self._board.hear_figures(message, time.monotonic())

    async def ask(self) -> None:
        """Ask camgate of itself, and of what is on the screen, time and again; at once where that is something new."""
        while True:
            board = self._board
            self._asked_for = self._subject()
            if not board.is_lost:
                # That it cannot be asked the socket says, and when it is back.
                with suppress(Unreachable):
                    board.take_process(read_process(await self._link.ask_if_allowed(SERVER)))
                    if board.shows_viewers:
                        board.take_viewers(await self._link.ask_if_allowed(VIEWERS), time.monotonic())
                    if camera := board.log_of:
                        told = await self._link.ask_if_allowed(
                            f"{LOGS}?limit={LOG_LINES}&camera={quote(camera, safe='')}"
                        )
                        board.take_log(camera, None if told is None else read_log(told, camera))
            with trio.move_on_after(PROCESS_S):
                await self._asking.wait()
            self._asking = trio.Event()

    def _subject(self) -> tuple[bool, str]:
        return self._board.shows_viewers, self._board.log_of

    async def read_keys(self, descriptor: int) -> None:
        """Do what is typed."""
        reader = KeyReader()
        while not self._board.has_ended:
            keys = await read_keys(descriptor, reader)
            if not keys:
                break
            for key in keys:
                self._board.press(key)
            self._hurry.set()
            if self._subject() != self._asked_for:
                self._asking.set()
        self.ended.set()

    async def take_signals(self, signals: Any) -> None:
        """Draw anew for another size, end for any other signal."""
        async for number in signals:
            if number != signal.SIGWINCH:
                self.ended.set()
                return
            self._hurry.set()

    async def draw(self) -> None:
        """Draw what has changed, and each second, as time does."""
        drawn_version, drawn_s = -1, 0.0
        while True:
            now_s = time.monotonic()
            self._board.sample(now_s)
            is_hurried = self._hurry.is_set()
            if is_hurried:
                self._hurry = trio.Event()
            if is_hurried or self._board.version != drawn_version or now_s - drawn_s >= 2 * DRAW_S:
                drawn_version, drawn_s = self._board.version, now_s
                if not self._draw(now_s):
                    self.ended.set()
                    return
            await trio.sleep(KEYS_S)
            with trio.move_on_after(DRAW_S - KEYS_S):
                await self._hurry.wait()

    def _draw(self, now_s: float) -> bool:
        """Whether there is still a terminal."""
        width, height = self._console.size
        screen = draw(self._board, width, height, now_s)
        self._shown = () if self._board.shows_viewers else _short(self._board.cameras.shown)
        if not self._listened.issuperset(self._shown):
            self._listening.cancel()
        try:
            self._live.update(screen, refresh=True)
        except OSError:
            return False
        return True


def _short(names: Collection[str]) -> tuple[str, ...]:
    found, room = [], MAX_NAMES_CHARS
    for name in names:
        room -= len(name.encode())
        if room < 0:
            break
        found.append(name)
    return tuple(found)
