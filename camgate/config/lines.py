"""On which line each key of a TOML text stands: `tomllib` does not tell.

A scanner, not a parser: made for text that `tomllib` has accepted, so it need not find mistakes; in other text it stops
where it no longer understands. It knows strings, comments and brackets, and walks tables, dotted keys, inline tables
and arrays as `tomllib` nests them.
"""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress

from camgate.config.errors import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'  # TOML 1.0: up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class KeyLines:
    """The lines of a text's keys, counted from 1."""

    def __init__(self, text: str) -> None:
        scanner = _Scanner(text)
        with suppress(_Lost, RecursionError):
            scanner.scan()
        self.known = scanner.lines

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of a key or list element, else of the nearest table around it; None for an empty text."""
        while path and path not in self.known:
            path = path[:-1]
        return self.known.get(path)


class _Lost(Exception):
    """The text is not what the scanner takes it for; what it found so far is still right."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._table: KeyPath = ()
        self._array_lengths: dict[KeyPath, int] = {}

    def scan(self) -> None:
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._take("[["):
                self._table = self._next_of_array(self._key())
                self._expect("]]")
            elif self._take("["):
                self._table = self._note((), self._key())
                self._expect("]")
            else:
                self._pair(self._table)
            self._skip(_BLANK)

    def _pair(self, table: KeyPath) -> None:
        path = self._note(table, self._key())
        self._expect("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        if self._take("{"):
            self._inline_table(path)
        elif self._take("["):
            self._array(path)
        elif not self._skip(_STRING) and not self._skip(_SCALAR):
            raise _Lost

    def _inline_table(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        while not self._take("}"):
            self._pair(path)
            self._separator()

    def _array(self, path: KeyPath) -> None:
        index = 0
        self._skip(_BLANK)
        while not self._take("]"):
            element = (*path, index)
            self.lines[element] = self._line()
            self._value(element)
            self._separator()
            index += 1

    def _separator(self) -> None:
        self._skip(_BLANK)
        self._take(",")
        self._skip(_BLANK)

    def _key(self) -> list[str]:
        """Read a key, dotted or not, bare or quoted."""
        parts = []
        while True:
            match = _KEY.match(self._text, self._at)
            if match is None:
                raise _Lost
            self._at = match.end()
            parts.append(_unquoted(match[1]))
            if not self._take("."):
                return parts

    def _note(self, path: KeyPath, parts: list[str]) -> KeyPath:
        """Return the path that `parts` mean within `path`, all of it noted with this line where it is new."""
        for part in parts:
            path = (*path, part)
            self.lines.setdefault(path, self._line())
            if path in self._array_lengths:
                # TOML 1.0, array of tables: a reference to it means its most recently defined element.
                path = (*path, self._array_lengths[path] - 1)
        return path

    def _next_of_array(self, parts: list[str]) -> KeyPath:
        array = (*self._note((), parts[:-1]), parts[-1])
        self.lines.setdefault(array, self._line())
        index = self._array_lengths.get(array, 0)
        self._array_lengths[array] = index + 1
        self.lines[*array, index] = self._line()
        return (*array, index)

    def _line(self) -> int:
        return bisect_right(self._line_starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None:
            return False
        self._at = match.end()
        return True

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _Lost


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError:
        raise _Lost from None
