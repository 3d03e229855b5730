"""What the kernel says, read from this process and from files made up."""

import os
import subprocess
import sys
import time
from pathlib import Path

from camgate.load import process


def test_time_that_this_thread_uses_is_wanted() -> None:
    before, until = process.wanted_s(), time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    # The kernel brings its figure up to date at the next scheduler tick.
    assert 0.04 <= process.wanted_s() - before < 5


def test_standing_in_line_is_wanted_too(tmp_path: Path) -> None:
    folder = tmp_path / "thread-self"
    folder.mkdir()
    (folder / "schedstat").write_text("1500000000 500000000 77\n")
    assert process.wanted_s(tmp_path) == 2.0


def test_a_kernel_that_does_not_say_leaves_the_time_run(tmp_path: Path) -> None:
    assert abs(process.wanted_s(tmp_path) - time.thread_time()) < 0.05


def test_memory_grows_with_what_is_held() -> None:
    before = process.memory_bytes()
    held = os.urandom(30_000_000)
    assert process.memory_bytes() - before > 20_000_000
    assert held


def test_memory_of_a_worker_counts() -> None:
    before = process.memory_bytes()
    hold = "import os; held = os.urandom(30_000_000); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"held\n"
        assert process.memory_bytes() - before > 25_000_000
        worker.stdin.close()


def test_memory_is_unknown_where_the_kernel_does_not_say(tmp_path: Path) -> None:
    assert process.memory_bytes(tmp_path) == 0


def cgroups(tmp_path: Path, limits: dict[str, str], path: str = "/system.slice/camgate.service") -> tuple[Path, Path]:
    """Make up a /proc and a /sys/fs/cgroup with memory limits by folder."""
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"4:memory:/old\n0::{path}\n")
    (root / path.lstrip("/")).mkdir(parents=True)
    for folder, limit in limits.items():
        (root / folder / "memory.max").write_text(f"{limit}\n")
    return proc, root


def test_a_service_may_use_its_own_limit(tmp_path: Path) -> None:
    places = cgroups(tmp_path, {"system.slice/camgate.service": "512000000", "system.slice": "max"})
    assert process.memory_allowed_bytes(*places) == 512_000_000


def test_a_limit_further_up_holds(tmp_path: Path) -> None:
    places = cgroups(tmp_path, {"system.slice/camgate.service": "max", "system.slice": "300000000", "": "900000000"})
    assert process.memory_allowed_bytes(*places) == 300_000_000


def test_where_the_kernel_begins_to_take_memory_back_is_a_limit(tmp_path: Path) -> None:
    proc, root = cgroups(tmp_path, {"system.slice/camgate.service": "512000000"})
    (root / "system.slice" / "memory.high").write_text("256000000\n")
    assert process.memory_allowed_bytes(proc, root) == 256_000_000


def test_limits_of_version_1_hold(tmp_path: Path) -> None:
    proc, root = cgroups(tmp_path, {})
    (own := root / "memory" / "old").mkdir(parents=True)
    (own / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (root / "memory" / "memory.limit_in_bytes").write_text("200000000\n")
    assert process.memory_allowed_bytes(proc, root) == 200_000_000


def test_a_container_sees_its_limit_at_the_root(tmp_path: Path) -> None:
    assert process.memory_allowed_bytes(*cgroups(tmp_path, {"": "100000000"}, "/")) == 100_000_000


def test_without_limits_it_is_the_machines(tmp_path: Path) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert process.memory_allowed_bytes(tmp_path, tmp_path) == machine
    assert process.memory_allowed_bytes(*cgroups(tmp_path, {})) == machine
