"""Collects everything that is wrong with one config, so that its author sees it all at once."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from camgate.config.checks import Check, Wrong
from camgate.config.errors import ConfigError, KeyPath, Problem, key_in_words
from camgate.config.lines import KeyLines

T = TypeVar("T")


class Report:
    """The problems of one file found so far."""

    def __init__(self, file: str, lines: KeyLines) -> None:
        self._file = file
        self._lines = lines
        self._problems: list[Problem] = []

    def add(self, path: KeyPath, sentence: str) -> None:
        """Note that something is wrong at `path`."""
        self._problems.append(Problem(self._file, sentence, self._lines.line_of(path), key_in_words(path)))

    def attempt(self, path: KeyPath, function: Callable[..., T], *args: object) -> T | None:
        """Return what `function` returns; where it raises Wrong, note that at `path` and return None."""
        try:
            return function(*args)
        except Wrong as wrong:
            self.add((*path, *wrong.at), str(wrong))
            return None

    def read_keys(self, path: KeyPath, table: Mapping[str, object], checks: Mapping[str, Check[Any]]) -> dict[str, Any]:
        """Return the values of a table that pass their checks; note those that do not, and keys that nobody knows."""
        values = {}
        for key, value in table.items():
            if key not in checks:
                self.add((*path, key), unknown_key(key, checks))
            elif (checked := self.attempt((*path, key), checks[key], value)) is not None:
                values[key] = checked
        return values

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All so far, in the order of the file; what is missing in it comes last."""
        return tuple(sorted(self._problems, key=lambda problem: problem.line or math.inf))

    def raise_problems(self) -> None:
        """Raise ConfigError if there are any, in the order of the file."""
        if self._problems:
            raise ConfigError(self.problems)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return what to say of a key that does not exist."""
    names = sorted(known)
    near = difflib.get_close_matches(key.lower(), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return f"there is no such key; {hint}"
