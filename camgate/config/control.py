"""Where the control socket is: for camgate that listens there, and for commands that look for it."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from camgate.config.model import AUTO, ServerSettings

KEY = "server.unix_socket"
NAME = "camgate.sock"
SYSTEM_SOCKET = Path("/run/camgate") / NAME


def control_socket(settings: ServerSettings, environ: Mapping[str, str]) -> Path | None:
    """Return where to listen; None for nowhere.

    As the config says, else as systemd does (`RUNTIME_DIRECTORY`), else in /run/camgate for root, else as the XDG base
    directory specification says, where it says anything.
    """
    if settings.unix_socket != AUTO:
        return Path(settings.unix_socket) if settings.unix_socket else None
    if (of_service := _of_service(environ)) is not None:
        return of_service
    if os.geteuid() == 0:
        return SYSTEM_SOCKET
    return _of_user(environ)


def find_control_sockets(file: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Return where a camgate of this machine may listen, the likeliest first. file: its config, which may be broken.

    Whoever sets RUNTIME_DIRECTORY means the camgate there, and no other.
    """
    if file is not None and (named := _named_in(file)):
        yield file.parent / named
    if (of_service := _of_service(environ)) is not None:
        yield of_service
        return
    yield SYSTEM_SOCKET
    if (of_user := _of_user(environ)) is not None:
        yield of_user


def _of_service(environ: Mapping[str, str]) -> Path | None:
    given = environ.get("RUNTIME_DIRECTORY")
    # systemd.exec(5): several are separated by colons.
    return Path(given.partition(":")[0]) / NAME if given else None


def _of_user(environ: Mapping[str, str]) -> Path | None:
    runtime = environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "camgate" / NAME if runtime else None


def _named_in(file: Path) -> str:
    """Return what the config names, as it is written there; a reload is just what a broken config is looked at with."""
    try:
        with file.open("rb") as stream:
            named = tomllib.load(stream)["server"]["unix_socket"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return named if isinstance(named, str) and named != AUTO else ""
