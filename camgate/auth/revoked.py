"""Ids of sessions, tokens and share links that were ended, or used, before their time; kept over restarts.

One small JSON file, which the daemon and `camgate token revoke` write. Ids are forgotten when their time is over, since
nothing is valid any more then, and no sooner.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from camgate.base.files import Stamp, locked, stamp_of, write_private
from camgate.base.log import get_logger
from camgate.relay.errors import ViewerError

log = get_logger("auth")

REVOKED_FILE = "revoked.json"
MAX_IDS = 10_000
"""More than anybody ends by hand; half a megabyte."""
MAX_SESSIONS = 9_000
"""Who signs in and out all day long leaves room for tokens that are taken back."""


class TooManyRevoked(ViewerError):
    """So many ids are kept that no further one can be, and none is forgotten before its time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many revoked"

    def __str__(self) -> str:
        return (
            f"This cannot be ended before its time: {MAX_IDS:,} ids of sessions and tokens are kept already. Wait "
            "until some of them are over, or delete auth.key in the state directory and restart, which ends all."
        )


class Revoked:
    """The ids that hold no more."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """clock: tells Unix time in seconds."""
        self._file = file
        self._clock = clock
        self._until: dict[str, float] = {}
        self._stamp: Stamp = None
        self.refresh()

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._until

    def add(self, token_id: str, until_s: float, most: int = MAX_IDS) -> bool:
        """Take an id for ended until its time is over anyway; returns whether that could be written down.

        most: how many there may be then. Raises TooManyRevoked.
        """
        with locked(self._file):
            self.refresh()
            now_s = self._clock()
            self._until = {each: ends_s for each, ends_s in self._until.items() if ends_s > now_s}
            if token_id not in self._until and len(self._until) >= most:
                log.error("too many revoked ids; no further one is kept", ids=len(self._until))
                raise TooManyRevoked
            self._until[token_id] = max(until_s, self._until.get(token_id, until_s))
            return self._write()

    def refresh(self) -> bool:
        """Read the file if another process has changed it; returns whether it has."""
        try:
            stamp = stamp_of(self._file)
            if stamp is not None and stamp == self._stamp:
                return False
            loaded = json.loads(self._file.read_bytes())
            self._until |= {str(each): float(ends_s) for each, ends_s in loaded.items()}
        except FileNotFoundError:
            return False
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.error("cannot read the revoked ids", file=str(self._file), error=type(error).__name__)
            return False
        self._stamp = stamp
        return True

    def _write(self) -> bool:
        try:
            write_private(self._file, json.dumps(self._until).encode())
            self._stamp = stamp_of(self._file)
        except OSError as error:
            log.error("cannot write the revoked ids", file=str(self._file), error=error.strerror or str(error))
            return False
        return True
