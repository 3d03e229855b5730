"""A Debian of its own in a folder, and what runs in it: booted like a machine, or one program like a container's.

systemd-nspawn runs both, with a network of their own that holds loopback and nothing else. Who watches or films there
is a process of ours: it joins that network, and sees our files.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.tools import MMDEBSTRAP, NSPAWN, require_tool

ROOT = Path(__file__).resolve().parents[2]
TARBALL = ROOT / "build/system/debian-12.tar"
FRESH_S = 7 * 86_400.0
"""For so long a Debian that was fetched is used again."""
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,libstdc++6,ca-certificates"
HANG_S = 120.0
"""Not a measurement: what has not happened by then has failed."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ISOLATED = ("--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off", "--timezone=off")


def debian(folder: Path) -> Path:
    """Return the tree of a new Debian 12 in a folder."""
    require_tool(NSPAWN)
    folder.mkdir(parents=True)
    run("tar", "--extract", "--file", debian_tarball(), "--directory", folder)
    return folder


def debian_tarball() -> Path:
    """Return a Debian 12 as an archive, fetched when there is none or an old one."""
    require_tool(MMDEBSTRAP)
    if not TARBALL.exists() or time.time() - TARBALL.stat().st_mtime > FRESH_S:
        TARBALL.parent.mkdir(parents=True, exist_ok=True)
        new = TARBALL.with_name(f"new-{os.getpid()}.tar")
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", new)
        new.replace(TARBALL)
    return TARBALL


def run(*command: str | Path, cwd: Path = ROOT, may_fail: bool = False) -> str:
    """Run a command to its end and return what it printed; fails with that when the command does."""
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3 * HANG_S
    )
    assert may_fail or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def eventually(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    """Wait until a condition holds that other processes bring about; fails with what `told` says."""
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Machine:
    """What systemd-nspawn runs. process: nspawn itself; leader: the first process inside; log: what both print."""

    process: subprocess.Popen[bytes]
    leader: int
    log: Path

    def run(self, *command: str | Path, may_fail: bool = False) -> str:
        """Run a command inside, as root, and return what it printed."""
        inside = (f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        return run("nsenter", *inside, "--", "env", "-i", f"PATH={PATH}", "LANG=C", *command, may_fail=may_fail)

    def visit(self, url: str) -> None:
        """Have a viewer come from inside of the network, see a whole key frame, and leave."""
        run(*self._beside("tests.system.visit", url))

    @contextmanager
    def camera(self) -> Iterator[str]:
        """Run an RTSP camera inside of the network; gives its URL."""
        command = self._beside("tests.system.camera")
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip()
            finally:
                process.kill()

    def _beside(self, module: str, *arguments: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.leader}/ns/net", "--", sys.executable, "-m", module, *arguments]


@contextmanager
def booted(tree: Path) -> Iterator[Machine]:
    """Boot a tree of files as a machine of its own, for the time of the block."""
    with running(tree, ["--boot", "--console=read-only"]) as machine:
        state = ""

        def is_up() -> bool:
            nonlocal state
            state = machine.run("systemctl", "is-system-running", may_fail=True).strip()
            return state in ("running", "degraded")

        eventually(is_up, lambda: f"{state}\n{machine.log.read_text(errors='replace')}")
        yield machine


@contextmanager
def running(tree: Path, arguments: Sequence[str | Path]) -> Iterator[Machine]:
    """Run systemd-nspawn on a tree for the time of the block. arguments: its options and what to run."""
    log = tree.with_name(f"{tree.name}.log")
    command = ["systemd-nspawn", f"--directory={tree}", *ISOLATED, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    leader = None
    try:
        leader = _leader(process, log)
        yield Machine(process, leader, log)
    finally:
        process.kill()
        process.wait()
        if leader is not None:
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)  # it takes all others inside with it
            eventually(lambda: not Path(f"/proc/{leader}").exists(), lambda: f"process {leader} does not end")


def _leader(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the id of the process that is the first one inside; nspawn has another child while it makes the place."""
    found: list[int] = []

    def is_there() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        found[:] = [int(child) for child in children if _is_first_inside(child)]
        return bool(found)

    eventually(is_there, lambda: log.read_text(errors="replace"))
    return found[0]


def _is_first_inside(pid: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        is_over_there = Path(f"/proc/{pid}/exe").readlink().name != "systemd-nspawn"
    except OSError:
        return False
    # The process's id in each of the nested process namespaces, the innermost last.
    ids = re.findall(r"^NSpid:\t\d+\t(\d+)$", status, re.MULTILINE)
    return is_over_there and bool(ids)
