"""What one redraw of `camgate status` costs, and a message of the feed: milliseconds, 500 cameras, by terminal size.

.venv/bin/python -m tests.bench.bench_status [--cameras 500]
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from camgate.tui.board import SAMPLE_S, SAMPLES, Board
from camgate.tui.draw import draw
from camgate.tui.facts import read_process
from camgate.tui.keys import ENTER
from tests.fakes.boards import down, many
from tests.fakes.engine import camera_facts, server_facts

ROUNDS = 30


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median of how long something takes."""
    spent = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began_s)
    return statistics.median(spent) * 1000


def full_board(cameras: int) -> Board:
    """Return a board with all that a screen can show."""
    board = many(cameras)
    for number in range(0, cameras, 10):
        board.hear({"type": "camera", "camera": down(f"camera-{number}", "192.0.2.11:554 refuses the connection")}, 0.0)
    for sample in range(SAMPLES):
        board.sample(sample * SAMPLE_S)
    board.take_process(read_process(server_facts()))
    board.press(ENTER)
    return board


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, default=500)
    cameras = parser.parse_args().cameras
    board = full_board(cameras)
    for width, height in ((80, 24), (200, 60)):
        written = io.StringIO()
        console = Console(file=written, width=width, height=height, force_terminal=True, color_system="256")
        with Live(console=console, screen=True, auto_refresh=False) as live:
            before = len(written.getvalue())
            spent_ms = milliseconds(lambda: live.update(draw(board, width, height, 0.0), refresh=True))  # noqa: B023
            size = (len(written.getvalue()) - before) / ROUNDS
        print(f"redraw of {width}x{height}, {cameras} cameras: {spent_ms:.1f} ms, {size / 1000:.1f} kB")
    message = {"type": "cameras", "cameras": [camera_facts(f"camera-{number}") for number in range(cameras)]}
    print(f"the list of {cameras} cameras: {milliseconds(lambda: board.hear(message, 0.0)):.1f} ms")


if __name__ == "__main__":
    main()
