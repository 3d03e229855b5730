"""A YAML file as a tree whose nodes know their lines, within bounds of size, depth and number.

Nothing is made of tags, so no object of the file's choice ever comes to be; and scalars stay text, since Go and YAML
1.1 do not agree on what `yes`, `010` or `1:20` are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from camgate.config.errors import ConfigError, Problem

MAX_FILE_BYTES = 1024 * 1024
"""MediaMTX's own file, which explains every key, has 40 kB; a thousand cameras have 200."""

MAX_NODES = 100_000
"""Of the tree with its aliases written out: nine lines of them can stand for a thousand million nodes."""

MAX_DEPTH = 20
"""A config of either has five levels."""

_SPACES, _FLOW = "\0 \t\r\n\x85\u2028\u2029", ",[]{}"
"""What ends a word of YAML: everywhere, and between brackets."""

_NULL = "tag:yaml.org,2002:null"
_MERGE = "<<"
_YES = frozenset({"yes", "true", "on", "y", "1"})
_NO = frozenset({"no", "false", "off", "n", "0", ""})

Value: TypeAlias = "str | list[Node] | dict[str, Node] | None"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line on which it begins, counted from 1. A null is None, any other scalar is text."""

    line: int
    value: Value

    @property
    def text(self) -> str:
        """The scalar; empty where this is none."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def entries(self) -> "dict[str, Node]":
        """The entries of a mapping; none where this is something else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def elements(self) -> "list[Node]":
        """The elements of a list; a scalar counts for a list of one, as both programs take it."""
        if isinstance(self.value, list):
            return self.value
        return [self] if isinstance(self.value, str) else []

    @property
    def is_true(self) -> bool:
        """Whether this is a scalar that stands for yes."""
        return self.text.lower() in _YES

    @property
    def says_nothing(self) -> bool:
        """Whether this is empty, null, no or zero: what is not used loses nothing."""
        return self.text.lower() in _NO if isinstance(self.value, str | None) else not self.value


def read_tree(file: Path) -> tuple[str, Node]:
    """Read a file and return its text and its tree. Raises ConfigError, which never repeats what is in the file."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _broken(file, f"cannot be read: {error.strerror or error}; name another file") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _broken(file, f"is larger than {MAX_FILE_BYTES} bytes; name a config file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _broken(file, "is not UTF-8 text; save it as UTF-8", line) from None
    return text, parse_tree(text, file)


def parse_tree(text: str, file: Path) -> Node:
    """Return the tree of a text whose top is a mapping; `file` is what errors call it. Raises ConfigError."""
    try:
        top = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # Its words can hold a piece of a password that begins with * or &.
        sentence = "is not YAML here; look at the indentation, and put quotes around values with : # * & or %"
        raise _broken(file, sentence, mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise _broken(file, "holds characters that YAML does not allow; save it as plain text") from None
    except RecursionError:
        raise _broken(file, "is nested too deeply to be a config; name another file") from None
    if not isinstance(top, yaml.MappingNode):
        raise _broken(file, "is no YAML of keys and values; name a config file")
    return _Reader(file).node(top)


class _Loader(yaml.SafeLoader):
    """PyYAML, but with `?` and `:` in plain scalars between brackets, which YAML 1.2 and both programs take.

    Written so: `[turn:HOST?transport=udp]`, `[127.0.0.1, ::1]`, `{source: rtsp://HOST/?channel=1}`.
    """

    _is_in_plain = False

    def check_key(self) -> bool:
        return self.peek(1) in _SPACES + _FLOW if self.flow_level else bool(super().check_key())

    def check_value(self) -> bool:
        if not self.flow_level:
            return bool(super().check_value())
        # YAML 1.2 section 7.4.2: behind a key in quotes a value may follow without a space, as JSON has it.
        return self.peek(1) in _SPACES + _FLOW or self.buffer[max(self.pointer - 1, 0)] in "\"']}"

    def check_plain(self) -> bool:
        if self.flow_level and self.peek() in ("?", ":"):
            return self.peek(1) not in _SPACES + _FLOW
        return bool(super().check_plain())

    def scan_plain(self) -> yaml.ScalarToken:
        self._is_in_plain = True
        try:
            return super().scan_plain()
        finally:
            self._is_in_plain = False

    def peek(self, index: int = 0) -> str:
        # PyYAML ends a plain scalar between brackets at each of these; what it then takes is the text itself.
        found = str(super().peek(index))
        return "x" if found == "?" and self._is_in_plain else found


class _Reader:
    """Makes our nodes of PyYAML's, which share what aliases stand for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._count = 0

    def node(self, given: yaml.Node, depth: int = 0) -> Node:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            sentence = "holds more, or deeper, than a config does, counted with its aliases; name another file"
            raise _broken(self._file, sentence, _line(given))
        match given:
            case yaml.MappingNode():
                return Node(_line(given), self._entries(given, depth))
            case yaml.SequenceNode():
                return Node(_line(given), [self.node(each, depth + 1) for each in given.value])
            case _:
                return Node(_line(given), None if given.tag == _NULL else _text(given.value))

    def _entries(self, given: yaml.MappingNode, depth: int) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key, value in given.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _broken(self._file, "has a key that is no text; write KEY: VALUE", _line(key))
            if key.value == _MERGE:
                for node in _merged(self.node(value, depth + 1)):
                    merged = {**node.entries, **merged}
            elif _text(key.value) in own:
                raise _broken(self._file, "has the key of this line twice; keep one of them", _line(key))
            else:
                node = self.node(value, depth + 1)
                # A nested value begins below its key, and an alias far above; people look for the key.
                own[_text(key.value)] = Node(_line(key), node.value)
        return {**merged, **own}


def _merged(node: Node) -> Iterator[Node]:
    yield from node.value if isinstance(node.value, list) else [node]


def _text(value: str) -> str:
    """Return a scalar; JSON writes what is beyond 16 bits as two halves, which PyYAML takes for two characters."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _broken(file: Path, sentence: str, line: int | None = None) -> ConfigError:
    return ConfigError((Problem(str(file), sentence, line),))
