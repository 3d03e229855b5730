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

SENTENCE = "is kept for the host that it was given for, and this names another one; write it once more"

Table = Mapping[str, Any]


def check_logins_stay(name: str, before: Table, changes: Table, after: Table) -> None:
    """Raise ConfigError where changes would send a saved password to a host that it does not know."""
    path = (CAMERAS, name)
    problems = [
        Problem("", SENTENCE, key=key_in_words((*at, "password")))
        for at, old, new, changed in (
            (path, before, after, changes),
            ((*path, SUB), _table(before, SUB), _table(after, SUB), _table(changes, SUB)),
        )
        if "password" in old and "password" in new and "password" not in changed
        if set(_hosts(new)) - set(_hosts(old))
    ]
    if problems:
        raise ConfigError(tuple(problems))


def _table(table: Table, key: str) -> Table:
    inner = table.get(key)
    return inner if isinstance(inner, dict) else {}


def _hosts(table: Table) -> Iterator[str]:
    """Yield the hosts that a login is for. What cannot be read is somebody else's to tell."""
    url, onvif = table.get("url"), table.get("onvif")
    try:
        if isinstance(url, str):
            yield split_url_untrusted(url).host.lower()
        if isinstance(onvif, str):
            yield split_address_untrusted(onvif).host.lower()
    except (MalformedUrl, MalformedAddress):
        return
