"""What a real browser sees on bad networks: `make bench-loss`.

Chromium watches one camera through `tests.fakes.lossy_relay`, one path after the other, each with the same seeds.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser.conftest import CHROMIUM_ARGUMENTS, CHROMIUM_COMMAND
from tests.browser.lossy import PATHS, relay_before, watch
from tests.browser.processes import CamgateProcess, ClipCameraProcess
from tests.browser.viewer import Viewer

COLUMNS = (
    ("first picture, ms", lambda seen: f"{seen.first_ms:.0f}"),
    ("shown", lambda seen: f"{len(seen.gaps_ms)}"),
    ("freezes", lambda seen: f"{seen.stats['freezeCount']}"),
    ("frozen, ms", lambda seen: f"{1000 * seen.stats['totalFreezesDuration']:.0f}"),
    ("longest gap, ms", lambda seen: f"{seen.longest_ms:.0f}"),
    ("buffer, ms", lambda seen: f"{seen.buffer_ms:.0f}"),
    ("NACKs", lambda seen: f"{seen.stats['nackCount']}"),
    ("PLIs", lambda seen: f"{seen.stats['pliCount']}"),
    ("packets", lambda seen: f"{seen.relay['down']['offered']}"),
    ("lost", lambda seen: f"{seen.relay['down']['lost']}"),
    ("did not fit", lambda seen: f"{seen.relay['down']['overflowed']}"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mbit", type=float, default=2.0)
    parser.add_argument("--gop", type=float, default=2.0, help="seconds between key frames")
    parser.add_argument("--watch", type=float, default=10.0, help="seconds from the first picture")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=list(PATHS))
    options = parser.parse_args()
    table = Table(
        title=f"{options.mbit:g} Mbit/s, a key frame each {options.gop:g} s, {options.watch:g} s of each path"
    )
    for column in ("path", *(name for name, _ in COLUMNS)):
        table.add_column(column, justify="left" if column == "path" else "right")
    camera = ClipCameraProcess(mbit=options.mbit, gop_s=options.gop)
    camera.start()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = CamgateProcess(Path(folder), {"cam": {"url": camera.url}})
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM_COMMAND, args=CHROMIUM_ARGUMENTS)
        try:
            server.wait_live("cam")
            for name in options.paths:
                for seed in range(1, options.seeds + 1):
                    page = browser.new_page(viewport={"width": 1280, "height": 800})
                    with relay_before(server.webrtc_port, PATHS[name], seed) as relay:
                        seen = watch(Viewer(page, server.url), "/camera/cam", relay, options.watch)
                        page.close()
                    table.add_row(name, *(read(seen) for _, read in COLUMNS))
        finally:
            browser.close()
            server.kill()
            camera.stop()
            Console(width=160).print(table)


if __name__ == "__main__":
    main()
