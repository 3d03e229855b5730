"""The latest lines of the log, kept for whoever asks over the API. Written by the logging thread, read by others."""

import threading
from collections import deque
from dataclasses import dataclass, replace

from camgate.base.log_format import LogLine

KEPT_LINES = 1000
"""The long ones are of 8 kB; mostly all of them together have 400 kB."""


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line, and how many had been kept up to it."""

    number: int
    line: LogLine


class LogTail:
    """A sink that keeps the latest lines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[KeptLine] = deque(maxlen=KEPT_LINES)
        self._count = 0

    def write(self, line: LogLine) -> None:
        """Keep a line in place of the oldest one."""
        with self._lock:
            self._count += 1
            # Nobody looks for repeats here, and what tells them is longer than the line.
            self._lines.append(KeptLine(self._count, replace(line, identity=None)))

    def close(self) -> None:
        """Nothing to do."""

    def after(self, number: int) -> list[KeptLine]:
        """Return what was kept after the line of that number, oldest first.

        A number that is yet to come is of an earlier run: then that is all of them.
        """
        with self._lock:
            since = number if number <= self._count else 0
            return [kept for kept in self._lines if kept.number > since]
