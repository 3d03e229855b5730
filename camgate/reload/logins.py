"""A saved login goes to nobody new: who may change cameras must not have camgate hand a password to a host of theirs.

What is saved is never shown. So it must not be had either, by changing where it is sent to.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from camgate.config.errors import ConfigError, Problem, key_in_words
from camgate.config.schema import CAMERAS, SUB
from camgate.wire.onvif.address import MalformedAddress, split_address_untrusted
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import split_url_untrusted

SENTENCE = "is kept for the host, port and protection that it was given for, and these are others; write it once more"
TRUST = ("tls_fingerprint", "tls_insecure")
"""Keys that say whom a protected connection takes for the camera."""

Table = Mapping[str, Any]


def check_logins_stay(name: str, before: Table, changes: Table, after: Table) -> None:
    """Raise ConfigError where changes would send a saved password to somebody who does not have it yet.

    That is another host, another port of the same one, and, by a connection that is no longer protected or takes
    anybody for the camera, whoever is in between.
    """
    path = (CAMERAS, name)
    problems = [
        Problem("", SENTENCE, key=key_in_words((*at, "password")))
        for at, old, new, changed in (
            (path, before, after, changes),
            ((*path, SUB), _table(before, SUB), _table(after, SUB), _table(changes, SUB)),
        )
        if "password" in old and "password" in new and "password" not in changed
        if set(_places(new)) - set(_places(old))
    ]
    if problems:
        raise ConfigError(tuple(problems))


def _table(table: Table, key: str) -> Table:
    inner = table.get(key)
    return inner if isinstance(inner, dict) else {}


def _places(table: Table) -> Iterator[tuple[object, ...]]:
    """Yield where a login goes to, and how. What cannot be read is somebody else's to tell."""
    url, onvif = table.get("url"), table.get("onvif")
    try:
        if isinstance(url, str):
            camera = split_url_untrusted(url)
            trust = tuple(table.get(key) or None for key in TRUST) if camera.scheme == "rtsps" else ()
            yield camera.scheme, camera.host.lower(), camera.port, *trust
        if isinstance(onvif, str):
            service = split_address_untrusted(onvif)
            yield "onvif", service.host.lower(), service.port
    except (MalformedUrl, MalformedAddress):
        return
