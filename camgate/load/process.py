"""What the kernel says of this process: processor time wanted, memory used, memory there is. Linux's /proc and cgroups.

Each reading opens, reads and closes one small file, without what Python's own files do beside it: 5 us, ten times a
second. No state.
"""

import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_MOST_BYTES = 4_096
_LIBC = ctypes.CDLL(None)
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
    """Return the resident memory of this process and of its workers; 0 where the kernel does not say.

    Of a worker only what it has for itself counts: its libraries are ours, too.
    """
    try:
        # proc_pid_statm(5): pages; the second number is the resident ones, the third those of them that are files'.
        pages = int(_read(proc / "self" / "statm").split()[1])
    except OSError:
        return 0
    for child in _children(proc):
        try:
            _, resident, shared, *_ = map(int, _read(proc / child / "statm").split())
        except (OSError, ValueError):
            continue  # gone meanwhile
        pages += resident - shared
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children(proc: Path) -> Iterator[str]:
    """Return the process ids of our children; none where the kernel does not say (CONFIG_PROC_CHILDREN)."""
    tasks = proc / "self" / "task"
    try:
        # proc_tid_children(5): each thread has the list of those that it has started.
        for task in os.listdir(tasks):
            yield from _read(tasks / task / "children").decode().split()
    except OSError:
        return


def _read(file: Path) -> bytes:
    number = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(number, _MOST_BYTES)
    finally:
        os.close(number)


def give_back_memory() -> None:
    """Hand the kernel what was freed and is kept for later use; 6 ms for 50 MB. Does nothing where libc cannot."""
    # malloc_trim(3) is glibc's. Without it a heap stays as large as it ever was, as something always lives at its end.
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


def memory_allowed_bytes(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """Return how much memory this process may use: its container's or service's limit, else what the machine has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_cgroup_limits(proc, cgroups)])


def _cgroup_limits(proc: Path, cgroups: Path) -> list[int]:
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    limits: list[int | None] = []
    for line in lines:
        # cgroups(7): ID:CONTROLLERS:PATH; version 2 has the one line `0::PATH`.
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # Beyond memory.high the kernel takes memory back, which costs time; beyond memory.max it kills.
            limits += _limits_above(cgroups, path, ("memory.max", "memory.high"))
        elif "memory" in controllers.split(","):
            limits += _limits_above(cgroups / "memory", path, ("memory.limit_in_bytes",))
    return [limit for limit in limits if limit is not None]


def _limits_above(root: Path, path: str, names: tuple[str, ...]) -> Iterator[int | None]:
    """Read the limits of a cgroup; one further up holds for all below it."""
    own = root / path.lstrip("/")
    for place in (own, *own.parents):
        if place.is_relative_to(root):
            yield from (_limit(place / name) for name in names)


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
