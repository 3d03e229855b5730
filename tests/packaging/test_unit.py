"""The unit as systemd itself judges it, with and without its drop-in."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.tools import SYSTEMD, require_tool

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
MAX_EXPOSURE = 2.0


@pytest.fixture(params=["alone", "with hardware encoders"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit, with a program that is there; systemd looks for that one, and for drop-ins beside the unit."""
    require_tool(SYSTEMD)
    text = (ROOT / "systemd/camgate.service").read_text()
    program = Path(sys.executable).parent / "camgate"
    assert text.count("/usr/bin/camgate ") == 1
    unit = tmp_path / "camgate.service"
    unit.write_text(text.replace("/usr/bin/camgate ", f"{program} "))
    if request.param != "alone":
        shutil.copytree(ROOT / "systemd/camgate.service.d", tmp_path / "camgate.service.d")
    return unit


def analyze(*arguments: str | Path) -> str:
    """Return what systemd-analyze prints; it must have nothing to complain of."""
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == ""


def test_systemd_finds_nothing_wrong_with_the_socket(unit: Path) -> None:
    socket = unit.with_suffix(".socket")
    shutil.copy(ROOT / "systemd/camgate.socket", socket)
    assert analyze("verify", "--man=no", socket) == ""


def test_systemd_finds_a_mistake_in_it(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec", "WatchDogSec"))
    with pytest.raises(AssertionError, match="WatchDogSec"):
        analyze("verify", "--man=no", unit)


def test_it_exposes_little(unit: Path) -> None:
    told = analyze("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for camgate\.service: (\d+\.\d+)", told)
    assert found is not None
    assert float(found[1]) <= MAX_EXPOSURE


def test_less_protection_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("CapabilityBoundingSet=\n", "").replace("SystemCallFilter=", "#"))
    told = analyze("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for camgate\.service: (\d+\.\d+)", told)
    assert found is not None
    assert float(found[1]) > MAX_EXPOSURE


def test_the_user_is_made(tmp_path: Path) -> None:
    require_tool(SYSTEMD)
    told = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "--dry-run", ROOT / "systemd/camgate.sysusers"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"group .?camgate.? with GID \d+", told.stdout + told.stderr)
    assert re.search(r"user .?camgate.? \(.*\) with UID \d+ and GID \d+", told.stdout + told.stderr)


def test_the_kernel_is_asked_for_the_buffers_that_camgate_asks_for() -> None:
    from camgate.serve.datagrams import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES

    lines = (ROOT / "systemd/camgate.sysctl.conf").read_text().splitlines()
    settings = dict(line.split(" = ") for line in lines if not line.startswith("#"))
    assert settings == {
        "net.core.rmem_max": str(RECEIVE_BUFFER_BYTES),
        "net.core.wmem_max": str(SEND_BUFFER_BYTES),
    }
