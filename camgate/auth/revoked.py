"""Ids of sessions, tokens and share links that were ended, or used, before their time; kept over restarts.

One small JSON file. Ids are forgotten when their time is over, since nothing is valid any more then.
"""

import json
from collections.abc import Callable
from pathlib import Path

from camgate.base.files import write_private
from camgate.base.log import get_logger

log = get_logger("auth")

REVOKED_FILE = "revoked.json"
MAX_IDS = 10_000
"""More than anybody ends by hand; the ones that end first are forgotten first, and said so."""


class Revoked:
    """The ids that hold no more."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """clock: tells Unix time in seconds."""
        self._file = file
        self._clock = clock
        self._until: dict[str, float] = {}
        self._stamp: tuple[int, int] | None = None
        self.refresh()

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._until

    def add(self, token_id: str, until_s: float) -> bool:
        """Take an id for ended until its time is over anyway; returns whether that could be written down."""
        self.refresh()
        now_s = self._clock()
        self._until = {each: ends_s for each, ends_s in self._until.items() if ends_s > now_s}
        self._until[token_id] = until_s
        if len(self._until) > MAX_IDS:
            log.warning("too many revoked ids; the one that ends first is forgotten", ids=len(self._until))
            del self._until[min(self._until, key=self._until.__getitem__)]
        return self._write()

    def refresh(self) -> bool:
        """Read the file if another process has changed it; returns whether it has."""
        try:
            facts = self._file.stat()
            stamp = (facts.st_mtime_ns, facts.st_ino)
            if stamp == self._stamp:
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
            facts = self._file.stat()
            self._stamp = (facts.st_mtime_ns, facts.st_ino)
        except OSError as error:
            log.error("cannot write the revoked ids", file=str(self._file), error=error.strerror or str(error))
            return False
        return True
