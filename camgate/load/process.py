"""What the kernel says of this process: processor time wanted, memory used, memory there is. Linux's /proc and cgroups.

Each reading opens, reads and closes one small file, without what Python's own files do beside it: 5 us, ten times a
second. No state.
"""

import os
import time
from pathlib import Path

_PROC = Path("/proc")
_MOST_BYTES = 4_096
_CGROUPS = Path("/sys/fs/cgroup")


def wanted_s(proc: Path = _PROC) -> float:
    """Return how long this thread has run or stood in line for a processor since it began, in seconds.

    Standing in line counts, since a thread that a busy neighbour keeps waiting has no time to spare either. Where the
    kernel does not say (CONFIG_SCHED_INFO), only running counts.
    """
    try:
        # Documentation/scheduler/sched-stats.rst: nanoseconds on a processor, nanoseconds waiting for one, turns.
        ran_ns, waited_ns, _ = _read(proc / "thread-self" / "schedstat").split()
    except (OSError, ValueError):
        return time.thread_time()
    return (int(ran_ns) + int(waited_ns)) / 1e9


def memory_bytes(proc: Path = _PROC) -> int:
    """Return the resident memory of this process; 0 where the kernel does not say."""
    try:
        # proc_pid_statm(5): pages, the second number is the resident ones.
        pages = _read(proc / "self" / "statm").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _read(file: Path) -> bytes:
    number = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(number, _MOST_BYTES)
    finally:
        os.close(number)


def memory_allowed_bytes(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """Return how much memory this process may use: its container's or service's limit, else what the machine has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_cgroup_limits(proc, cgroups)])


def _cgroup_limits(proc: Path, cgroups: Path) -> list[int]:
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    # cgroups(7): version 2 has the one line `0::/path`; a limit further up holds for all below it.
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    own = cgroups / path.lstrip("/")
    limits = [_limit(place / "memory.max") for place in (own, *own.parents) if place.is_relative_to(cgroups)]
    return [limit for limit in limits if limit is not None]


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
