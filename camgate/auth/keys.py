"""The key that camgate signs sessions, tokens and share links with: one file, made at the first need."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from camgate.base.errors import LocalError
from camgate.base.files import write_new

FILE = "auth.key"
KEY_BYTES = 32
"""RFC 7518 section 3.2: no shorter than the output of HS256."""


class KeyUnusable(LocalError):
    """The key's file cannot be read, or is none."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot use the signing key in {self.file}: {self.reason}"


def load_or_make_key(directory: Path) -> bytes:
    """Return the key in a directory that exists; makes it where there is none. Raises KeyUnusable.

    Two processes that make it at once agree: the first one's file stays.
    """
    file = directory / FILE
    try:
        if not file.exists():
            _make(file)
        key = file.read_bytes()
    except OSError as error:
        raise KeyUnusable(file, error.strerror or str(error)) from error
    if len(key) != KEY_BYTES:
        reason = f"it has {len(key)} bytes instead of {KEY_BYTES}; delete it, and everybody signs in again"
        raise KeyUnusable(file, reason)
    return key


def _make(file: Path) -> None:
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        write_new(new, secrets.token_bytes(KEY_BYTES))
        # Unlike a renaming, a link does not replace what another process has just put there.
        with suppress(FileExistsError):
            os.link(new, file)
    finally:
        new.unlink(missing_ok=True)
