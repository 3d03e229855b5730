"""Ids of sessions, tokens and share links that were ended, or used, before their time; kept over restarts.

One small JSON file, which the daemon and `camgate token revoke` write. Ids are forgotten when their time is over, since
nothing is valid any more then, and no sooner.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from camgate.auth.kept import Kept
from camgate.base.files import locked, stamp_of, write_private
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


class Revoked(Kept[float]):
    """The ids that hold no more, and until when each is kept (Unix time)."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """clock: tells Unix time in seconds."""
        super().__init__(file)
        self._clock = clock
        self._being_written: set[str] = set()
        self.refresh()

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._kept or token_id in self._being_written

    async def end(self, token_id: str, until_s: float, most: int = MAX_IDS) -> None:
        """Take an id for ended, at once; returns when that is written. Does nothing for one that has ended already.

        Raises TooManyRevoked; then it has not.
        """
        if token_id in self._kept:
            return
        self._being_written.add(token_id)
        try:
            await self.change(lambda revoked: token_id in revoked._kept or revoked.add(token_id, until_s, most))
        finally:
            self._being_written.discard(token_id)

    def add(self, token_id: str, until_s: float, most: int = MAX_IDS) -> bool:
        """Take an id for ended until its time is over anyway; returns whether that could be written down.

        most: how many there may be then. Raises TooManyRevoked.
        """
        with locked(self._file):
            self.refresh()
            now_s = self._clock()
            self._put({each: ends_s for each, ends_s in self._kept.items() if ends_s > now_s})
            if token_id not in self._kept and len(self._kept) >= most:
                log.error("too many revoked ids; no further one is kept", ids=len(self._kept))
                raise TooManyRevoked
            self._kept[token_id] = max(until_s, self._kept.get(token_id, until_s))
            return self._write()

    def refresh(self) -> bool:
        """Read the file if another process has changed it; returns whether it has."""
        try:
            stamp = stamp_of(self._file)
            if stamp is not None and stamp == self._stamp:
                return False
            loaded = json.loads(self._file.read_bytes())
            self._put(self._kept | {str(each): float(ends_s) for each, ends_s in loaded.items()})
        except FileNotFoundError:
            return False
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.error("cannot read the revoked ids", file=str(self._file), error=type(error).__name__)
            return False
        self._stamp = stamp
        return True

    def _write(self) -> bool:
        try:
            write_private(self._file, json.dumps(self._kept).encode())
            self._stamp = stamp_of(self._file)
        except OSError as error:
            log.error("cannot write the revoked ids", file=str(self._file), error=error.strerror or str(error))
            return False
        return True
