"""What is looked at during a soak: the process from outside, and what it tells of itself at /metrics."""

import os
import re
from dataclasses import dataclass, fields
from pathlib import Path

from camgate.bench.server import BenchServer

_FIGURE = re.compile(r"^(camgate_tasks|camgate_event_loop_lag_seconds|camgate_send_delay_seconds) (\S+)$", re.MULTILINE)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. at_s: since the beginning. Lags and delays in seconds."""

    at_s: float
    memory_bytes: float
    descriptors: float
    threads: float
    tasks: float
    lag_s: float
    delay_s: float
    lost_frames: float
    """Of the watcher, so far."""

    def __str__(self) -> str:
        process = f"{self.memory_bytes / 1e6:.1f} MB, {self.descriptors:.0f} descriptors, {self.tasks:.0f} tasks"
        return f"{process}, {1000 * self.lag_s:.0f} ms lag, {self.lost_frames:.0f} frames missed"

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the figures, time left out."""
        return [each.name for each in fields(cls)][1:]


class Waits:
    """How long processes stood in line for a processor (Documentation/scheduler/sched-stats.rst, the second number)."""

    def __init__(self, *pids: int) -> None:
        self._files = [Path("/proc", str(pid), "schedstat") for pid in pids]
        self._before = self._read()

    def _read(self) -> list[int]:
        return [int(file.read_text().split()[1]) if file.exists() else 0 for file in self._files]

    def longest_s(self) -> float:
        """Return the longest of them since the last call, in seconds."""
        now, before = self._read(), self._before
        self._before = now
        return max(later - earlier for later, earlier in zip(now, before, strict=True)) / 1e9


async def take_sample(server: BenchServer, at_s: float, lost_frames: int) -> Sample:
    """Look once. Raises SignalingFailed, or OSError where the process is gone."""
    told = {name: float(value) for name, value in _FIGURE.findall((await server.get("/metrics")).decode())}
    proc = Path("/proc", str(server.child.pid))
    return Sample(
        at_s=at_s,
        memory_bytes=int((proc / "statm").read_text().split()[1]) * _PAGE_BYTES,
        descriptors=len(os.listdir(proc / "fd")),
        threads=len(os.listdir(proc / "task")),
        tasks=told["camgate_tasks"],
        lag_s=told["camgate_event_loop_lag_seconds"],
        delay_s=told["camgate_send_delay_seconds"],
        lost_frames=lost_frames,
    )
