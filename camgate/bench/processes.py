"""What a process and its children cost, as Linux counts it in /proc."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PARENT, _RESIDENT = 1, 21
"""Places in /proc/PID/stat behind the command's name (proc_pid_stat(5))."""
_PROCESS_CLOCK = 2
"""CPUCLOCK_SCHED of Linux; the clock of process PID has the number that clock_getcpuclockid(3) makes of both."""


class Usage(NamedTuple):
    """CPU seconds since the start, user and system together, and memory in bytes (resident set size)."""

    cpu_s: float
    memory_bytes: int


def usage(pid: int) -> Usage:
    """Return the usage of a process and all its descendants; zeros where it is gone."""
    stats = dict(_stats())
    cpu_s, memory_bytes = 0.0, 0
    for member in _family(pid, {other: int(fields[_PARENT]) for other, fields in stats.items()}):
        if member in stats:
            cpu_s += _cpu_s(member)
            memory_bytes += int(stats[member][_RESIDENT]) * _PAGE_BYTES
    return Usage(cpu_s, memory_bytes)


def _cpu_s(pid: int) -> float:
    """Return what all threads of a process used, to the nanosecond: /proc knows hundredths of a second only."""
    try:
        return time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)
    except OSError:
        return 0.0  # gone meanwhile


def exists(pid: int) -> bool:
    """Say whether there is such a process."""
    return (PROC / str(pid)).is_dir()


def _stats() -> Iterator[tuple[int, list[str]]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(errors="replace")
            except OSError:
                continue  # gone meanwhile
            yield int(folder.name), text[text.rindex(")") + 2 :].split()


def _family(pid: int, parents: dict[int, int]) -> set[int]:
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family
