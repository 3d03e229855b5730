"""The table of targets, measured: camgate beside the yardstick server, by turns, medians and all values.

Run: python -m tests.bench.targets --camsim PATH --loadgen PATH --pionref PATH [--rows cpu-200 idle ...] [--runs 3]

Prints Markdown. A row whose name ends in a number of viewers is measured by the independent load generator on both
servers; the others by `camgate bench`. All rows take about a quarter of an hour, the row `limit` most of it.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.independent import (
    Load,
    Outcome,
    Server,
    add_tool_arguments,
    bench_json,
    median_and_spread,
    run_bench,
    run_loadgen,
    running_cameras,
    running_camgate,
    running_pionref,
)

Row = tuple[str, str, str, str, str]
"""What is measured, its target, camgate's figure, the yardstick's, camgate's by the yardstick's."""
NONE = ""


class Targets:
    """One method a row, or a few rows that one measurement gives."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._runs: int = arguments.runs

    def cpu_200(self) -> Iterator[Row]:
        """200 viewers of one camera."""
        load = Load(viewers=200, seconds=8)
        camgate, pionref = self._by_turns(load)
        yield _compare("CPU a delivered packet, 200 viewers, us", "<= 0.40, then 0.30", camgate, pionref, _cpu)
        yield _compare("delay p50 as the generator sees it, ms", NONE, camgate, pionref, lambda found: found.delay_p50)
        yield _compare("delay p99 as the generator sees it, ms", NONE, camgate, pionref, lambda found: found.delay_p99)
        yield _compare("POST to a whole key frame, p95, ms", "<= 50 ms", camgate, pionref, _key_frame)
        yield _compare("memory a viewer, kB", "<= 150 kB", camgate, pionref, lambda found: found.viewer_kb)

    def cpu_20(self) -> Iterator[Row]:
        """20 viewers over four cameras."""
        camgate, pionref = self._by_turns(Load(viewers=20, cameras=4, seconds=8))
        yield _compare("CPU a delivered packet, 20 viewers, 4 cameras, us", "<= 0.65", camgate, pionref, _cpu)

    def own(self) -> Iterator[Row]:
        """What only camgate's own benchmark can tell of 200 viewers of one camera."""
        found = self._bench("--viewers", "200", "--seconds", "10", "--storm", "100", "--storm-rate", "20")
        yield _alone(
            "memory a viewer, 10 s after joining, kB", "<= 150 kB", found, "memory_bytes_per_viewer", scale=1e-3
        )
        yield _alone("CPU a join, 20 a second, ms", "<= 5 ms", found, "cpu_ms_per_join_in_storm")
        yield _alone("POST to a whole key frame, p95, ms", "<= 50 ms", found, "joined", "key_frame", "p95")
        yield _alone("the server's own delay p50, ms", "<= 8 ms", found, "measured", "delay", "p50")
        yield _alone("the server's own delay p99, ms", "<= 30 ms", found, "measured", "delay", "p99")
        yield _alone("the event loop's lag p95, ms", NONE, found, "lag", "p95")

    def idle(self) -> Iterator[Row]:
        """200 cameras that nobody watches, but one."""
        found = self._bench("--cameras", "200", "--viewers", "1", "--seconds", "2", runs=1)
        yield _alone(
            "CPU a camera with nobody watching, % of a core", "<= 0.18 %", found, "cpu_percent_per_idle_camera"
        )
        yield _alone("memory a camera beyond its cache, MB", "<= 1 MB", found, "memory_bytes_per_camera", scale=1e-6)
        yield _alone("200 cameras live from a cold start, s", "<= 10 s", found, "idle", "live_s")

    def storm(self) -> Iterator[Row]:
        """100 joins a second for five seconds, beside 100 who watch."""
        found = self._bench("--viewers", "100", "--seconds", "4", "--storm", "500")
        failed = [each["storm"]["joined"]["viewers"] - each["storm"]["joined"]["key_frames_seen"] for each in found]
        yield "500 joins at 100 a second: failed", "0", median_and_spread(failed, 0), NONE, NONE
        yield _alone("the others' delay p99 meanwhile, ms", "< 60 ms", found, "storm", "watchers", "delay", "p99")
        yield _alone("CPU a join, 100 a second, ms", "<= 5 ms", found, "cpu_ms_per_join_in_storm")

    def lone(self) -> Iterator[Row]:
        """One viewer of one camera beside 500 of another."""
        found = self._bench("--viewers", "500", "--rate", "50", "--seconds", "10", "--lone", runs=1)
        yield _alone("a lone viewer's delay p99 beside 500 others, ms", NONE, found, "measured", "lone", "p99")
        yield _alone("what they add to it, ms", "<= 20 ms", found, "lone_p99_added_ms")

    def limit(self) -> Iterator[Row]:
        """How many viewers of one camera one process carries: delay p99 <= 250 ms, nothing lost."""
        carried: dict[str, list[float]] = {"camgate": [], "pionref": []}
        search = ("--rate", "50", "--find-limit", "--seconds", "5")
        for server in self._servers(Load(viewers=2_000)):
            start = "400" if server.name == "camgate" else "150"
            found = bench_json("--whep", server.whep, "--pid", str(server.pid), "--viewers", start, *search)
            print(f"{server.name}: {found['conclusion']}", file=sys.stderr)
            carried[server.name].append(found["carried"])
        camgate, pionref = carried["camgate"], carried["pionref"]
        ratio = f"{camgate[0] / pionref[0]:.2f}" if pionref[0] else NONE
        yield "viewers in one process", ">= 2.5 times", f"{camgate[0]:.0f}", f"{pionref[0]:.0f}", ratio

    def _by_turns(self, load: Load) -> tuple[list[Outcome], list[Outcome]]:
        def measure(server: Server) -> Outcome:
            if self._arguments.by == "bench":
                return run_bench(server, load)
            return run_loadgen(self._arguments.loadgen, server, load)

        outcomes = [measure(server) for _ in range(self._runs) for server in self._servers(load)]
        return outcomes[::2], outcomes[1::2]

    def _servers(self, load: Load) -> Iterator[Server]:
        """Run one server after the other, so that neither takes anything from the other."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            with running_cameras(self._arguments.camsim, load.cameras, folder) as port:
                with running_camgate(port, load.cameras, load.viewers, folder) as server:
                    yield server
                with running_pionref(self._arguments.pionref, port, load.cameras, folder) as server:
                    yield server

    def _bench(self, *arguments: str, runs: int | None = None) -> list[dict[str, Any]]:
        return [bench_json(*arguments) for _ in range(runs or self._runs)]


def _cpu(found: Outcome) -> float:
    return found.cpu_us_per_packet


def _key_frame(found: Outcome) -> float:
    return found.key_frame_p95


def _compare(
    name: str, target: str, camgate: Sequence[Outcome], pionref: Sequence[Outcome], figure: Callable[[Outcome], float]
) -> Row:
    ours, theirs = [figure(found) for found in camgate], [figure(found) for found in pionref]
    ratio = statistics.median(ours) / statistics.median(theirs)
    return name, target, median_and_spread(ours), median_and_spread(theirs), f"{ratio:.2f}"


def _alone(name: str, target: str, found: Sequence[dict[str, Any]], *keys: str, scale: float = 1.0) -> Row:
    values = []
    for figures in found:
        value: Any = figures
        for key in keys:
            value = value[key]
        values.append(value * scale)
    return name, target, median_and_spread(values), NONE, NONE


def main() -> None:
    rows = ["cpu-200", "cpu-20", "own", "idle", "storm", "lone", "limit"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_tool_arguments(parser)
    parser.add_argument("--rows", nargs="+", choices=rows, default=rows)
    parser.add_argument("--runs", type=int, default=3, help="of each measurement; some long ones run once")
    parser.add_argument("--by", choices=["loadgen", "bench"], default="loadgen", help="who loads both servers")
    arguments = parser.parse_args()
    targets = Targets(arguments)
    print("| what | target | camgate | pionref | ratio |\n|---|---|---|---|---|", flush=True)
    for name in arguments.rows:
        for row in getattr(targets, name.replace("-", "_"))():
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
