"""Folding: a line that comes a thousand times a second is written once a second, with a count.

The first of its kind is written at once. Those of the following second are counted; when it is over the last of them
is written, `(repeated 41 times)`, and the next second begins. Time is an argument; `log_setup` owns the clock.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from camgate.base.log_format import LogLine

WINDOW_S = 1.0
MAX_KINDS = 1000
"""Kinds of lines remembered at a time (about 1 MB); beyond it lines are written unfolded."""


@dataclass(slots=True)
class _Fold:
    ends: float
    last: LogLine
    repeats: int = 0


class Repeats:
    """Decides which lines are written when."""

    def __init__(self) -> None:
        self._folds: dict[Hashable, _Fold] = {}  # in the order of their ends: each new end is later than all others

    def receive(self, line: LogLine, now: float) -> list[LogLine]:
        """Take a line; return those to write now, in order. `now` is monotonic, in seconds."""
        due = self.handle_deadline(now)
        fold = self._folds.get(line.identity)
        if fold is None:
            if len(self._folds) < MAX_KINDS:
                self._folds[line.identity] = _Fold(now + WINDOW_S, line)
            return [*due, line]
        fold.last = line
        fold.repeats += 1
        return due

    def next_deadline(self) -> float | None:
        """Return when `handle_deadline` wants to be called, None for not at all."""
        return next((fold.ends for fold in self._folds.values()), None)

    def handle_deadline(self, now: float) -> list[LogLine]:
        """Return the folded lines whose second is over."""
        return self._close([key for key, fold in self._folds.items() if fold.ends <= now], now)

    def flush(self, now: float) -> list[LogLine]:
        """Return all folded lines, as at the end of a run."""
        return self._close(list(self._folds), now)

    def _close(self, keys: list[Hashable], now: float) -> list[LogLine]:
        lines = []
        for key in keys:
            fold = self._folds.pop(key)
            if fold.repeats:
                lines.append(replace(fold.last, text=f"{fold.last.text} {_count(fold.repeats)}"))
                self._folds[key] = _Fold(now + WINDOW_S, fold.last)
        return lines


def _count(repeats: int) -> str:
    return "(repeated once)" if repeats == 1 else f"(repeated {repeats} times)"
