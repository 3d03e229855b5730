"""Settings that come from the command line instead of a file, held to the same rules."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from camgate.base.secrets import register_login
from camgate.config.cameras import contradictions, read_password, read_password_file, read_url
from camgate.config.checks import Wrong, listen_address
from camgate.config.errors import ConfigError, Problem
from camgate.config.model import CameraSettings, ServerSettings, Transport
from camgate.config.schema import CAMERA_KEYS
from camgate.wire.onvif.address import MalformedAddress, ServiceAddress, split_address_untrusted

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
    transport: str = Transport.AUTO.value,
    tls_fingerprint: str | None = None,
    tls_insecure: bool = False,
) -> CameraSettings:
    """Return the settings of the camera at `url`. Raises ConfigError.

    The password comes from `password_file` (`-` is stdin), else from CAMGATE_PASSWORD in `environ`, else from the URL,
    else, where a `username` is given, from `ask_password`, which may return None for nobody there to ask.
    `${NAME}` in the URL is replaced as in a config file. The other options are as the keys of `[cameras.NAME]`.
    """
    parts = _checked("URL", lambda: read_url(url, environ))
    password = _given_password(environ, password_file) or parts.password
    if username and password is None:
        password = _checked("--username", lambda: _asked(ask_password))
    username = username or parts.username
    if password:
        register_login(username or "", password)
    options = _road_options(parts.scheme, transport, tls_fingerprint, tls_insecure)
    return CameraSettings(name="probe", url=str(parts), username=username, password=password, **options)


def login(
    environ: Mapping[str, str],
    *,
    username: str | None,
    password_file: Path | None,
    ask_password: Callable[[], str | None],
) -> tuple[str | None, str | None]:
    """Return user name and password, found as `camera_settings` does, but without a URL. Raises ConfigError."""
    password = _given_password(environ, password_file)
    if username and password is None:
        password = _checked("--username", lambda: _asked(ask_password))
    if password:
        register_login(username or "", password)
    return username, password


def onvif_address(text: str) -> ServiceAddress:
    """Return the address of an ONVIF service, as `--onvif` names it. Raises ConfigError, which does not repeat it."""
    try:
        return split_address_untrusted(text)
    except MalformedAddress as error:
        raise ConfigError((Problem("camgate", str(error), key="--onvif"),)) from None


def _given_password(environ: Mapping[str, str], password_file: Path | None) -> str | None:
    return _checked("--password-file", lambda: _password(password_file)) or environ.get(PASSWORD_VARIABLE)


def _road_options(scheme: str, transport: str, tls_fingerprint: str | None, tls_insecure: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "transport": _checked("--transport", lambda: CAMERA_KEYS["transport"](transport)),
        "tls_insecure": tls_insecure,
    }
    if tls_fingerprint is not None:
        options["tls_fingerprint"] = _checked(
            "--tls-fingerprint", lambda: CAMERA_KEYS["tls_fingerprint"](tls_fingerprint)
        )
    problems = (Problem("camgate", sentence, key=_argument(key)) for key, sentence in contradictions(scheme, options))
    if found := tuple(problems):
        raise ConfigError(found)
    return options


def _argument(key: str) -> str:
    return "--" + key.replace("_", "-")


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
