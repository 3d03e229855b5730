"""The latest lines of the log, for who administers camgate from elsewhere, and for `camgate status`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from quart import request
from quart_trio import QuartTrio

from camgate.auth.identity import Action
from camgate.base.log_setup import tail_of_log
from camgate.base.log_tail import KEPT_LINES, KeptLine
from camgate.base.names import composed
from camgate.relay.errors import ViewerError
from camgate.serve.http.permissions import needs
from camgate.serve.http.responses import Response, json_response

LEVELS = {name: logging.getLevelNamesMapping()[name.upper()] for name in ("debug", "info", "warning", "error")}
MOST_NUMBER = 2**53 - 1
"""Of a line: what JSON's readers take for a whole number (RFC 8259 section 6)."""


class BadLogQuery(ViewerError):
    """A parameter that says nothing of which lines are wanted."""

    title = "Bad parameter"

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(name, wanted)
        self.name = name
        self.wanted = wanted

    def __str__(self) -> str:
        return f"{self.name} is not {self.wanted}."


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are asked for. after: number of a line; level: as in `logging`; camera: None for all lines."""

    after: int = 0
    limit: int = KEPT_LINES
    level: int = 0
    camera: str | None = None

    def take(self, kept: list[KeptLine]) -> list[KeptLine]:
        """Return the latest of these that are asked for."""
        found = [each for each in kept if each.line.level >= self.level and self.camera in (None, each.line.camera)]
        return found[-self.limit :]


def add_log_route(app: QuartTrio) -> None:
    """Add `/api/v1/logs`."""

    @app.get("/api/v1/logs")
    @needs(Action.ADMIN, everywhere=True)
    async def show_log() -> Response:
        query = parse_query_untrusted(request.args)
        tail = tail_of_log()
        kept = tail.after(query.after) if tail else []
        latest = kept[-1].number if kept else query.after
        response = json_response({"lines": [describe(each) for each in query.take(kept)], "next": latest})
        response.headers["Cache-Control"] = "no-store"
        return response


def describe(kept: KeptLine) -> dict[str, object]:
    """Describe a line, ready for JSON."""
    line = kept.line
    return {
        "number": kept.number,
        "time": round(line.time_s, 3),
        "level": logging.getLevelName(line.level),
        "area": line.area,
        "camera": line.camera,
        "text": line.text,
        "traceback": list(line.traceback),
    }


def parse_query_untrusted(arguments: Mapping[str, str]) -> LogQuery:
    """Return what a request's parameters ask for. Raises BadLogQuery."""
    level = arguments.get("level", "debug")
    if level not in LEVELS:
        raise BadLogQuery("level", f"one of {', '.join(LEVELS)}")
    return LogQuery(
        after=_whole(arguments, "after", 0, MOST_NUMBER, 0),
        limit=_whole(arguments, "limit", 1, KEPT_LINES, KEPT_LINES),
        level=LEVELS[level] if "level" in arguments else 0,
        camera=composed(arguments["camera"]) if "camera" in arguments else None,
    )


def _whole(arguments: Mapping[str, str], name: str, least: int, most: int, default: int) -> int:
    text = arguments.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_NUMBER))
    if not is_number or not least <= int(text) <= most:
        raise BadLogQuery(name, f"a whole number from {least} to {most}")
    return int(text)
