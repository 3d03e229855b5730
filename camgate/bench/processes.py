"""What a process and its children cost, as Linux counts it in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PARENT, _USER, _SYSTEM, _RESIDENT = 1, 11, 12, 21
"""Places in /proc/PID/stat behind the command's name (proc_pid_stat(5))."""


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
            fields = stats[member]
            cpu_s += (int(fields[_USER]) + int(fields[_SYSTEM])) * _TICK_S
            memory_bytes += int(fields[_RESIDENT]) * _PAGE_BYTES
    return Usage(cpu_s, memory_bytes)


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
