"""Logging for all of camgate: one sentence and named fields a line, secrets masked, repeats folded.

Every module logs through `get_logger`; `log_setup` decides where the lines go. Underneath is the standard library's
logging, so that the lines of hypercorn, quart, aiortc and aioice take the same road and pass the same mask
(docs/design/logging.md).
"""

import logging
from typing import Any

from camgate.base.log_format import Entry


class Logger:
    """A sentence and named fields: `log.info("camera connected", camera="front", address="192.0.2.7:554")`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, sentence: str, **fields: Any) -> None:
        self._log(logging.DEBUG, sentence, fields)

    def info(self, sentence: str, **fields: Any) -> None:
        self._log(logging.INFO, sentence, fields)

    def warning(self, sentence: str, **fields: Any) -> None:
        self._log(logging.WARNING, sentence, fields)

    def error(self, sentence: str, **fields: Any) -> None:
        self._log(logging.ERROR, sentence, fields)

    def exception(self, sentence: str, **fields: Any) -> None:
        """Log an error with the traceback of the exception that is being handled: for bugs, not for peers' mistakes."""
        self._log(logging.ERROR, sentence, fields, with_traceback=True)

    def _log(self, level: int, sentence: str, fields: dict[str, Any], *, with_traceback: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, Entry(sentence, fields), exc_info=with_traceback)


def get_logger(area: str) -> Logger:
    """Return the logger of an area of the code, such as `ingest.session`."""
    return Logger(f"camgate.{area}")
