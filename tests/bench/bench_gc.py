"""How long all pictures stand still while Python's collector looks for garbage, setting against setting.

Run: python -m tests.bench.bench_gc [--settings 0 5000 100000] [--viewers 600] [--leave 900]

For each value of `performance.gc` a camgate of its own with one small camera: its start, then `--viewers` who join
(50 a second) and stay, then `--leave` others who come and go beside them. Each look of the collector is noted by the
server itself (`watched_collector`). Printed are, by generation, how many looks there were, and the longest, the mean
and the sum of their times on the processor: a neighbour who takes the processor away is not counted.
"""

import argparse
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import trio
from rich.console import Console
from rich.table import Table

from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.crowd import CrowdSettings
from camgate.bench.link import TalkingChild, open_talking_child
from camgate.bench.server import BenchServer, open_server

SMALL = ClipSettings(width=320, height=180, fps=5, bitrate_bps=100_000, gop_s=1)
JOINS_A_SECOND = 50
LEAVE_AT_ONCE = 300
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look of the collector. generation: 0 for the newest objects, 2 for all. found: objects that were garbage."""

    generation: int
    pause_s: float
    cpu_s: float
    found: int


class Looks:
    """What a running server has noted so far."""

    def __init__(self, server: BenchServer) -> None:
        self._file = server.config.with_suffix(".collector")
        self._read = 0

    def newest(self) -> list[Look]:
        """Return those since the last call."""
        lines = self._file.read_text().splitlines()[self._read :]
        self._read += len(lines)
        return [Look(**json.loads(line)) for line in lines]


@asynccontextmanager
async def crowd_of(server: BenchServer, viewers: int) -> AsyncIterator[TalkingChild]:
    """Let viewers join; they stay until the end of the block."""
    wanted = CrowdSettings(url=server.whep, cameras=1, full=1, pid=server.child.pid)
    async with open_talking_child("viewers", "camgate.bench.crowd", asdict(wanted)) as crowd:
        await crowd.send({"join": viewers, "rate": JOINS_A_SECOND})
        while "joined" not in await crowd.receive(PATIENCE_S):
            pass
        yield crowd


async def measure(setting: int, viewers: int, leave: int) -> dict[str, list[Look]]:
    """Return the looks of each part of a run."""
    async with open_talking_child(
        "cameras", "camgate.bench.cameras", CamerasSettings(cameras=1, clip=SMALL).as_message()
    ) as cameras:
        port = (await cameras.receive(PATIENCE_S))["port"]
        most, more = viewers + 2 * LEAVE_AT_ONCE, {"performance": {"gc": setting}}
        async with open_server(port, 1, most, module="tests.bench.watched_collector", more=more) as server:
            await cameras.send({"serve": True})
            await server.wait_live()
            looks = Looks(server)
            parts = {"start": looks.newest()}
            async with crowd_of(server, viewers):
                parts[f"{viewers} join"] = looks.newest()
                for _ in range(leave // LEAVE_AT_ONCE):
                    async with crowd_of(server, LEAVE_AT_ONCE):
                        pass
                parts[f"{leave} come and go"] = looks.newest()
    return parts


def rows(setting: int, parts: dict[str, list[Look]]) -> Iterator[list[str]]:
    """Write down what was measured, a row for each part and generation."""
    for part, looks in parts.items():
        for generation in range(3):
            found = [look for look in looks if look.generation == generation]
            times_ms = [1000 * look.cpu_s for look in found] or [0.0]
            mean, total = sum(times_ms) / len(times_ms), sum(times_ms)
            figures = [f"{max(times_ms):.1f}", f"{mean:.2f}", f"{total:.0f}", str(sum(look.found for look in found))]
            yield [str(setting), part, str(generation), str(len(found)), *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--settings", type=int, nargs="+", default=[0, 5_000, 100_000])
    parser.add_argument("--viewers", type=int, default=600)
    parser.add_argument("--leave", type=int, default=900)
    options = parser.parse_args()
    table = Table("gc", "part", "gen", "looks", "longest, ms", "mean, ms", "sum, ms", "garbage")
    for setting in options.settings:
        for row in rows(setting, trio.run(measure, setting, options.viewers, options.leave)):
            table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
