"""Draws docs/images/status.png anew: the live screen with cameras of many kinds.

.venv/bin/python -m tests.tui.picture
"""

import io
import math
from pathlib import Path
from random import Random

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI

from camgate.tui.board import SAMPLE_S, Board
from camgate.tui.draw import draw
from camgate.tui.facts import LoggedLine, read_process
from camgate.tui.keys import ENTER
from tests.browser.conftest import CHROMIUM_COMMAND
from tests.fakes.engine import camera_facts, server_facts

TARGET = Path(__file__).parents[2] / "docs" / "images" / "status.png"
COLUMNS, ROWS = 160, 27
AT_S = 1_764_313_200.0
LINES = [
    (0, ("INFO", "camera live")),
    (3_127, ("INFO", "viewer connected session=4f1c22ab address=192.0.2.40:50122")),
    (4_005, ("WARNING", 'camera lost reason="no frame for 10 s"')),
    (4_006, ("WARNING", 'camera gives no pictures reason="192.0.2.11:554 refuses the connection"')),
    (4_031, ("WARNING", 'camera gives no pictures reason="192.0.2.11:554 refuses the connection"')),
    (4_405, ("INFO", 'viewer left session=4f1c22ab reason="the viewer left"')),
]
PLACES = [
    "barn",
    "bike-shed",
    "canteen",
    "cellar",
    "drive",
    "front-door",
    "garage",
    "garden",
    "gate",
    "hall",
    "kitchen",
    "loading-dock",
    "lobby",
    "office",
    "parking",
    "pool",
    "roof",
    "stairs",
    "stable",
    "storage",
    "workshop",
    "yard",
]


def cameras(random: Random, second: int) -> list[dict[str, object]]:
    """Return what is told of all cameras at a second."""
    told = []
    for number, name in enumerate(PLACES):
        rate = (1 + number % 5) * 900_000 * (1 + 0.4 * math.sin(second / (4 + number % 7)) + random.uniform(-0.1, 0.1))
        is_large = number % 3 == 0
        told.append(
            camera_facts(name)
            | {
                "codec": "H265" if number % 4 == 2 else "H264",
                "width": 2560 if is_large else 1920,
                "height": 1440 if is_large else 1080,
                "fps": (15.0, 20.0, 25.0)[number % 3],
                "frame_age_s": random.uniform(0.004, 0.06),
                "bitrate_bps": rate,
                "viewers": (number * 7) % 5,
                "reconnects": 2 if number == 8 else 0,
                "uptime_s": 86_400.0 * 9,
            }
        )
    away = {"fps": None, "bitrate_bps": None}
    told[7] |= away | {"state": "backoff", "last_error": "192.0.2.11:554 refuses the connection", "frame_age_s": 412.0}
    told[15] |= away | {"state": "stalled", "last_error": "no frame for 10 s", "frame_age_s": 14.0}
    told[3] |= {"healthy": False, "health_reason": "7 fps of 25", "fps": 7.0}
    told[19] |= away | {"state": "idle", "demand": "idle", "frame_age_s": None, "viewers": 0}
    return told


def board() -> Board:
    """Return the board that is drawn."""
    random, shown = Random(3), Board("/run/camgate/camgate.sock")
    for second in range(0, 120, int(SAMPLE_S)):
        shown.hear({"type": "cameras", "cameras": cameras(random, second)}, float(second))
        shown.sample(float(second))
    load = {"share": 0.23, "lag_s": 0.0012, "delay_s": 0.0048, "memory_bytes": 214e6}
    server = server_facts()
    server |= {"viewers": 37, "viewers_by_transport": {"udp": 35, "tcp": 2}, "load": load, "rtsp": {"clients": 3}}
    shown.take_process(read_process(server))
    shown.rows(ROWS, 118.0)
    shown.press(ENTER)
    shown.take_log("garden", [LoggedLine(AT_S + at, *line) for at, line in LINES])
    return shown


def main() -> None:
    """Draw it."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, height=ROWS, force_terminal=True)
    console.print(draw(board(), COLUMNS, ROWS, 118.5), end="")
    svg = console.export_svg(title="camgate status", theme=MONOKAI)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM_COMMAND, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1700, "height": 900})
        page.set_content(f"<body style='margin:0;width:1700px'>{svg}</body>")
        page.locator("svg").screenshot(path=TARGET, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
