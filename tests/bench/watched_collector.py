"""camgate that notes each look of the collector of reference circles: how long all else stood still, and what it found.

    python -m tests.bench.watched_collector run --config FILE

appends a line of JSON for each to FILE.collector.
"""

import gc
import json
import sys
import time
from pathlib import Path


def watch(file: Path) -> None:
    """Note all looks from now on."""
    began_s, began_cpu_s = 0.0, 0.0
    log = file.open("a", buffering=1)

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began_s, began_cpu_s
        if phase == "start":
            began_s, began_cpu_s = time.perf_counter(), time.thread_time()
            return
        pause_s, cpu_s = time.perf_counter() - began_s, time.thread_time() - began_cpu_s
        look = {"generation": info["generation"], "pause_s": pause_s, "cpu_s": cpu_s, "found": info["collected"]}
        log.write(json.dumps(look) + "\n")

    gc.callbacks.append(note)


if __name__ == "__main__":
    watch(Path(sys.argv[sys.argv.index("--config") + 1]).with_suffix(".collector"))

    from camgate.__main__ import main

    main()
