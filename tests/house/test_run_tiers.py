"""The runner of the tiers: it counts right, stops what hangs, and fails what it must."""

import sys
import time
from pathlib import Path

import pytest

from tests import run_tiers
from tests.canary.canary import CANARY, PLANTED
from tests.run_tiers import Result, Tier, count_tests, main, run_command, run_tier

REPORT = """<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>"""


@pytest.fixture
def tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the runner at a folder of its own; return where the tests of its only tier, `small`, go."""
    root = tmp_path / PLANTED
    monkeypatch.setattr(run_tiers, "RESULTS", root / "results")
    monkeypatch.setattr(run_tiers, "ROOT", root)
    monkeypatch.setattr(run_tiers, "TIERS", {"small": Tier(limit_s=60, paths=("tests",))})
    monkeypatch.setattr(sys, "argv", ["run_tiers.py", "small"])
    # The inner pytest runs tests of one line; ours and its plugins take a second and more to load.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (root / "tests").mkdir(parents=True)
    # Below the checkout, as in a tier's run, pytest would find our settings, which need the plugins.
    (root / "pytest.ini").write_text("[pytest]\n")
    return root / "tests"


def test_counts_are_read_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(REPORT)
    assert count_tests(report) == Result(passed=4, failed=3, skipped=3)


def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        status = run_command(["sleep", "600"], log.fileno(), deadline=time.monotonic())
    assert status < 0


def test_a_passing_tier(tiers: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tiers / "test_a.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    assert main() == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"


def test_what_is_slow_runs_first_and_what_runs_alone_last_each_once(
    tiers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = Tier(limit_s=60, paths=("tests",), slow=("tests/test_c.py",), alone=("tests/test_a.py",))
    monkeypatch.setitem(run_tiers.TIERS, "small", tier)
    for name in "abc":
        note = f"open({str(tiers / 'order')!r}, 'a').write('{name}')"
        (tiers / f"test_{name}.py").write_text(f"def test_{name}(): {note}")
    assert run_tier("small", 1).passed == 3
    assert (tiers / "order").read_text() == "cba"


def test_what_runs_alone_fails_the_tier(tiers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run_tiers.TIERS, "small", Tier(limit_s=60, paths=("tests",), alone=("tests/test_a.py",)))
    (tiers / "test_a.py").write_text("def test_a(): assert False")
    (tiers / "test_b.py").write_text("def test_b(): pass")
    assert run_tier("small", 1).problems == ["1 failed"]
    assert main() == 1


FAILURES = {
    "failed": ("def test_a(): assert False", "1 failed"),
    "skipped": ("import pytest\ndef test_a(): pytest.skip('no browser')", "1 skipped, and here none may be"),
    "empty": ("", "no test was found"),
    "ended early": ("import os\ndef test_a(): os._exit(0)", "pytest did not get to its end"),
    "file leaks": (f"def test_a(tmp_path): (tmp_path / 'log').write_text('{CANARY}')", "the canary password is in "),
    "output leaks": (f"def test_a(): print('{CANARY}'); assert False", "the canary password is in "),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_tier(tiers: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    test, problem = FAILURES[name]
    (tiers / "test_a.py").write_text(test)
    assert main() == 1
    table, closing = capfd.readouterr().out.rsplit("tier ", 1)[1].rstrip().rsplit("\n", 1)
    assert problem in table
    assert "1 failed" in closing


def test_a_planted_canary_is_no_leak(tiers: Path) -> None:
    test = f"(tmp_path / '{PLANTED}').mkdir(); (tmp_path / '{PLANTED}' / 'config').write_text('{CANARY}')"
    (tiers / "test_a.py").write_text(f"def test_a(tmp_path): {test}")
    assert main() == 0


def test_a_tier_that_did_not_run_fails_the_summary(tiers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run_tiers.py", "--summary"])
    assert main() == 1


def test_a_tier_of_tools_counts_each(tiers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiers / "test_a.py").write_text("def test_a(): pass\n")
    tools = (("python", "-c", "pass"), ("python", "-c", "raise SystemExit(1)"))
    monkeypatch.setitem(run_tiers.TIERS, "small", Tier(limit_s=60, paths=("tests",), tools=tools))
    result = run_tier("small", patience=1)
    assert (result.passed, result.failed) == (2, 1)
