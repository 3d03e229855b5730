"""What leaves this machine in a support archive: text without secrets and, where asked for, cameras' addresses.

Nothing is trusted to be harmless because it looks so. Of a config only what is written under known keys that hold no
secret is kept, comments are dropped; all text passes the mask of the logs, and patterns of what nobody registered.
"""

import hashlib
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from camgate.base.secrets import MASK, mask, register_secret
from camgate.config import schema
from camgate.config.model import CameraSettings, Settings
from camgate.config.webhooks import LEAST_HIDDEN_CHARS, web_path

_SECRET_KEY = re.compile(r"pass|hash|ha1|secret|token|credential|(?:^|_)keys?(?:$|_)")
_PATHS = {"tls_key"}
"""Keys that sound secret and name a file only."""
MIN_SECRET_CHARS = 4
"""Of what unknown keys hold: shorter, it would mask half of the log."""

_PATTERNS = (
    # RFC 7519: header and claims begin with `{"` in base64url; a signature may be missing.
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}"),
    # PHC strings: argon2, scrypt, bcrypt.
    re.compile(r"\$(?:argon2(?:id|i|d)|scrypt|2[aby]|5|6)\$\S+"),
    re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*PRIVATE KEY-----|\Z)", re.DOTALL),
)
_SHARE = re.compile(r"(/(?:s|share|shares)/)[A-Za-z0-9._~-]+")
_QUERY = re.compile(r"(?<=[?&;])([^=&;\s\"']+)=([^&;\s\"']+)")
_SECRET_PARAMETER = re.compile(r"pass|pwd|psw|secret|token|auth|key|sign|login")
_HARMLESS_VALUE = re.compile(r"\d{1,6}|main|sub|live|tcp|udp|true|false|onvif|unicast|multicast", re.IGNORECASE)


def scrub(text: str) -> str:
    """Return text without anything that is, or looks like, a secret."""
    text = mask(text)
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    text = _SHARE.sub(rf"\1{MASK}", text)
    return _QUERY.sub(lambda match: match[0] if _HARMLESS_VALUE.fullmatch(match[2]) else f"{match[1]}={MASK}", text)


def scrub_all(value: Any) -> Any:
    """Return a tree of JSON with every text scrubbed, names of keys included."""
    match value:
        case str():
            return scrub(value)
        case dict():
            return {scrub(str(key)): scrub_all(each) for key, each in value.items()}
        case list() | tuple():
            return [scrub_all(each) for each in value]
        case _:
            return value


def known_keys() -> frozenset[str]:
    """Return every key that a config may have, of whichever table."""
    tables = [value for value in vars(schema).values() if isinstance(value, Mapping)]
    names = {str(key) for table in tables for key in table}
    return frozenset(names | {key for section in schema.SECTIONS.values() for key in section.keys})


def redacted_config(text: str) -> str:
    """Return a config without its secrets, comments, and unknown keys' values; of one that is no TOML nothing."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        return "# left out: it is not TOML\n"
    return tomli_w.dumps(_redacted(tables, known_keys()))


def register_secrets_in(text: str) -> None:
    """Have masked whatever a config holds as a secret, also where it has mistakes and was never loaded."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    for value in _secrets_in(tables, known_keys()):
        register_secret(value)


def _secrets_in(table: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _secrets_in(value, known)
        elif (path := _secret_path(key, value)) is not None:
            yield path
        elif _is_secret(key, known):
            yield from (each for each in _texts(value) if len(each) >= MIN_SECRET_CHARS)
        else:
            queries = (match for each in _texts(value) for match in _QUERY.finditer(each))
            yield from (match[2] for match in queries if _SECRET_PARAMETER.search(match[1].lower()))


def _texts(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _is_secret(key: str, known: frozenset[str]) -> bool:
    return key not in known or (key not in _PATHS and _SECRET_KEY.search(key.lower()) is not None)


def _redacted(table: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {scrub(key): _redacted_value(key, value, known) for key, value in table.items()}


def _redacted_value(key: str, value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, dict):
        # Users, cameras and the like have tables of their own, whose names are anybody's.
        return _redacted(value, known)
    if _is_secret(key, known):
        return MASK
    if isinstance(value, list):
        return [_redacted_value(key, each, known) for each in value]
    if (path := _secret_path(key, value)) is not None:
        value = value.replace(path, f"/{MASK}")
    return scrub(value) if isinstance(value, str) else value


def _secret_path(key: str, value: Any) -> str | None:
    """Return what a URL of somebody's web server holds behind the host, where that may let one in there."""
    if key != "url" or not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return None
    try:
        path = web_path(value)
    except ValueError:
        return None
    return path if len(path) >= LEAST_HIDDEN_CHARS else None


class Hosts:
    """Puts names in the place of cameras' hosts, the same for the same host within one archive."""

    def __init__(self, hosts: Iterable[str]) -> None:
        salt = secrets.token_bytes(16)
        self._names = {
            host.lower(): f"host-{hashlib.sha256(salt + host.lower().encode()).hexdigest()[:8]}" for host in hosts
        }
        longest_first = sorted(self._names, key=len, reverse=True)
        # 192.0.2.1 is not in 192.0.2.10, nor `cam` in `cam.example.org`.
        words = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-]|\.\w)" if words else "(?!)", re.IGNORECASE)

    def hide(self, text: str) -> str:
        """Return text with names in the place of hosts."""
        return self._pattern.sub(lambda match: self._names[match[0].lower()], text)


def hosts_of(settings: Settings) -> set[str]:
    """Return the hosts of all cameras, as the config has them."""
    cameras = [each for camera in settings.cameras.values() for each in (camera, camera.sub) if each is not None]
    return {host for camera in cameras for host in _hosts(camera) if host}


def _hosts(camera: CameraSettings) -> Iterator[str | None]:
    for address in (camera.url, camera.onvif):
        if address:
            yield urlsplit(address if "://" in address else f"//{address}").hostname
