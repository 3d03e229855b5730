"""The live screen in a terminal, beside a server with 500 cameras: what is on it, and how it leaves."""

import os
import signal
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from camgate.base.log import get_logger
from camgate.base.log_setup import setup_logging
from camgate.config.model import LoggingSettings
from tests.fakes.command import running_camgate
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server, running_server
from tests.fakes.terminal import ALTERNATE_OFF, ALTERNATE_ON, CURSOR_ON, Terminal, in_terminal
from tests.fakes.web_server import Answer, Asked, web_server

CONFIG = """
[server]
listen = "127.0.0.1:0"
state_directory = "state"
unix_socket = "c"
[webrtc]
port = 0
[cameras.front]
url = "rtsp://127.0.0.1:9/live"
"""
log = get_logger("test")
BREAKS = """
import camgate.tui.board as board
def press(self, key):
    raise RuntimeError("broken on purpose")
board.Board.press = press
"""
WHY = "192.0.2.11:554 refuses the connection"


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine(*(f"camera-{number}" for number in range(500)))
    engine.change("camera-77", state="backoff", last_error=WHY, reconnects=3)
    return engine


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    return tmp_path / "web"


@pytest.fixture
def console() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@asynccontextmanager
async def status(server: Server, directory: Path, *, columns: int = 80, rows: int = 24) -> AsyncIterator[Terminal]:
    url = f"http://127.0.0.1:{server.port}"
    async with in_terminal("status", "--url", url, directory=directory, columns=columns, rows=rows) as terminal:
        await terminal.wait_text("500 cameras: 499 live, 1 down")
        yield terminal


async def leaves_all_as_it_was(terminal: Terminal) -> int:
    code = await terminal.wait_end()
    assert terminal.modes() == terminal.before
    written = bytes(terminal.written)
    assert written.count(ALTERNATE_ON) == written.count(ALTERNATE_OFF) == 1
    assert written.rindex(CURSOR_ON) > written.rindex(b"camera")
    assert b"Traceback" not in written
    return code


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_500_cameras_are_seen_sorted_filtered_and_looked_at(
    engine: FakeEngine, web: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    columns, rows = size
    async with running_server(engine, web) as server, status(server, tmp_path, columns=columns, rows=rows) as terminal:
        await terminal.wait_row(-1, " ↑↓ select")  # the last that is drawn
        await terminal.wait_row(3, "▶camera-77    backoff")
        await terminal.wait_row(4, " camera-0     live")
        await terminal.wait_row(0, " camgate 127.0.0.1")
        await terminal.wait_text(f"1-{rows - 4} of 500 by trouble")
        assert ("H264   1280x720" in terminal.lines[4]) is (columns == 200)
        await terminal.wait_text("load 10% of a core")
        # What changes each second comes for the rows on the screen.
        engine.facts["camera-3"].update(frame_age_s=0.123)
        await terminal.wait(lambda: any(row.startswith(" camera-3 ") and "123 ms" in row for row in terminal.lines))
        await terminal.wait_text("██")
        terminal.type("\x1b[B")
        await terminal.wait_row(4, "▶camera-0 ")
        terminal.type("\x1b[F")
        await terminal.wait_row(-2, "▶camera-499 ")
        engine.facts["camera-499"].update(frame_age_s=0.456)
        await terminal.wait(lambda: "456 ms" in terminal.lines[-2])
        terminal.type("/refuses")
        await terminal.wait_text("filter: refuses", "1-1 of 1")
        terminal.type("\r\r")
        await terminal.wait_text(f"why         {WHY}", "reconnects  3")
        await terminal.wait_row(3, "▶camera-77 ")
        terminal.type("\x1b")
        await terminal.wait(lambda: "reconnects  3" not in terminal.text)
        terminal.type("\x1b")
        await terminal.wait_text("of 500")
        engine.change("camera-8", state="stalled")
        await terminal.wait_text("498 live, 2 down")
        terminal.type("sr")
        await terminal.wait_text("by name reversed")
        terminal.type("q")
        assert await leaves_all_as_it_was(terminal) == 0


async def test_viewers_and_the_log_of_a_camera_are_looked_at(
    engine: FakeEngine, web: Path, tmp_path: Path, console: int
) -> None:
    async with running_server(engine, web) as server, status(server, tmp_path, columns=160, rows=30) as terminal:
        engine.watch("session-1", "camera-8")
        terminal.type("v")
        await terminal.wait_text("camera-8", "192.0.2.7:50000", "viewers 1-1 of 1 by loss")
        terminal.type("\t")
        await terminal.wait_text("1-26 of 500 by trouble")
        with setup_logging(LoggingSettings(), console=console):
            log.warning("camera lost", camera="camera-77", reason="the cable")
            log.warning("another one", camera="camera-78")
            terminal.type("\r")
            await terminal.wait_text('camera lost reason="the cable"')
            assert "another one" not in terminal.text
            log.warning("camera found", camera="camera-77")
            await terminal.wait_text("camera found")


async def test_another_size_is_filled_at_once(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    async with running_server(engine, web) as server, status(server, tmp_path) as terminal:
        terminal.resize(120, 30)
        await terminal.wait(lambda: "1-26 of 500" in terminal.lines[0] and terminal.lines[-1].startswith(" ↑↓"))
        terminal.resize(60, 12)
        await terminal.wait(lambda: "1-8 of 500" in terminal.lines[0] and terminal.lines[-1].startswith(" ↑↓"))
        await terminal.wait_row(3, "▶camera-77 ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_leaves_the_terminal_as_it_was(
    engine: FakeEngine, web: Path, tmp_path: Path, number: signal.Signals
) -> None:
    async with running_server(engine, web) as server, status(server, tmp_path) as terminal:
        assert terminal.modes() != terminal.before
        if number == signal.SIGINT:
            terminal.type("\x03")
        else:
            terminal.process.send_signal(number)
        assert await leaves_all_as_it_was(terminal) == 0


async def test_ctrl_z_does_not_leave_the_screen_behind(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    async with running_server(engine, web) as server, status(server, tmp_path) as terminal:
        # A signal would do nothing here: whoever could continue it, a shell, is missing (POSIX: an orphaned group).
        characters = terminal.modes()[6]
        assert isinstance(characters, list)
        assert characters[termios.VSUSP] == bytes([os.fpathconf(terminal.master, "PC_VDISABLE")])
        terminal.type("\x1as")
        await terminal.wait_text("by name")


async def test_it_survives_a_camgate_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "camgate.toml").write_text(CONFIG)
    async with running_camgate("run", directory=tmp_path) as first:
        await first.wait_line("camgate has started")
        async with in_terminal("status", directory=tmp_path) as terminal:
            await terminal.wait_text("1 camera: 1 down", "memory")
            first.process.kill()
            await terminal.wait_text("not connected: camgate at", "trying again")
            await terminal.wait_row(3, "▶front ")
            async with running_camgate("run", directory=tmp_path) as second:
                await terminal.wait(lambda: "memory" in terminal.text and "not connected" not in terminal.text)
                second.process.send_signal(signal.SIGTERM)
                assert await second.wait_end() == 0
                await terminal.wait_text("not connected", "trying again")
            terminal.type("q")
            assert await leaves_all_as_it_was(terminal) == 0


async def test_an_error_of_its_own_leaves_the_terminal_as_it_was(engine: FakeEngine, web: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS)
    async with running_server(engine, web) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
        async with in_terminal("status", "--url", url, directory=tmp_path, PYTHONPATH=path) as terminal:
            await terminal.wait_text("500 cameras")
            terminal.type("x")
            assert await terminal.wait_end() == 1
            assert terminal.modes() == terminal.before
            assert bytes(terminal.written).count(ALTERNATE_OFF) == 1
            assert bytes(terminal.written).rindex(CURSOR_ON) > bytes(terminal.written).rindex(b"camera-0")
            assert b"please report it" in terminal.written


async def test_a_proxy_that_passes_no_websockets_is_named_for_it(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(502) if asked.target.startswith("/ws") else Answer(body=b"[]")

    async with web_server(answer) as proxy, in_terminal("status", "--url", proxy.url(), directory=tmp_path) as terminal:
        await terminal.wait_text(f"not connected: camgate at 127.0.0.1:{proxy.port} answered 502; trying again")
        terminal.type("q")
        assert await leaves_all_as_it_was(terminal) == 0
