"""The control socket: a Unix socket over which root and a group rule camgate without a password.

Who may connect is the kernel's to say, by the socket's mode (unix(7)): its owner and its group. Who did, for the log,
is what the kernel knows of the other end.
"""

import errno
import os
import secrets
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

GROUP = "camgate"
"""Where there is such a group, and we may give it away, its members may connect."""
MODE = 0o660
BACKLOG = 64
MAX_PATH_BYTES = 107
"""unix(7): 108 with the zero byte at the end."""
LOOK_S = 1.0


@contextmanager
def open_control_socket(path: Path) -> Iterator[trio.SocketListener]:
    """Listen at `path` for the time of the block; what a camgate that has crashed left there is replaced.

    Raises: OSError, whose `strerror` says what stands against it.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise OSError(errno.ENAMETOOLONG, f"its path is longer than {MAX_PATH_BYTES} bytes")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _look_whether_free(path)
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        own.setblocking(False)
        number = _bind(own, path)
        own.listen(BACKLOG)
        try:
            yield trio.SocketListener(trio.socket.from_stdlib_socket(own))
        finally:
            with suppress(OSError):
                if path.stat().st_ino == number:
                    path.unlink()
    finally:
        own.close()


def _look_whether_free(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise OSError(errno.EEXIST, "something else is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.settimeout(LOOK_S)
        try:
            other.connect(os.fspath(path))
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise OSError(error.errno, f"it cannot be looked at: {error.strerror}") from error
    raise OSError(errno.EADDRINUSE, "another camgate listens there")


def _bind(own: socket.socket, path: Path) -> int:
    """Bind beside `path` and move there, so that nobody finds it with another mode; returns its inode number."""
    # Below a name that is no longer than the one it gets: that fits for sure.
    new = path.with_name(secrets.token_hex(3))
    own.bind(os.fspath(new))
    try:
        new.chmod(MODE)
        with suppress(LookupError, PermissionError):
            shutil.chown(new, group=GROUP)
        number = new.stat().st_ino
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    return number


def who_connected(connection: trio.socket.SocketType) -> str:
    """Say in words who is at the other end, as the kernel knows it."""
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return "root" if uid == 0 else f"user {uid}"
