"""Reads `[cameras.NAME]`: where the camera is, and its login, which may stand in four places but only in one at a time.

A password stands in `password`, in the file that `password_file` names, in the environment, or in the URL. Wherever it
was, it is registered as a secret before anything else is done with it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from camgate.base.names import likeness
from camgate.base.secrets import register_login, register_secret
from camgate.config.checks import Wrong, camera_name, section
from camgate.config.environment import expand, expand_secret
from camgate.config.errors import KeyPath, key_in_words
from camgate.config.model import CameraSettings, Transport
from camgate.config.report import Report
from camgate.config.schema import CAMERA_KEYS, CAMERAS, SUB, SUB_KEYS
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import RtspUrl, split_url_untrusted

URL_EXAMPLE = 'write "rtsp://HOST[:PORT]/PATH"'

LOGIN_KEYS = ("url", "username", "password", "password_file")

PASSED_ON_KEYS = (
    "transport",
    "tls_fingerprint",
    "tls_insecure",
    "audio",
    "connect_timeout_s",
    "stall_timeout_s",
    "linger_s",
)
"""What a sub-stream has of its camera, where it does not say otherwise."""

MAX_PASSWORD_FILE_BYTES = 4096
"""More is no password but another file."""


class CameraReader:
    """Reads the cameras of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path, environ: Mapping[str, str]) -> None:
        """directory: what a relative `password_file` is relative to."""
        self._report = report
        self._directory = directory
        self._environ = environ

    def read_all(self, tables: object) -> dict[str, CameraSettings]:
        """Return the cameras that are in order, by name."""
        named = self._report.attempt((CAMERAS,), _tables, tables) or {}
        cameras = [self.read(name, table) for name, table in named.items()]
        self._check_alike(list(named))
        return {camera.name: camera for camera in cameras if camera}

    def read(self, name: str, table: object) -> CameraSettings | None:
        """Return a camera; None where it is not in order."""
        path = (CAMERAS, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, f'[{CAMERAS}.NAME] with url = "rtsp://…" below it')
            return None
        named = self._report.attempt(path, camera_name, name)
        values = self._report.read_keys(path, table, CAMERA_KEYS)
        access = self._access(path, table, values)
        sub = self._sub((*path, SUB), named or name, values, access)
        if not named or not access:
            return None
        rest = {key: value for key, value in values.items() if key not in LOGIN_KEYS}
        return CameraSettings(name=named, **rest | access | {SUB: sub})

    def _sub(
        self, path: KeyPath, name: str, values: Mapping[str, Any], access: Mapping[str, Any] | None
    ) -> CameraSettings | None:
        """Read a camera's sub-stream, which is as the camera is where it does not say otherwise."""
        table = values.get(SUB)
        if table is None:
            return None
        own = self._report.read_keys(path, table, SUB_KEYS)
        own_access = self._access(path, table, own)
        if not own_access or not access:
            return None
        if not own_access["username"] and is_of_one_host(own_access["url"], access["url"]):
            # A login is for one machine, and must not be sent to another.
            own_access = {**access, "url": own_access["url"]}
            own["onvif"] = values.get("onvif")
        trusts = any(key.startswith("tls_") for key in own)
        passed_on = {
            key: value
            for key, value in values.items()
            if key in PASSED_ON_KEYS and not (trusts and key.startswith("tls_"))
        }
        if "transport" not in own:
            together = {"transport": passed_on.get("transport")}
            for _, sentence in contradictions(own_access["url"].partition(":")[0], together):
                self._report.add((*path, "url"), f"transport, of its camera, {sentence} in [{key_in_words(path)}]")
        rest = {key: value for key, value in own.items() if key not in LOGIN_KEYS}
        return CameraSettings(name=f"{name}/{SUB}", **passed_on | rest | own_access, on_demand=True)

    def _access(self, path: KeyPath, table: Mapping[str, object], values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read where a stream is and the login for it; None where there is no URL."""
        url = self._url(path, table, values)
        for key, sentence in contradictions(url.scheme if url else None, values):
            self._report.add((*path, key), sentence)
        username = self._username(path, values, url)
        password = self._password(path, values, url)
        if password is not None and username is None and url and "username" not in table:
            key = "password" if "password" in values else "password_file"
            self._report.add((*path, key), "is given without a user name; write username as well")
        if password:
            register_login(username or "", password)
        return {"url": str(url), "username": username, "password": password} if url else None

    def _url(self, path: KeyPath, table: Mapping[str, object], values: Mapping[str, str]) -> RtspUrl | None:
        if "url" not in table:
            self._report.add(path, 'has no url; write url = "rtsp://HOST[:PORT]/PATH"')
        if "url" not in values:
            return None
        return self._report.attempt((*path, "url"), read_url, values["url"], self._environ)

    def _username(self, path: KeyPath, values: Mapping[str, str], url: RtspUrl | None) -> str | None:
        in_url = url.username if url else None
        if "username" not in values:
            return in_url
        if in_url is not None:
            self._report.add((*path, "username"), "is given, and the url has a user name too; write it in one place")
        return self._report.attempt((*path, "username"), expand_secret, values["username"], self._environ)

    def _password(self, path: KeyPath, values: Mapping[str, str], url: RtspUrl | None) -> str | None:
        in_url = url.password if url else None
        given = [key for key in ("password", "password_file") if key in values]
        if not given:
            return in_url
        if len(given) == 2:
            self._report.add((*path, "password_file"), "is given, and password too; write one of them")
        elif in_url is not None:
            self._report.add((*path, given[0]), "is given, and the url has a password too; write it in one place")
        value = values[given[0]]
        if given[0] == "password":
            return self._report.attempt((*path, "password"), expand_secret, value, self._environ)
        return self._report.attempt((*path, "password_file"), read_password_file, self._directory / value)

    def _check_alike(self, names: list[str]) -> None:
        """Names that look the same are mixed up by people, and by file systems."""
        seen: dict[str, str] = {}
        for name in names:
            first = seen.setdefault(likeness(name), name)
            if first != name:
                how = "in capital letters" if first.lower() == name.lower() else "in how its characters are encoded"
                self._report.add(
                    (CAMERAS, name), f"differs from {key_in_words((first,))} only {how}; choose another name"
                )


def is_of_one_host(sub_url: str, url: str) -> bool:
    """Whether a sub-stream is where its camera is, and so goes by its login unless it has one. Raises MalformedUrl."""
    return split_url_untrusted(sub_url).host == split_url_untrusted(url).host


def _tables(tables: object) -> dict[str, object]:
    example = f'[{CAMERAS}.front] with url = "rtsp://…" below it'
    named = section(tables, example)
    if not named:
        raise Wrong(f"there are none; write at least one: {example}")
    return named


def read_url(template: str, environ: Mapping[str, str]) -> RtspUrl:
    """Return the URL of a camera, `${NAME}` replaced. Raises Wrong, which never repeats the URL.

    A value that goes in before the `@` is taken literally: the password in it needs no percent-encoding.
    """
    scheme, separator, rest = template.partition("://")
    userinfo, at, place = rest.rpartition("@")
    head, in_head = expand(scheme + separator, environ)
    login, in_login = expand(userinfo, environ, quote=lambda value: quote(value, safe=":"))
    tail, in_tail = expand(at + place, environ)
    for secret in in_login:
        register_secret(secret)
    try:
        url = split_url_untrusted(head + login + tail)
    except MalformedUrl as error:
        raise Wrong(f"is no URL of a camera: {error.detail}; {URL_EXAMPLE}") from None
    for value in in_head + in_tail:
        if url.host not in value and value not in url.authority:  # an address is no secret, and logs need it
            register_secret(value)
    return url


def contradictions(scheme: str | None, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield each key whose value does not go with the URL's scheme or with another key, and what to do about it.

    scheme: `rtsp` or `rtsps`; None where the URL is wrong, too.
    """
    if scheme == "rtsp":
        for key in ("tls_fingerprint", "tls_insecure"):
            if values.get(key):
                yield (
                    key,
                    "is given, and the url begins with rtsp://, without TLS; write rtsps://, or leave it out",
                )
    if values.get("tls_fingerprint") and values.get("tls_insecure"):
        yield "tls_insecure", "is true, and tls_fingerprint is given, which trusts one certificate; write one of them"
    if scheme == "rtsps" and values.get("transport") is Transport.UDP:
        yield "transport", 'is "udp", which TLS does not protect, and the url begins with rtsps://; write "tcp"'


def read_password_file(path: Path) -> str:
    """Return the one line that is in a file. Raises Wrong."""
    try:
        with path.open("rb") as file:
            return read_password(file, str(path))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise Wrong(f"cannot read {path}: {reason}; name a file that holds the password and nothing else") from None


def read_password(stream: BinaryIO, name: str) -> str:
    """Return the one line that is in `stream`, which errors call `name`. Raises Wrong, OSError."""
    raw = stream.read(MAX_PASSWORD_FILE_BYTES + 1)
    try:
        password = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Wrong(f"{name} is not UTF-8 text; write the password into it and nothing else") from None
    if not password.strip():
        raise Wrong(f"{name} is empty; write the password into it")
    if len(raw) > MAX_PASSWORD_FILE_BYTES or not password.isprintable():
        raise Wrong(f"{name} holds more than one line; write the password into it and nothing else")
    return password
