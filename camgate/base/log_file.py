"""The log files: one a day, `camgate-YYYY-MM-DD.log`, never larger than asked for, old ones deleted.

The file of the day always has the plain name. When it is full it becomes `camgate-YYYY-MM-DD.1.log`, the next full one
`.2.log`, so numbers rise with time and nothing is renamed twice. Time is an argument: the line's own, so a line
stands in the file of its day.
"""

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

_FILE_NAME = re.compile(r"camgate-(\d{4}-\d{2}-\d{2})(?:\.(\d{1,9}))?\.log")

_UNNUMBERED = 10**9
"""Sorts the file of the day behind the numbered ones of its day: it is the newest."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """When log files are rotated and deleted."""

    max_size_bytes: int
    max_backups: int
    """Files kept beside the current one; 0 for as many as there are."""
    max_age_days: int
    """Files of older days are deleted; 0 for never."""


def why_unwritable(directory: Path) -> str | None:
    """Return in words why this user cannot write log files in `directory`, None where nothing is known against it.

    Leaves nothing behind: where the directory is missing, the nearest one above it is tried.
    """
    existing = next((path for path in (directory, *directory.absolute().parents) if path.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=existing):
            return None
    except OSError as error:
        return error.strerror or str(error)


class DailyFile:
    """Appends lines to the file of their day. Not thread-safe: one writer. Raises OSError as the file system does."""

    def __init__(self, directory: Path, limits: FileLimits) -> None:
        self.directory = directory
        self.limits = limits
        self._day: date | None = None
        self._descriptor: int | None = None
        self._size_bytes = 0

    def path_of(self, day: date) -> Path:
        """Return the path of the file of a day."""
        return self.directory / f"camgate-{day.isoformat()}.log"

    def write(self, text: str, time_s: float) -> None:
        """Append `text`, which was logged at `time_s` (wall clock, seconds since 1970)."""
        data = text.encode(errors="backslashreplace")
        day = datetime.fromtimestamp(time_s).date()
        if self._descriptor is None or day != self._day:
            self._open(day)
        if self._size_bytes and self._size_bytes + len(data) > self.limits.max_size_bytes:
            self._rotate(day)
        while data:
            data = data[self._append(data) :]

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _append(self, data: bytes) -> int:
        assert self._descriptor is not None
        written = os.write(self._descriptor, data)
        self._size_bytes += written
        return written

    def _open(self, day: date) -> None:
        self.close()
        self.directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path_of(day), flags, 0o640)
        self._day = day
        self._size_bytes = os.fstat(self._descriptor).st_size
        self._prune(day)

    def _rotate(self, day: date) -> None:
        self.close()
        numbers = [number for file_day, number, _ in self._files() if file_day == day and number != _UNNUMBERED]
        full = self.directory / f"camgate-{day.isoformat()}.{max(numbers, default=0) + 1}.log"
        self.path_of(day).rename(full)
        self._open(day)

    def _prune(self, today: date) -> None:
        """Delete what is too old or too many; a file that cannot be deleted is left to the next day's try."""
        backups = sorted((f for f in self._files() if f[2] != self.path_of(today)), reverse=True)
        kept = backups[: self.limits.max_backups or None]
        if self.limits.max_age_days:
            oldest = today - timedelta(days=self.limits.max_age_days)
            kept = [backup for backup in kept if backup[0] >= oldest]
        for backup in backups:
            if backup not in kept:
                with suppress(OSError):
                    backup[2].unlink()

    def _files(self) -> list[tuple[date, int, Path]]:
        """Return day, number and path of every file that bears one of our names."""
        files = []
        for path in self.directory.iterdir():
            if match := _FILE_NAME.fullmatch(path.name):
                with suppress(ValueError):  # a name such as camgate-2026-99-99.log is somebody else's
                    number = int(match[2]) if match[2] else _UNNUMBERED
                    files.append((date.fromisoformat(match[1]), number, path))
        return files
