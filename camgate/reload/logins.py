"""A saved login goes to nobody new: who may change cameras must not have camgate hand a password to a host of theirs.

What is saved is never shown. So it must not be had either, by changing where it is sent to.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from camgate.config.cameras import is_of_one_host
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
    anybody for the camera, whoever is in between. A sub-stream without a login of its own is sent its camera's.
    """
    path = (CAMERAS, name)
    sub_before, sub_after = _sub(before), _sub(after)
    problems = [
        Problem("", SENTENCE, key=key_in_words((*at, "password")))
        for at, old, new, changed in (
            (path, (before, *_heirs(before)), (after, *_heirs(after)), changes),
            ((*path, SUB), (sub_before,), (sub_after,), _table(changes, SUB)),
        )
        if "password" in old[0] and "password" in new[0] and "password" not in changed
        if _all_places(new) - _all_places(old)
    ]
    if problems:
        raise ConfigError(tuple(problems))


def _table(table: Table, key: str) -> Table:
    inner = table.get(key)
    return inner if isinstance(inner, dict) else {}


def _sub(camera: Table) -> Table:
    """Return the sub-stream's table, trusting whom it trusts also where the camera says so."""
    sub = _table(camera, SUB)
    if any(key in sub for key in TRUST):
        return sub
    return {**{key: camera[key] for key in TRUST if key in camera}, **sub}


def _heirs(camera: Table) -> tuple[Table, ...]:
    """Return the sub-stream if it goes by the camera's login, else nothing."""
    sub = _sub(camera)
    try:
        is_heir = not sub.get("username") and is_of_one_host(str(sub.get("url", "")), str(camera.get("url", "")))
    except MalformedUrl:
        return ()
    return (sub,) if is_heir else ()


def _all_places(tables: Iterable[Table]) -> set[tuple[object, ...]]:
    return {place for table in tables for place in _places(table)}


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
