"""How soon a real browser shows a camera, and what its viewer sees next: `make bench-browser`.

Chromium joins one camera again and again, at seeded phases of its group of pictures, and reads the clock in every
picture that it presents. Beside these joins stand some right behind a key frame, which need no burst: what a burst
costs in lasting delay is the difference. Camera, camgate and browser share the machine, so leave it alone meanwhile;
`--busy 3` is for the contrary: a machine with other things to do.
"""

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser.conftest import CHROMIUM_ARGUMENTS, CHROMIUM_COMMAND
from tests.browser.processes import CamgateProcess, ClipCameraProcess

JOIN = Path(__file__).with_name("browser_join.js").read_text()
REST_S = 0.35
"""Between two joins: the page says goodbye, and the machine comes to rest."""
STEP_S = 0.3
"""Each join is up to this later in its group than the one before it ended: so none waits for a whole group."""
AT_KEY_FRAME_S = 0.01
FREEZE_MS = 500.0
CAUGHT_UP_MS = 60.0
"""A picture is live when it is no older than the lasting delay and this, one and a half pictures."""
COUNTERS = ("packetsLost", "nackCount", "pliCount", "framesDropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What one viewer saw; times in milliseconds from the click, delays from the moment when the camera sent."""

    phase_s: float
    connected_ms: float
    first_ms: float
    caught_up_ms: float
    delay_ms: float
    screen_ms: float
    shown_delay_ms: float
    buffer_ms: float
    freezes_ms: tuple[float, ...]
    kernel_drops: int
    counters: dict[str, int]


class Bench:
    """A page on a camera, warm: it has been connected once."""

    def __init__(self, page: Page, camera: ClipCameraProcess, options: argparse.Namespace) -> None:
        self._page = page
        self._camera = camera
        self._gop_s: float = options.gop
        self._watch_s: float = options.watch
        self._raw = options.raw

    def join(self, phase_s: float) -> Join:
        """Click so long after a key frame, watch, and disconnect."""
        earliest_s = time.time() + REST_S - self._camera.began_ms / 1000 - phase_s
        click_at_ms = self._camera.began_ms + (math.ceil(earliest_s / self._gop_s) * self._gop_s + phase_s) * 1000
        drops = kernel_drops()
        seen = self._page.evaluate(JOIN, {"clickAtMs": click_at_ms, "watchMs": self._watch_s * 1000})
        if self._raw is not None:
            self._raw.write(json.dumps({"phase_s": phase_s, **seen}) + "\n")
        return self._judge(seen, phase_s, kernel_drops() - drops)

    def _judge(self, seen: dict[str, Any], phase_s: float, drops: int) -> Join:
        pictures, half, whole = seen["pictures"], seen["half"], seen["whole"]
        assert pictures, f"no picture within {self._watch_s} s of a join {phase_s:.2f} s behind a key frame"
        times = [picture["atMs"] for picture in pictures]
        ages = [self._camera.age_ms(picture["place"] or 0, picture["unixMs"]) for picture in pictures]
        settled = [number for number, at_ms in enumerate(times) if at_ms > self._watch_s * 500]
        assert settled, f"no picture in the second half of a join {phase_s:.2f} s behind a key frame"
        delay_ms = statistics.median(ages[number] for number in settled)
        late = [number for number, age in enumerate(ages) if age > delay_ms + CAUGHT_UP_MS]
        emitted = whole["jitterBufferEmittedCount"] - half["jitterBufferEmittedCount"]
        return Join(
            phase_s=phase_s,
            connected_ms=seen["connectedMs"],
            first_ms=times[0],
            caught_up_ms=next((times[number + 1] for number in late[::-1] if number + 1 < settled[0]), times[0]),
            delay_ms=delay_ms,
            screen_ms=statistics.median(ages[number] + pictures[number]["toScreenMs"] for number in settled),
            shown_delay_ms=seen["shownDelayMs"] or math.nan,
            buffer_ms=(whole["jitterBufferDelay"] - half["jitterBufferDelay"]) * 1000 / max(1, emitted),
            freezes_ms=tuple(
                later - at for at, later in pairwise([*times, self._watch_s * 1000]) if later - at > FREEZE_MS
            ),
            kernel_drops=drops,
            counters={name: whole[name] for name in COUNTERS},
        )


def kernel_drops() -> int:
    """Datagrams that this machine's kernel threw away since its start because some socket's buffer was full."""
    lines = Path("/proc/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index("RcvbufErrors")])


def phases(gop_s: float, joins: int, watch_s: float, seed: int) -> Iterator[float]:
    """Yield phases that are spread over the group of pictures."""
    chance = random.Random(seed)
    phase_s = chance.uniform(0, gop_s)
    for _ in range(joins):
        yield phase_s
        phase_s = (phase_s + watch_s + REST_S + 0.1 + chance.uniform(0, STEP_S)) % gop_s


@contextmanager
def run_busy(count: int) -> Iterator[None]:
    """Let so many processes compete for the processors."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@contextmanager
def open_bench(mbit: float, options: argparse.Namespace) -> Iterator[Bench]:
    """Run a camera of this bit rate, camgate and Chromium."""
    camera = ClipCameraProcess(mbit=mbit, gop_s=options.gop)
    camera.start()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = CamgateProcess(Path(folder), {"cam": {"url": camera.url}})
        server.start()
        try:
            server.wait_live("cam")
            browser = playwright.chromium.launch(executable_path=CHROMIUM_COMMAND, args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{server.url}/camera/cam")
            page.wait_for_timeout(2_000)
            page.get_by_role("button", name="Disconnect").click()
            with run_busy(options.busy):
                yield Bench(page, camera, options)
            browser.close()
        finally:
            server.kill()
            camera.stop()


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of them does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def show(title: str, anywhere: list[Join], at_key: list[Join]) -> None:
    """Print a table, and the joins that froze."""
    table = Table("", title=title)
    for column in (f"{len(anywhere)} joins anywhere: p50", "p95", "max", f"{len(at_key)} at a key frame: p50", "max"):
        table.add_column(column, justify="right")

    def row(name: str, read: Callable[[Join], float]) -> None:
        late, early = [read(join) for join in anywhere], [read(join) for join in at_key]
        figures = (percentile(late, 0.5), percentile(late, 0.95), max(late), percentile(early, 0.5), max(early))
        table.add_row(name, *(f"{figure:.0f}" for figure in figures))

    row("connected, ms", lambda join: join.connected_ms)
    row("first picture, ms (target: p95 150)", lambda join: join.first_ms)
    row("caught up with live, ms", lambda join: join.caught_up_ms)
    row("camera to page, lasting, ms", lambda join: join.delay_ms)
    row("camera to screen, lasting, ms (target: p50 120)", lambda join: join.screen_ms)
    row("what the page says of it, ms", lambda join: join.shown_delay_ms)
    row("of it in the jitter buffer, ms", lambda join: join.buffer_ms)
    row("freezes over 500 ms (target: none)", lambda join: len(join.freezes_ms))
    row("the longest, ms", lambda join: max(join.freezes_ms, default=0))
    for name in COUNTERS:
        row(name, lambda join, name=name: join.counters[name])  # type: ignore[misc]
    row("dropped by the kernel", lambda join: join.kernel_drops)
    console = Console(width=120)
    console.print(table)
    frozen = [join for join in anywhere if join.freezes_ms]
    console.print(f"{len(frozen)} of {len(anywhere)} joins froze for more than {FREEZE_MS:.0f} ms.")
    for join in frozen:
        lasted = ", ".join(f"{freeze:.0f}" for freeze in join.freezes_ms)
        console.print(f"  {join.phase_s:.2f} s behind a key frame: {lasted} ms; {join.counters}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure joins in Chromium.")
    parser.add_argument("--mbit", type=float, nargs="+", default=[2.0, 8.0], help="bit rates of the camera")
    parser.add_argument("--gop", type=float, default=4.0, help="seconds between its key frames")
    parser.add_argument("--joins", type=int, default=40)
    parser.add_argument("--watch", type=float, default=5.0, help="seconds from click to click")
    parser.add_argument("--busy", type=int, default=0, help="processes that compete for the processors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--raw", type=argparse.FileType("a"), help="add each join to this file, a JSON object a line")
    options = parser.parse_args()
    for mbit in options.mbit:
        with open_bench(mbit, options) as bench:
            anywhere = [bench.join(at_s) for at_s in phases(options.gop, options.joins, options.watch, options.seed)]
            at_key = [bench.join(AT_KEY_FRAME_S) for _ in range(math.ceil(options.joins / 10))]
        show(f"{mbit:g} Mbit/s, 1280x720, 25 fps, a key frame each {options.gop:g} s", anywhere, at_key)


if __name__ == "__main__":
    main()
