"""The lists of the screen: their columns, and from which width on each is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from camgate.tui import words
from camgate.tui.board import Row, ViewerRow
from camgate.tui.facts import MUCH_LOSS, Viewer
from camgate.tui.styles import WARNING, style_of

AnyRow = TypeVar("AnyRow", Row, ViewerRow)


def _style_of_sparks(row: Row) -> str:
    return "" if row.is_selected else "cyan"


def _style_of_loss(viewer: Viewer) -> str:
    return WARNING if (viewer.loss or 0) >= MUCH_LOSS else ""


@dataclass(frozen=True, slots=True)
class Column(Generic[AnyRow]):
    """A column of a list. least, most: columns that the list must have, and must not have more, for it to be shown."""

    title: str
    width: int
    value: Callable[[AnyRow], str]
    least: int = 0
    most: int = 1000
    is_right: bool = True
    style: Callable[[AnyRow], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Table(Generic[AnyRow]):
    """A list: a name, columns, and what takes the rest of the width. nothing: said where there are no rows."""

    columns: Sequence[Column[AnyRow]]
    name: Callable[[AnyRow], str]
    rest_title: str
    rest: Callable[[AnyRow], str]
    nothing: str


CAMERAS: Table[Row] = Table(
    (
        Column("state", 10, lambda row: row.camera.state, is_right=False, style=lambda row: style_of(row.camera)),
        Column("age", 6, lambda row: words.span(row.frame_age_s), 60),
        Column("fps", 3, lambda row: words.plain(row.camera.fps), 50),
        Column("bit rate", 8, lambda row: words.bits(row.camera.bitrate_bps), 40),
        Column("", 8, lambda row: words.sparkline(row.rates, 8), 76, 129, style=_style_of_sparks),
        Column("", 20, lambda row: words.sparkline(row.rates, 20), 130, style=_style_of_sparks),
        Column("codec", 5, lambda row: row.camera.codec, 100, is_right=False),
        Column("size", 9, lambda row: row.camera.size, 110),
        Column("reco", 4, lambda row: str(row.camera.reconnects or ""), 90),
        Column("view", 4, lambda row: str(row.camera.viewers or ""), 66),
    ),
    lambda row: row.camera.name,
    "why",
    lambda row: row.camera.reason,
    "no camera to show",
)
VIEWERS: Table[ViewerRow] = Table(
    (
        Column("address", 21, lambda row: row.viewer.address, is_right=False),
        Column("by", 10, lambda row: row.viewer.way, 76, is_right=False),
        Column("codec", 5, lambda row: row.viewer.codec, 90, is_right=False),
        Column("bit rate", 8, lambda row: words.bits(row.viewer.bitrate_bps), 50),
        Column("trip", 6, lambda row: words.span(row.viewer.round_trip_s), 60),
        Column("loss", 6, lambda row: words.share(row.viewer.loss), 60, style=lambda row: _style_of_loss(row.viewer)),
        Column("since", 6, lambda row: words.span(row.viewer.since_s), 100),
    ),
    lambda row: row.viewer.camera,
    "user",
    lambda row: row.viewer.user,
    "nobody watches",
)
NOT_TOLD = "who watches is told to those who may control cameras"
