"""What is wrong with a config, in lines that name the file, the line, the key and what would be right."""

from dataclasses import dataclass
from typing import TypeAlias

from camgate.base.errors import LocalError, RemoteError

CONFIG_FILE = "{config}"
"""What stands for the config's path in a remedy."""
KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: `("cameras", "front", "url")`; numbers are positions in lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `FILE:LINE: KEY: SENTENCE`.

    sentence: what is wrong; what would be right. It never holds a value that might be secret.
    line: counted from 1; None where the file as a whole is meant.
    key: as written in a config, such as `cameras.front.url`; None where no key is meant.
    """

    file: str
    sentence: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.sentence) if part)


class ConfigError(RemoteError):
    """The author of a config made mistakes; `problems` has all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """One line a problem."""
        return "\n".join(map(str, self.problems))


class StartError(LocalError):
    """The settings are in order, but this machine does not let us start with them, such as with a port in use.

    key: path of the key that would have to be another, such as `server.listen`.
    sentence: what is wrong; what would be right.
    remedy: lines to paste where there is a config, with CONFIG_FILE for its path; they can be empty.
    """

    def __init__(self, key: str, sentence: str, remedy: str = "") -> None:
        super().__init__(key, sentence)
        self.key = key
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.key}: {self.sentence}"


def key_in_words(path: KeyPath) -> str:
    """Return a key path as one writes it: `cameras.front.url`, `webrtc.advertise[0]`, `cameras."a b"`."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += f".{part}" if _is_bare(part) else f'."{_shown(part)}"'
    return words.removeprefix(".")


def _is_bare(key: str) -> bool:
    return bool(key) and key.isascii() and key.replace("-", "").replace("_", "").isalnum()


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() and c != '"' else c.encode("unicode_escape").decode() for c in text)
