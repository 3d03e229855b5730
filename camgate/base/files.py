"""Small files of camgate's own that must survive a restart and that nobody else may read; and whether files changed.

The daemon and the commands write some of them both: each reads, changes and writes under `locked`.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep other processes out of a file while the block runs, which is to be short: whoever else wants it waits.

    The lock is on a file beside it, as the file itself is replaced. Where that cannot be made, nothing can be written.
    """
    lock = file.with_name(f"{file.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        give_to_owner(descriptor, file.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


Stamp: TypeAlias = tuple[int, int, int] | None


def stamp_of(file: Path) -> Stamp:
    """Return what is another value once a file was written or replaced; None where there is none, or none to see."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ino, facts.st_size


def give_to_owner(descriptor: int, directory: Path) -> None:
    """Give a file that root writes to whom its directory belongs: the service's own user must be able to read it."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def write_private(file: Path, data: bytes) -> None:
    """Put a file in the place of another, whole or not at all, readable for its owner alone. Raises OSError."""
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        write_new(new, data)
        new.replace(file)
        _sync(file.parent)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    """Have the name of a file that was put into its place be on the disk, too (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(file: Path, data: bytes) -> None:
    """Write a file that is not there yet, readable for its owner alone, and onto the disk. Raises OSError."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as stream:
        give_to_owner(stream.fileno(), file.parent)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
