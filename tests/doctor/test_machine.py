"""What the machine has room for, as the doctor judges it."""

import resource
from pathlib import Path

import pytest

from camgate.config.model import CameraSettings, LimitSettings, LoggingSettings, ServerSettings, Settings
from camgate.doctor.finding import FAILED, OK, WARNING, Finding, Verdict, many, worst_of
from camgate.doctor.machine import (
    MEGABYTE,
    judge_disk,
    judge_files,
    judge_memory,
    judge_state,
    look_at_files,
    look_at_logs,
    look_at_memory,
    look_at_state,
)

CAMERAS = {name: CameraSettings(name=name, url="rtsp://192.0.2.10/") for name in ("front", "yard")}
SETTINGS = Settings(cameras=CAMERAS, server=ServerSettings(max_viewers=100))


def test_the_worst_finding_counts() -> None:
    findings = [Finding("a", verdict, "") for verdict in (OK, FAILED, WARNING)]
    assert worst_of(findings) is FAILED
    assert worst_of(findings[::2]) is WARNING
    assert worst_of([]) is OK


def test_long_lists_are_cut() -> None:
    assert many("abc") == "a, b, c"
    assert many("abcdefgh") == "a, b, c, d, e, f and 2 more"


@pytest.mark.parametrize(
    ("allowed", "verdict"), [(407, WARNING), (408, OK), (resource.RLIM_INFINITY, OK)], ids=["few", "enough", "endless"]
)
def test_open_files(allowed: int, verdict: Verdict) -> None:
    finding = judge_files(allowed, SETTINGS)
    assert finding.verdict is verdict
    assert ("LimitNOFILE=408" in finding.to_do) == (verdict is WARNING)


@pytest.mark.parametrize(("allowed_mb", "verdict"), [(100, FAILED), (170, WARNING), (200, OK)])
def test_memory_of_a_container(allowed_mb: int, verdict: Verdict) -> None:
    finding = judge_memory(allowed_mb * MEGABYTE, 8_000 * MEGABYTE, SETTINGS)
    assert finding.verdict is verdict
    assert finding.what.startswith(f"{allowed_mb} MB (limit of this container or service); 128 MB are needed")


def test_a_limit_of_the_config_counts() -> None:
    settings = Settings(cameras=CAMERAS, limits=LimitSettings(max_memory_mb=127))
    assert judge_memory(8_000 * MEGABYTE, 8_000 * MEGABYTE, settings).verdict is FAILED


def test_the_state_directory_is_looked_at_and_not_made(tmp_path: Path) -> None:
    settings = Settings(cameras={}, server=ServerSettings(state_directory=tmp_path / "state"))
    assert look_at_state(settings, {}, is_needed=True).what == f"{tmp_path}/state will be made when it is needed"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "state").mkdir(mode=0o700)
    assert look_at_state(settings, {}, is_needed=True) == Finding("State directory", OK, f"{tmp_path}/state")
    (tmp_path / "state").chmod(0o755)
    assert look_at_state(settings, {}, is_needed=True).to_do == f"chmod 700 {tmp_path}/state"


def test_a_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    settings = Settings(cameras={}, server=ServerSettings(state_directory=tmp_path / "state" / "below"))
    finding = look_at_state(settings, {}, is_needed=True)
    assert (finding.verdict, finding.what.endswith("Not a directory")) == (FAILED, True)
    assert judge_state(tmp_path, "Permission denied", None, is_needed=False).verdict is WARNING


def test_logs_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    (finding,) = look_at_logs(LoggingSettings(output="file", directory=tmp_path / "logs" / "camgate"))
    assert (finding.verdict, "Not a directory" in finding.what) == (WARNING, True)
    assert [each.verdict for each in look_at_logs(LoggingSettings())] == [OK]


@pytest.mark.parametrize(
    ("free_mb", "verdict"), [(5, FAILED), (7_999, WARNING), (8_000, OK)], ids=["none", "little", "enough"]
)
def test_disk_for_logs(free_mb: int, verdict: Verdict) -> None:
    assert judge_disk(free_mb * MEGABYTE, LoggingSettings(output="file")).verdict is verdict


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    assert look_at_files(SETTINGS).check == "Open files"
    assert look_at_memory(SETTINGS).check == "Memory"
    logs, disk = look_at_logs(LoggingSettings(output="both", directory=tmp_path / "logs"))
    assert (logs.verdict, disk.check) == (OK, "Disk for logs")
