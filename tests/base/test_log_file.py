"""Daily files: midnight, size, number and age, all by the time that the lines bear."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from camgate.base.log_file import DailyFile, FileLimits, why_unwritable

NOON = datetime(2026, 11, 23, 12, 0)


def time_s(*, days: float = 0) -> float:
    return (NOON + timedelta(days=days)).timestamp()


def limits(*, max_size_bytes: int = 1000, max_backups: int = 15, max_age_days: int = 15) -> FileLimits:
    return FileLimits(max_size_bytes, max_backups, max_age_days)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_new_day_is_a_new_file(tmp_path: Path) -> None:
    file = DailyFile(tmp_path / "logs", limits())
    file.write("before\n", datetime(2026, 11, 23, 23, 59, 59, 999000).timestamp())
    file.write("after\n", datetime(2026, 11, 24).timestamp())
    file.close()
    assert (tmp_path / "logs/camgate-2026-11-23.log").read_text() == "before\n"
    assert (tmp_path / "logs/camgate-2026-11-24.log").read_text() == "after\n"


def test_a_restart_appends(tmp_path: Path) -> None:
    for text in ("first run\n", "second run\n"):
        file = DailyFile(tmp_path, limits())
        file.write(text, time_s())
        file.close()
    assert (tmp_path / "camgate-2026-11-23.log").read_text() == "first run\nsecond run\n"


def test_a_full_file_gets_the_next_number(tmp_path: Path) -> None:
    file = DailyFile(tmp_path, limits(max_size_bytes=10))
    for text in ("one\n", "two\n", "three\n", "four\n", "a line longer than a file may be\n", "five\n"):
        file.write(text, time_s())
    file.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "camgate-2026-11-23.1.log": "one\ntwo\n",
        "camgate-2026-11-23.2.log": "three\n",
        "camgate-2026-11-23.3.log": "four\n",
        "camgate-2026-11-23.4.log": "a line longer than a file may be\n",
        "camgate-2026-11-23.log": "five\n",
    }


def test_a_line_larger_than_a_file_leaves_no_empty_file_behind(tmp_path: Path) -> None:
    file = DailyFile(tmp_path, limits(max_size_bytes=10))
    file.write("a line longer than a file may be\n", time_s())
    file.close()
    assert names(tmp_path) == ["camgate-2026-11-23.log"]


def test_size_counts_what_an_earlier_run_wrote(tmp_path: Path) -> None:
    (tmp_path / "camgate-2026-11-23.log").write_text("x" * 999)
    file = DailyFile(tmp_path, limits())
    file.write("more\n", time_s())
    file.close()
    assert names(tmp_path) == ["camgate-2026-11-23.1.log", "camgate-2026-11-23.log"]


def test_backups_are_counted_newest_first(tmp_path: Path) -> None:
    for name in ("camgate-2026-11-21.log", "camgate-2026-11-22.1.log", "camgate-2026-11-22.10.log"):
        (tmp_path / name).touch()
    (tmp_path / "camgate-2026-11-22.log").touch()
    file = DailyFile(tmp_path, limits(max_backups=2))
    file.write("today\n", time_s())
    file.close()
    assert names(tmp_path) == ["camgate-2026-11-22.10.log", "camgate-2026-11-22.log", "camgate-2026-11-23.log"]


def test_old_days_are_deleted_and_strangers_are_not(tmp_path: Path) -> None:
    strangers = ["camgate-2020-01-01.log.gz", "camgate-2020-99-99.log", "notes.log", "xcamgate-2020-01-01.log"]
    for name in ("camgate-2026-11-08.log", "camgate-2026-11-07.log", *strangers):
        (tmp_path / name).touch()
    file = DailyFile(tmp_path, limits(max_age_days=15))
    file.write("today\n", time_s())
    file.close()
    assert names(tmp_path) == sorted(["camgate-2026-11-08.log", "camgate-2026-11-23.log", *strangers])


def test_zero_means_without_end(tmp_path: Path) -> None:
    for day in range(1, 29):
        (tmp_path / f"camgate-2020-01-{day:02}.log").touch()
    file = DailyFile(tmp_path, limits(max_backups=0, max_age_days=0))
    file.write("today\n", time_s())
    file.close()
    assert len(names(tmp_path)) == 29


def test_a_year_of_days_and_sizes_stays_within_its_bounds(tmp_path: Path) -> None:
    file = DailyFile(tmp_path, limits(max_size_bytes=10, max_backups=7, max_age_days=3))
    for quarter in range(4 * 60):
        file.write("123456789\n", time_s(days=quarter / 4))
        found = list(tmp_path.iterdir())
        assert len(found) <= 1 + 7
        assert all(path.stat().st_size <= 10 for path in found)
    file.close()


def test_a_directory_that_cannot_be_made_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        DailyFile(tmp_path / "file" / "logs", limits()).write("x\n", time_s())


def test_why_a_directory_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert why_unwritable(tmp_path) is None
    assert why_unwritable(tmp_path / "logs" / "camgate") is None
    assert why_unwritable(tmp_path / "file" / "logs") == "Not a directory"
    assert why_unwritable(Path("/proc/logs"))
    assert names(tmp_path) == ["file"]
