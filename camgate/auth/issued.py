"""The tokens that were given away: what a list of them needs, and nothing by which one could be used.

One small JSON file, written by `camgate token`. Whether a token holds is not asked here: its signature says so, and
`auth.revoked`. Tokens are forgotten when their time is over.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from camgate.auth.identity import Grant
from camgate.base.errors import LocalError
from camgate.base.files import locked, write_private

ISSUED_FILE = "issued.json"
MAX_ISSUED = 10_000
"""Each of them could be revoked, of which as many are kept."""


class IssuedUnusable(LocalError):
    """The list cannot be read or written, or is full."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot keep the list of tokens in {self.file}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """One token. Times are Unix times. grants: action -> patterns; None for all that the user may."""

    token_id: str
    made_s: float
    ends_s: float
    user: str | None
    grants: Mapping[str, tuple[str, ...]] | None

    def facts(self) -> dict[str, object]:
        """Describe it, ready for JSON."""
        return {
            "id": self.token_id,
            "user": self.user,
            "grants": self.grants,
            "made_at": self.made_s,
            "until": self.ends_s,
        }


def grants_by_action(grants: tuple[Grant, ...] | None) -> dict[str, tuple[str, ...]] | None:
    """Return what a token grants, as it is kept."""
    return None if grants is None else {grant.action.value: grant.patterns for grant in grants}


class Issued:
    """The list of tokens whose time is not over."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """clock: tells Unix time in seconds."""
        self._file = file
        self._clock = clock

    def add(self, token: IssuedToken) -> None:
        """Put a token on the list. Raises IssuedUnusable."""
        with locked(self._file):
            tokens = [*self.all(), token]
            if len(tokens) > MAX_ISSUED:
                raise IssuedUnusable(self._file, f"there are {MAX_ISSUED:,} already whose time is not over")
            try:
                write_private(self._file, json.dumps([asdict(each) for each in tokens]).encode())
            except OSError as error:
                raise IssuedUnusable(self._file, error.strerror or str(error)) from error

    def all(self) -> list[IssuedToken]:
        """Return the tokens, the oldest first. Raises IssuedUnusable."""
        try:
            tokens = [_token(entry) for entry in json.loads(self._file.read_bytes())]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise IssuedUnusable(self._file, error.strerror or str(error)) from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise IssuedUnusable(self._file, "it is no such list; move it away, tokens hold without it") from None
        now_s = self._clock()
        return [token for token in tokens if token.ends_s > now_s]


def _token(entry: Mapping[str, Any]) -> IssuedToken:
    grants = entry["grants"]
    return IssuedToken(
        token_id=str(entry["token_id"]),
        made_s=float(entry["made_s"]),
        ends_s=float(entry["ends_s"]),
        user=entry["user"],
        grants=None if grants is None else {str(each): tuple(patterns) for each, patterns in grants.items()},
    )
