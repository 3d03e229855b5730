"""The settings as they may be shown: of what is secret only that it is there.

Secret is what the model keeps out of its fields' `repr`.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from camgate.base.secrets import MASK, mask


def shown(value: Any) -> Any:
    """Return settings, or a part of them, ready for JSON."""
    if is_dataclass(value):
        return {
            each.name: shown(inner) if each.repr else _hidden(inner)
            for each in fields(value)
            for inner in [getattr(value, each.name)]
        }
    match value:
        case Enum():
            return value.value
        case Path():
            return str(value)
        case Mapping():
            return {str(key): shown(inner) for key, inner in value.items()}
        case tuple():
            return [shown(inner) for inner in value]
        case str():
            return mask(value)
        case _:
            return value


def _hidden(value: Any) -> Any:
    """Say whether there is something; of a table by which names."""
    if isinstance(value, Mapping):
        return dict.fromkeys(map(str, value), MASK)
    return None if value is None else MASK
