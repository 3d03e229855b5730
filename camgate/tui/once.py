"""A look at camgate that ends: a table for people, a document for scripts."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camgate.tui import words
from camgate.tui.facts import Camera
from camgate.tui.styles import style_of

Justify: TypeAlias = Literal["left", "right"]
COLUMNS: tuple[tuple[str, Justify], ...] = (
    ("camera", "left"),
    ("state", "left"),
    ("age", "right"),
    ("fps", "right"),
    ("bit rate", "right"),
    ("codec", "left"),
    ("size", "left"),
    ("reco", "right"),
    ("view", "right"),
    ("why", "left"),
)
FOLDED = ("camera", "why")
"""What gets several lines where a terminal is narrow."""


def table_of(cameras: Sequence[Camera]) -> Table:
    """Return a row for each camera."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title, justify in COLUMNS:
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title not in FOLDED)
    for camera in cameras:
        table.add_row(
            Text(camera.name),
            Text(camera.state, style_of(camera)),
            words.span(camera.frame_age_s),
            words.plain(camera.fps),
            words.bits(camera.bitrate_bps),
            Text(camera.codec),
            camera.size,
            str(camera.reconnects),
            str(camera.viewers),
            Text(camera.reason),
        )
    return table


def document_of(
    cameras: Sequence[Camera], told_cameras: Sequence[Any], told_process: object, told_viewers: object
) -> dict[str, Any]:
    """Return all that was told, with the verdict; for scripts. The keys are those of the HTTP API."""
    return {
        "down": [camera.name for camera in cameras if camera.is_down],
        "cameras": list(told_cameras),
        "server": told_process,
        "viewers": told_viewers,
    }
