"""How a log record becomes text: `time LEVEL area sentence key=value …`, one line, nothing in it that a peer can forge.

Values with spaces are quoted, and whatever is not printable is escaped: a camera that sends a line break in its
reason phrase cannot write a line of its own. Tracebacks follow their line, each line of them behind a bar.
"""

import logging
import traceback
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from camgate.base.secrets import mask

MAX_TEXT_CHARS = 8000
"""Longer texts are cut: an SDP fits whole, a peer's megabyte does not."""

_COLOURS = {logging.DEBUG: "36", logging.INFO: "32", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


class Entry:
    """What a camgate logger gives to the standard library as its message; becomes text only when somebody reads it."""

    __slots__ = ("fields", "sentence")

    def __init__(self, sentence: str, fields: dict[str, Any]) -> None:
        self.sentence = sentence
        self.fields = fields

    def __str__(self) -> str:
        return " ".join((self.sentence, *(f"{key}={_quoted(value)}" for key, value in self.fields.items())))

    @property
    def identity(self) -> Hashable:
        """What two repeats of a line have in common: all but their figures."""
        return self.sentence, *(
            f"{key}={value}" for key, value in self.fields.items() if not isinstance(value, int | float)
        )


@dataclass(slots=True)
class LogLine:
    """One line on its way to console and file, masked already."""

    time_s: float
    """Wall clock, seconds since 1970."""
    level: int
    area: str
    text: str
    identity: Hashable
    """Equal for lines that are repeats of each other."""
    traceback: tuple[str, ...] = ()
    camera: str | None = None
    """Which one it is about."""

    def render(self, *, colour: bool = False) -> str:
        """Return the line, and those of its traceback, with line ends."""
        stamp = datetime.fromtimestamp(self.time_s).astimezone().isoformat(timespec="milliseconds")
        level = f"{logging.getLevelName(self.level):<7}"
        if colour:
            stamp, level = f"\x1b[2m{stamp}\x1b[0m", f"\x1b[{_COLOURS.get(self.level, '0')}m{level}\x1b[0m"
        return "".join((f"{stamp} {level} {self.area} {self.text}\n", *(f"    | {line}\n" for line in self.traceback)))


def line_of(record: logging.LogRecord) -> LogLine:
    """Return the line of a record of any logger; a record that cannot be formatted says so instead of raising."""
    try:
        text = record.getMessage()
    except Exception as error:
        text = f"{record.msg!r} could not be formatted: {error!r}"
    entry = record.msg if isinstance(record.msg, Entry) else None
    return LogLine(
        time_s=record.created,
        level=record.levelno,
        area=record.name.removeprefix("camgate."),
        text=_shown(text),
        identity=(record.name, record.levelno, entry.identity if entry else text),
        traceback=tuple(_traceback_of(record)),
        camera=_camera_of(entry),
    )


def _camera_of(entry: Entry | None) -> str | None:
    camera = entry.fields.get("camera") if entry else None
    return camera if isinstance(camera, str) else None


def _traceback_of(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[0] is None:
        return []
    text = "".join(traceback.format_exception(*record.exc_info))
    return [_shown(line) for line in text.splitlines()]


def _quoted(value: object) -> str:
    text = _text_of(value)
    if text and not any(character.isspace() or character in "\"'=" for character in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text_of(value: object) -> str:
    match value:
        case float():
            return f"{value:.6g}"
        case Enum():
            return str(value.value)
        case BaseException():
            return str(value) or type(value).__name__
        case _:
            return str(value)


def _shown(text: str) -> str:
    """Mask and escape; the mask sees more than is shown, so that the cut does not leave half of a secret behind."""
    escaped = mask(_escaped(text[: 2 * MAX_TEXT_CHARS]))
    if len(escaped) > MAX_TEXT_CHARS:
        return f"{escaped[:MAX_TEXT_CHARS]}… (cut; {len(text)} characters)"
    return escaped


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
