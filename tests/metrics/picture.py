"""Draws docs/images/dashboard.png anew: the panels of etc/grafana/camgate.json, by a real Prometheus and matplotlib.

    .venv/bin/python -m tests.metrics.picture [--minutes 6]

Grafana itself is not needed: of each panel the expressions are asked of a Prometheus that has scraped a camgate with
three cameras, of which one dies and comes back, and viewers who come and go. Layout, titles and units are the
dashboard's.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import matplotlib.pyplot as plt
import trio
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from camgate.base.errors import RemoteError
from tests.browser.processes import CameraProcess, CamgateProcess, ClipCameraProcess, free_port
from tests.fakes.visitors import Visitors, staying

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "etc/grafana/camgate.json"
TARGET = ROOT / "docs/images/dashboard.png"
SCRAPE_S = 2
VIEWERS, PAUSE_S, STAY_S = 40, 3.0, 90.0
COLUMN, ROW = 0.72, 0.27
"""Inches of a unit of the dashboard's grid."""
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
STATES = {0: ("down", "#e02f44"), 1: ("live", "#37872d"), 2: ("stalled", "#ff9830"), 3: ("idle", "#5a5a66")}


def main() -> None:
    """Run all of it, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=6.0)
    minutes = parser.parse_args().minutes
    front = CameraProcess(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        cameras(front) as urls,
        camgate(Path(folder), urls) as server,
        prometheus(Path(folder), server) as port,
    ):
        began_s = time.time()
        trio.run(be_watched, server, front, 60 * minutes)
        draw(port, began_s + 10, time.time())


@contextmanager
def cameras(front: CameraProcess) -> Iterator[dict[str, str]]:
    """Run cameras of several kinds; give their URLs by name."""
    yard, gate = ClipCameraProcess(mbit=2.0, gop_s=2.0), ClipCameraProcess(mbit=4.0, gop_s=4.0)
    for each in (front, yard, gate):
        each.start()
    try:
        yield {"front": front.url, "yard": yard.url, "gate": gate.url}
    finally:
        front.kill()
        yard.stop()
        gate.stop()


@contextmanager
def camgate(folder: Path, urls: Mapping[str, str]) -> Iterator[CamgateProcess]:
    """Run camgate, from when all cameras are live."""
    server = CamgateProcess(folder, {name: {"url": url} for name, url in urls.items()})
    server.start()
    for name in urls:
        server.wait_live(name)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def prometheus(folder: Path, server: CamgateProcess) -> Iterator[int]:
    """Run a Prometheus that scrapes camgate; give its port."""
    port, config = free_port(), folder / "prometheus.yml"
    config.write_text(
        f"global:\n  scrape_interval: {SCRAPE_S}s\nscrape_configs:\n  - job_name: camgate\n    static_configs:\n"
        f"      - targets: ['127.0.0.1:{server.http_port}']\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


async def be_watched(server: CamgateProcess, front: CameraProcess, seconds: float) -> None:
    """Have viewers come and go, and one camera die in the second third of the time."""
    random = Random(5)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:

            async def fail() -> None:
                await trio.sleep(seconds / 3)
                front.kill()
                await trio.sleep(seconds / 6)
                front.start()

            nursery.start_soon(fail)
            for _ in range(VIEWERS):
                name = random.choice(["front", "yard", "gate"])
                visitors = Visitors(f"{server.url}/whep/{name}")
                nursery.start_soon(visit, visitors, random.uniform(0.2, 1.0) * STAY_S)
                await trio.sleep(random.uniform(0.5, 1.5) * PAUSE_S)


async def visit(visitors: Visitors, seconds: float) -> None:
    """Come, stay, and leave; who finds the camera away leaves at once."""
    async with staying(visitors.viewer()) as (viewer, _):
        try:
            await viewer.join()
        except RemoteError:
            return
        await trio.sleep(seconds)


def draw(port: int, since_s: float, until_s: float) -> None:
    """Draw all panels as the dashboard's grid says."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    plt.style.use("dark_background")
    plt.rcParams.update(
        {"font.size": 7, "axes.titlesize": 8, "figure.facecolor": "#111217", "axes.facecolor": "#181b1f"}
    )
    figure = plt.figure(figsize=(24 * COLUMN, height * ROW))
    for panel in panels:
        at = panel["gridPos"]
        left, top, width, tall = at["x"] / 24, 1 - at["y"] / height, at["w"] / 24, at["h"] / height
        if panel["type"] == "row":
            figure.text(left + 0.005, top - tall * 0.7, panel["title"], weight="bold", size=9)
            continue
        box = (left + 0.03, top - tall + 0.9 / height, width - 0.04, tall - 2.2 / height)
        axes = figure.add_axes(box)
        axes.set_title(panel["title"], loc="left")
        found = [
            (label(target, series), series["values"])
            for target in panel["targets"]
            for series in ask(port, target["expr"], since_s, until_s)
        ]
        {"stat": draw_stat, "state-timeline": draw_states}.get(panel["type"], draw_lines)(
            axes, found, panel["fieldConfig"]["defaults"]
        )
        if panel["type"] != "stat":
            axes.set_xlim(since_s, until_s)
            axes.set_xticks([since_s + 60 * minute for minute in range(int((until_s - since_s) / 60) + 1)])
            axes.xaxis.set_major_formatter(FuncFormatter(lambda at_s, _: f"{(at_s - since_s) / 60:.0f} min"))
            axes.tick_params(length=0)
    figure.savefig(TARGET, dpi=100)
    print(f"drawn: {TARGET}")


def ask(port: int, expression: str, since_s: float, until_s: float) -> list[dict[str, Any]]:
    """Return what Prometheus says of an expression, with the dashboard's variables for all."""
    query = urlencode(
        {
            "query": re.sub(r"\$(camera|instance)", ".*", expression),
            "start": since_s,
            "end": until_s,
            "step": SCRAPE_S,
        }
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query_range?{query}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def label(target: dict[str, Any], series: dict[str, Any]) -> str:
    """Return what a line is called."""
    return re.sub(r"{{(\w+)}}", lambda part: series["metric"].get(part[1], ""), target.get("legendFormat", ""))


Found = list[tuple[str, list[tuple[float, str]]]]


def draw_lines(axes: Axes, found: Found, settings: dict[str, Any]) -> None:
    """Draw a line for each series."""
    for name, values in found:
        axes.plot([at for at, _ in values], [float(value) for _, value in values], label=name, linewidth=1)
    if settings.get("custom", {}).get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, settings["unit"])))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.15)
    if any(name for name, _ in found):
        axes.legend(loc="upper left", fontsize=6, frameon=False, ncols=3)


def draw_stat(axes: Axes, found: Found, settings: dict[str, Any]) -> None:
    """Write the latest value."""
    axes.axis("off")
    value = float(found[0][1][-1][1]) if found else float("nan")
    axes.text(0.5, 0.4, written(value, settings["unit"]), ha="center", va="center", size=22, color="#73bf69")


def draw_states(axes: Axes, found: Found, _: dict[str, Any]) -> None:
    """Draw a bar for each camera, in the colours of its states."""
    for place, (_name, values) in enumerate(found):
        for at, value in values:
            axes.barh(place, SCRAPE_S, left=at, color=STATES[round(float(value))][1], height=0.7)
    axes.set_yticks(range(len(found)), [name for name, _ in found])
    axes.invert_yaxis()


def written(value: float, unit: str) -> str:
    """Return a value as people write it."""
    if value != value:
        return "-"
    match unit:
        case "percentunit":
            return f"{100 * value:.3g} %"
        case "s":
            return f"{1000 * value:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
        case "bps" | "bytes":
            name = "b/s" if unit == "bps" else "B"
            factor, prefix = next(((factor, prefix) for factor, prefix in PREFIXES if abs(value) >= factor), (1, ""))
            return f"{value / factor:.3g} {prefix}{name}"
        case _:
            return f"{value:.3g}"


if __name__ == "__main__":
    main()
