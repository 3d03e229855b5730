"""`${NAME}` in a value: replaced from the environment, so that a secret need not stand in a file."""

import re
from collections.abc import Callable, Mapping

from camgate.base.secrets import register_secret
from camgate.config.checks import Wrong

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(value: str, environ: Mapping[str, str], *, quote: Callable[[str], str] = str) -> tuple[str, list[str]]:
    """Replace each `${NAME}` in `value`; `$${` stands for `${` itself. Raises Wrong.

    quote: applied to what is put in. Returns the text, and what of the environment went into it, unquoted.
    """
    used: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "${"
        if not match["end"] or not _NAME.fullmatch(match["name"]):
            raise Wrong("has ${ without the name of an environment variable and }; write ${NAME}, or $${ for ${ itself")
        used.append(_value_of(match["name"], environ))
        return quote(used[-1])

    return _REFERENCE.sub(replacement, value), used


def expand_secret(value: str, environ: Mapping[str, str]) -> str:
    """As `expand`, for what is secret: what of the environment goes into it is registered as such."""
    text, used = expand(value, environ)
    for secret in used:
        register_secret(secret)
    return text


def _value_of(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value:
        return value
    state = "is not set" if value is None else "is empty"
    raise Wrong(f"environment variable {name} {state}; set it, or write $${{ where ${{ itself is meant")
