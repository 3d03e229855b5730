"""Small files of camgate's own that must survive a restart and that nobody else may read."""

import os
import secrets
from pathlib import Path


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
        if os.geteuid() == 0:
            # `camgate token`, run as root, must not make what the service's own user cannot read.
            owner = file.parent.stat()
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
