"""Settings that come from the command line instead of a file, held to the same rules."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from camgate.base.secrets import register_login
from camgate.config.cameras import read_password, read_password_file, read_url
from camgate.config.checks import Wrong, listen_address
from camgate.config.errors import ConfigError, Problem
from camgate.config.model import CameraSettings, ServerSettings

PASSWORD_VARIABLE = "CAMGATE_PASSWORD"

STDIN = Path("-")

T = TypeVar("T")


def server_settings(listen: str) -> ServerSettings:
    """Return the settings of a server that listens on `ADDRESS:PORT`. Raises ConfigError."""
    return ServerSettings(listen=_checked("--listen", lambda: listen_address(listen)))


def camera_settings(
    url: str,
    environ: Mapping[str, str],
    *,
    username: str | None = None,
    password_file: Path | None = None,
    ask_password: Callable[[], str | None] = lambda: None,
) -> CameraSettings:
    """Return the settings of the camera at `url`. Raises ConfigError.

    The password comes from `password_file` (`-` is stdin), else from CAMGATE_PASSWORD in `environ`, else from the URL,
    else, where a `username` is given, from `ask_password`, which may return None for nobody there to ask.
    `${NAME}` in the URL is replaced as in a config file.
    """
    parts = _checked("URL", lambda: read_url(url, environ))
    password = _checked("--password-file", lambda: _password(password_file))
    password = password or environ.get(PASSWORD_VARIABLE) or parts.password
    if username and password is None:
        password = _checked("--username", lambda: _asked(ask_password))
    username = username or parts.username
    if password:
        register_login(username or "", password)
    return CameraSettings(name="probe", url=str(parts), username=username, password=password)


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    return read_password(sys.stdin.buffer, "stdin") if file == STDIN else read_password_file(file)


def _asked(ask: Callable[[], str | None]) -> str:
    password = ask()
    if password is None:
        raise Wrong(f"no password given: use --password-file or {PASSWORD_VARIABLE}")
    return password


def _checked(argument: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except Wrong as wrong:
        raise ConfigError((Problem("camgate", str(wrong), key=argument),)) from None
