"""Hold `camgate bench` against an independent load generator: do both count and charge the same?

Run: python -m tests.bench.compare_with_loadgen --camsim PATH --loadgen PATH --pionref PATH

Counts: a camera loops a clip of known length, all viewers take every packet, and a window is two loops, so it holds
one number of packets wherever it begins. Each tool must find as many packets as the sequence numbers say were sent,
and both must find that number for each viewer. `loadgen` tells rates; its window is what it was asked for and a
millisecond or two of waking up, by far less than a frame.
CPU: both tools load both servers by turns with one camera; medians, all values in turn, and the ratio of the servers
as each tool sees it.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.independent import (
    LOOP_S,
    Load,
    Outcome,
    Server,
    add_tool_arguments,
    median_and_spread,
    run_bench,
    run_loadgen,
    running_cameras,
    running_camgate,
    running_pionref,
)

COUNTED = Load(viewers=10, full=10, seconds=2 * LOOP_S)
Tool = Callable[[Server, Load], Outcome]
AGREEMENT = 0.25
"""How far the CPU a packet may differ between the tools."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_tool_arguments(parser)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count-runs", type=int, default=3)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--only", choices=["counts", "cpu"], help="a part of it")
    parser.add_argument("--into", type=Path, metavar="FILE", help="add the CPU runs to these, and sum up all of them")
    arguments = parser.parse_args()
    load = Load(viewers=arguments.viewers, seconds=arguments.seconds, rate=arguments.rate)

    def by_loadgen(server: Server, load: Load) -> Outcome:
        return run_loadgen(arguments.loadgen, server, load)

    tools: list[Tool] = [by_loadgen, run_bench]
    with TemporaryDirectory() as name:
        folder = Path(name)
        with (
            running_cameras(arguments.camsim, 1, folder) as port,
            running_camgate(port, 1, load.viewers, folder) as camgate,
            running_pionref(arguments.pionref, port, 1, folder) as pionref,
        ):
            if arguments.only != "cpu":
                compare_counts([camgate, pionref], tools, arguments.count_runs)
            if arguments.only != "counts":
                runs = (
                    run(server, load) for _ in range(arguments.runs) for server in (camgate, pionref) for run in tools
                )
                compare_cpu(_with_earlier(runs, arguments.into))


def compare_counts(servers: list[Server], tools: list[Tool], runs: int) -> None:
    """Print how many packets each tool counts a viewer in two loops of the clip."""
    print("| server | tool | sent beyond what arrived | a viewer in two loops |\n|---|---|---|---|")
    for server in servers:
        counts = []
        for run in tools:
            outcomes = [run(server, COUNTED) for _ in range(runs)]
            missing = sum(found.expected_per_s - found.packets_per_s for found in outcomes)
            packets = [round(found.packets_per_s * COUNTED.seconds / COUNTED.viewers) for found in outcomes]
            counts.append(statistics.median(packets))
            print(f"| {server.name} | {outcomes[0].tool} | {missing:g} | {median_and_spread(packets, 0)} |", flush=True)
        print(f"{server.name}: the counts {'agree' if len(set(counts)) == 1 else 'DIFFER'}", file=sys.stderr)


def compare_cpu(outcomes: list[Outcome]) -> None:
    """Print what each tool says of each server, and whether they agree."""
    print("| | camgate, loadgen | camgate, bench | pionref, loadgen | pionref, bench |\n|---|---|---|---|---|")
    columns = [
        [found for found in outcomes if (found.server, found.tool) == (server, tool)]
        for server in ("camgate", "pionref")
        for tool in ("loadgen", "bench")
    ]
    rows: dict[str, Callable[[Outcome], float]] = {
        "CPU us a packet": lambda found: found.cpu_us_per_packet,
        "delivered %": lambda found: found.delivered_percent,
        "packets/s": lambda found: found.packets_per_s,
        "delay p50, ms": lambda found: found.delay_p50,
        "delay p99, ms": lambda found: found.delay_p99,
        "whole key frame p95, ms": lambda found: found.key_frame_p95,
    }
    for name, figure in rows.items():
        print(
            f"| {name} | {' | '.join(median_and_spread([figure(found) for found in column]) for column in columns)} |"
        )
    cpu = [statistics.median(found.cpu_us_per_packet for found in column) for column in columns]
    for server, loadgen, bench in (("camgate", cpu[0], cpu[1]), ("pionref", cpu[2], cpu[3])):
        apart = bench / loadgen - 1
        verdict = "within" if abs(apart) <= AGREEMENT else "NOT within"
        print(f"CPU a packet of {server}: bench says {apart:+.0%}, {verdict} {AGREEMENT:.0%}")
    print(f"camgate/pionref: {cpu[0] / cpu[2]:.2f} by loadgen, {cpu[1] / cpu[3]:.2f} by bench")


def _with_earlier(outcomes: Iterator[Outcome], file: Path | None) -> list[Outcome]:
    """Add each outcome to the file as soon as it is there, and return all that the file holds."""
    if file is None:
        return list(outcomes)
    for found in outcomes:
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(found)) + "\n")
    return [Outcome(**json.loads(line)) for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main()
