"""Run tiers of tests, print a table of their times and counts, and search what they wrote for the canary password.

    python tests/run_tiers.py check unit interop    run these, then print the table
    python tests/run_tiers.py --summary             print the table of all that ran since build/tiers was removed

A tier fails when a test fails, when none was found, or when one was skipped that must not be: a browser test that
did not run proves nothing. Times beside their limits are for reading; only a hang is stopped.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.canary.canary import files_with_canary, processes_with_canary  # noqa: E402 (the path comes first)

RESULTS = ROOT / "build" / "tiers"
BIN = Path(sys.executable).parent
PATIENCE = 10
"""A tier that runs this many times its limit hangs, and is stopped."""
PROCESS_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One kind of tests.

    limit_s: what a run should take at most on two cores; printed, never enforced.
    tools: commands that count as one test each.
    paths, ignore, options: what pytest gets; without paths it does not run.
    slow: files among them that take longest, and begin first; else the end waits for one of them.
    alone: paths among them that run after the others, one test at a time, as they measure what others would disturb.
    may_skip: a skipped test does not fail the tier.
    """

    limit_s: float
    paths: Sequence[str]
    tools: Sequence[Sequence[str]] = ()
    ignore: Sequence[str] = ()
    options: Sequence[str] = ()
    slow: Sequence[str] = ()
    alone: Sequence[str] = ()
    may_skip: bool = False


SIDE_BY_SIDE = ("--dist=loadfile", "--no-loadscope-reorder")
"""For tests that mostly wait. A file's tests share servers and cameras, so they stay together; in the order given."""
APART = ("tests/interop", "tests/canary", "tests/browser", "tests/packaging", "tests/system", "tests/bench")
TIERS = {
    "check": Tier(
        limit_s=60,
        tools=(
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("lint-imports",),
            ("python", "packaging/audit"),
        ),
        paths=("tests/house/test_rules.py", "tests/base", "tests/config", "tests/wire"),
    ),
    "unit": Tier(limit_s=60, paths=("tests",), ignore=APART, options=("--numprocesses=2",), may_skip=True),
    "interop": Tier(
        limit_s=240,
        paths=("tests/interop", "tests/canary"),
        options=(*SIDE_BY_SIDE, "--numprocesses=3"),
        slow=tuple(f"tests/interop/test_{name}.py" for name in ("soak", "rtsp_camera", "openapi", "access")),
        alone=tuple(f"tests/interop/test_{name}.py" for name in ("joins", "bench", "floods", "tcp")),
    ),
    "browser": Tier(
        limit_s=360,
        paths=("tests/browser",),
        options=(*SIDE_BY_SIDE, "--numprocesses=2"),
        alone=("tests/browser/test_joins.py", "tests/browser/test_loss.py"),
    ),
    "packaging": Tier(limit_s=180, paths=("tests/packaging",)),
    # Wrong delivery fails it, however slow this machine is; the figures are for reading.
    "bench": Tier(
        limit_s=180,
        tools=(
            ("camgate", "bench", "--cameras", "4", "--viewers", "20", "--seconds", "6"),
            ("camgate", "bench", "--viewers", "100", "--seconds", "6", "--lone", "--storm", "100"),
        ),
        paths=(),
    ),
}


@dataclass(slots=True)
class Result:
    """What a run of one tier came to. `problems` are sentences; none means that the tier passed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def run_tier(name: str, patience: float) -> Result:
    """Run one tier's tools and tests and return what came of them."""
    tier = TIERS[name]
    folder = RESULTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result = Result()
    started = time.monotonic()
    deadline = started + patience * tier.limit_s
    with (folder / "output.log").open("wb") as log:
        for command in tier.tools:
            if run_command([str(BIN / command[0]), *command[1:]], log.fileno(), deadline) == 0:
                result.passed += 1
            else:
                result.failed += 1
                result.problems.append(f"{' '.join(command)} failed")
        if tier.paths:
            beside = ["--ignore=" + path for path in (*tier.ignore, *tier.alone)]
            run_pytest([*in_order(tier), *beside, *tier.options], folder, log.fileno(), deadline, result)
        if tier.alone:
            run_pytest(tier.alone, folder / "alone", log.fileno(), deadline, result)
        if result.skipped and not tier.may_skip:
            result.problems.append(f"{result.skipped} skipped, and here none may be")
    result.seconds = time.monotonic() - started
    return result


def in_order(tier: Tier) -> Sequence[str]:
    """Return the paths; file by file where some come first, as pytest puts a file back in its folder that is named."""
    if not tier.slow:
        return tier.paths
    found = (file for path in tier.paths for file in sorted((ROOT / path).rglob("test_*.py")))
    files = dict.fromkeys((*tier.slow, *(str(file.relative_to(ROOT)) for file in found)))
    return [file for file in files if file not in tier.alone]


def run_pytest(arguments: Sequence[str], folder: Path, log: int, deadline: float, result: Result) -> None:
    """Run a tier's tests and add their counts to `result`. arguments: paths, those that exist count, and options."""
    folder.mkdir(exist_ok=True)
    report = folder / "junit.xml"
    command = [
        *(sys.executable, "-m", "pytest", "--quiet"),
        *(argument for argument in arguments if argument.startswith("-") or (ROOT / argument).exists()),
        *(f"--basetemp={folder / 'tmp'}", f"--junitxml={report}"),
    ]
    status = run_command(command, log, deadline)
    if not report.exists():
        result.failed += 1
        result.problems.append("stopped: it hung" if time.monotonic() >= deadline else "pytest did not get to its end")
        return
    counts = count_tests(report)
    result.passed += counts.passed
    result.failed += counts.failed
    result.skipped += counts.skipped
    if counts.failed:
        result.problems.append(f"{counts.failed} failed")
    elif status != 0:
        result.problems.append("no test was found" if status == 5 else f"pytest ended with status {status}")


def count_tests(report: Path) -> Result:
    """Read pytest's JUnit report."""
    counts = Result()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
        )
        counts.failed += failures + errors
        counts.skipped += skipped
        counts.passed += tests - failures - errors - skipped
    return counts


def run_command(command: Sequence[str], log: int, deadline: float) -> int:
    """Run one command in the checkout, show and log what it prints, kill it and its children at the deadline."""
    # Where nothing may be kept, each worker of pytest and each camgate that a test starts compiles every module anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    # A daemon, because a stray grandchild may hold the pipe open for longer than the command lives.
    copying = threading.Thread(target=copy_output, args=(process.stdout, log), daemon=True)
    copying.start()
    try:
        return process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        copying.join(timeout=1)


def copy_output(pipe: IO[bytes], log: int) -> None:
    """Copy all that comes out of a pipe to the log and to our own output."""
    with pipe:
        while data := os.read(pipe.fileno(), 65536):
            os.write(log, data)
            os.write(sys.stdout.fileno(), data)


@contextmanager
def watch_processes() -> Iterator[set[str]]:
    """Collect, for as long as the block runs, the command lines that show the canary."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(PROCESS_LOOK_S):
            # Whoever types a password on a command line shows it there; `probe URL` is such a command.
            seen.update(line for line in processes_with_canary() if " probe " not in line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def save(name: str, result: Result) -> None:
    (RESULTS / name / "result.json").write_text(json.dumps(asdict(result)))


def load() -> dict[str, Result]:
    """Return the saved result of every tier; one that left none failed."""
    results = {}
    for name in TIERS:
        file = RESULTS / name / "result.json"
        saved = json.loads(file.read_text()) if file.exists() else {"failed": 1, "problems": ["it did not run"]}
        results[name] = Result(**saved)
    return results


def print_table(results: dict[str, Result]) -> None:
    print(f"\n{'tier':<10} {'seconds':>8} {'limit':>6} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for name, result in results.items():
        print(
            f"{name:<10} {result.seconds:>8.1f} {TIERS[name].limit_s:>6.0f}"
            f" {result.passed:>7} {result.failed:>7} {result.skipped:>8}  {'; '.join(result.problems)}".rstrip()
        )
    print(
        ", ".join(f"{sum(getattr(r, key) for r in results.values())} {key}" for key in ("passed", "failed", "skipped"))
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=", ".join(TIERS))
    parser.add_argument("--summary", action="store_true", help="print the table of what ran, and run nothing")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="how many times its limit a tier may run")
    arguments = parser.parse_args()
    if bool(arguments.tiers) == arguments.summary or not TIERS.keys() >= set(arguments.tiers):
        parser.error(f"name tiers ({', '.join(TIERS)}), or ask for the --summary")
    if arguments.summary:
        print_table(results := load())
        return failed(results)

    results = {}
    for name in arguments.tiers:
        print(f"== {name}", flush=True)
        with watch_processes() as shown:
            result = run_tier(name, arguments.patience)
        result.problems += [f"the canary password is in {path.relative_to(ROOT)}" for path in leaked(name)]
        result.problems += [f"the canary password is on a command line: {line}" for line in sorted(shown)]
        if result.problems and not result.failed:
            result.failed = 1
        save(name, result)
        results[name] = result
    print_table(results)
    return failed(results)


def failed(results: dict[str, Result]) -> int:
    """Return the exit status."""
    return int(any(result.problems for result in results.values()))


def leaked(name: str) -> Iterator[Path]:
    return files_with_canary(RESULTS / name)


if __name__ == "__main__":
    sys.exit(main())
