"""What a scrape of /metrics costs with many cameras, and how long others wait meanwhile.

Run: python tests/bench/bench_metrics.py
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fakes.house import open_house

CAMERAS = 500
SCRAPES = 10


async def measure(folder: Path) -> None:
    async with open_house(folder) as house:
        house.add_cameras(CAMERAS - 1)
        house.film(5)
        worst_s = 0.0

        async def take_turns() -> None:
            nonlocal worst_s
            while True:
                before = trio.current_time()
                await trio.sleep(0.001)
                worst_s = max(worst_s, trio.current_time() - before - 0.001)

        body, _ = await house.metrics.page("")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_turns)
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            for _ in range(SCRAPES):
                await house.metrics.page("")
            cpu_s, took_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
            nursery.cancel_scope.cancel()
    print(
        f"/metrics of {CAMERAS} cameras: {1000 * took_s / SCRAPES:.0f} ms, {1000 * cpu_s / SCRAPES:.0f} ms of CPU, "
        f"{len(body) / 1000:.0f} kB; others waited {1000 * worst_s:.1f} ms at the most"
    )


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        trio.run(measure, Path(directory))
