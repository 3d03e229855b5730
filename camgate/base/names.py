"""Names of cameras: which there can be, and that two ways to write one letter are one name.

`ü` is one character, or `u` with two dots put on it. Keyboards, file systems and copied addresses differ in which they
use, so whatever names a camera is composed (Unicode's form C) before it is looked up: in URLs by the HTTP gate and by
the RTSP server, elsewhere by who reads it.
"""

import re
import unicodedata

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks by their category, and nothing to look at."""


def composed(text: str) -> str:
    """Return a name as camgate writes it."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def likeness(name: str) -> str:
    """Return what is the same for names that people, or file systems, would take for each other."""
    return unicodedata.normalize("NFKC", name).casefold()


def is_of_names(text: str, others: str) -> bool:
    """Whether there are letters, their marks and digits of any script in a text, and `others`, and nothing else."""
    if text.isascii():
        return bool(text) and all(character.isalnum() or character in others for character in text)
    return not _INVISIBLE.search(text) and all(
        character in others or unicodedata.category(character)[0] in "LMN" for character in text
    )
