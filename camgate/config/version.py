"""`version`, the number of a config's form, and the way from older forms to this one.

A file that names no version has the first. A form changes when a key is renamed, moved or comes to mean something else;
new keys change nothing. There has been one form so far, so STEPS is empty. A step turns the tables of one version into
those of the next, in place and in memory: nobody's file is rewritten.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from camgate.config.checks import Wrong, kind_of

KEY = "version"
FIRST = 1
VERSION = 1
"""What this camgate writes, and the newest that it reads."""

Step: TypeAlias = Callable[[MutableMapping[str, Any]], None]
STEPS: Mapping[int, Step] = {}
"""By the version that a step begins at."""


def take_version(tables: MutableMapping[str, Any]) -> None:
    """Take `version` out of a config's tables, and bring these to the form of today. Raises Wrong."""
    given = tables.pop(KEY, FIRST)
    if not isinstance(given, int) or isinstance(given, bool) or given < FIRST:
        raise Wrong(f"is {kind_of(given)}; write the number of the config's form: {KEY} = {VERSION}")
    if given > VERSION:
        raise Wrong(f"is {given}, and this camgate reads configs up to version {VERSION}; use a newer camgate")
    for version in range(given, VERSION):
        STEPS[version](tables)
