"""A board as lines of text: exactly as many, and as wide, as the terminal has. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from camgate.tui import words
from camgate.tui.board import Board, Row
from camgate.tui.facts import LIVE, Camera, number, text
from camgate.tui.styles import BAD, QUIET, WARNING, style_of

BAR = "reverse"
HEAD = "bold"
SPARK = "cyan"
KEYS = " ↑↓ select  Enter details  / filter  s sort  r reverse  d only trouble  q quit"
SIDE_FROM, SIDE_WIDTH = 150, 60
"""From so many columns on the details stand beside the list; below it where there are fewer."""
LEAST_ROWS, MOST_DETAILS = 6, 24
"""Of the list above the details, and of the details."""
LEAST_NAME, MOST_NAME = 12, 32


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list. least: columns that the list must have for it to be shown."""

    title: str
    width: int
    value: Callable[[Row], str]
    least: int = 0
    is_right: bool = True
    style: str = ""


COLUMNS = (
    Column("state", 10, lambda row: row.camera.state, is_right=False),
    Column("age", 6, lambda row: words.span(row.frame_age_s), 60),
    Column("fps", 3, lambda row: words.plain(row.camera.fps), 50),
    Column("bit rate", 8, lambda row: words.bits(row.camera.bitrate_bps), 40),
    Column("", 8, lambda row: words.sparkline(row.rates, 8), 76, style=SPARK),
    Column("", 20, lambda row: words.sparkline(row.rates, 20), 130, style=SPARK),
    Column("codec", 5, lambda row: row.camera.codec, 100, is_right=False),
    Column("size", 9, lambda row: row.camera.size, 110),
    Column("reco", 4, lambda row: str(row.camera.reconnects or ""), 90),
    Column("view", 4, lambda row: str(row.camera.viewers or ""), 66),
)


def draw(board: Board, width: int, height: int, now_s: float) -> Group:
    """Return the whole screen."""
    room = max(height - 4, 1)
    beside = board.shows_details and width >= SIDE_FROM
    below = max(min(room - LEAST_ROWS, MOST_DETAILS), room // 2) if board.shows_details and not beside else 0
    list_width, list_height = (width - SIDE_WIDTH if beside else width), room - below
    rows = board.rows(list_height, now_s)
    table = list(_table(rows, list_width, list_height, is_lost=board.is_lost))
    if beside:
        pane = _pane(board, SIDE_WIDTH, list_height + 1, now_s, edge="│ ")
        table = [left.append_text(right) for left, right in zip(table, pane, strict=True)]
    elif below:
        table += _pane(board, width, below, now_s, edge="", title=True)
    lines = [_bar(board, rows, width), _process(board, width), *table, _foot(board, width)]
    return Group(*lines[:height])


def _line(content: str, width: int, style: str = "") -> Text:
    line = _empty()
    line.append(_fit(content, width), style)
    return line


def _empty() -> Text:
    """Without a style of its own, which what is put beside it would have as well."""
    return Text(no_wrap=True, overflow="crop", end="\n")


def _fit(content: str, width: int) -> str:
    if cell_len(content) > width > 0:
        return set_cell_size(content, width - 1) + "…"
    return set_cell_size(content, width)


def _fit_right(content: str, width: int) -> str:
    return " " * (width - cell_len(content)) + content if cell_len(content) <= width else _fit(content, width)


def _bar(board: Board, rows: Sequence[Row], width: int) -> Text:
    left = f" camgate {board.name} · {words.of_cameras(board.cameras)}"
    total = len(board.ordered())
    order = f"by {board.order}{' reversed' if board.is_reversed else ''}"
    place = f"{board.top + 1}-{board.top + len(rows)} of {total}" if rows else "none"
    right = f" {place} {order} "
    return _line(_fit(left, max(width - cell_len(right), 0)) + right, width, BAR)


def _process(board: Board, width: int) -> Text:
    if board.is_lost:
        return _line(f" not connected: {board.why_lost}; trying again", width, BAD)
    at_limit = board.process is not None and board.process.at_limit
    return _line(f" {words.of_process(board.process)}", width, WARNING if at_limit else "")


def _foot(board: Board, width: int) -> Text:
    if board.is_typing:
        return _line(f" filter: {board.filter}▏  Enter keeps it, Esc clears it", width, BAR)
    chosen = [f"/{board.filter}"] if board.filter else []
    chosen += ["only trouble"] if board.only_trouble else []
    shown = f" [{', '.join(chosen)}; Esc shows all]" if chosen else ""
    return _line(shown + KEYS, width, BAR)


def _table(rows: Sequence[Row], width: int, height: int, *, is_lost: bool) -> Iterator[Text]:
    columns = [column for column in COLUMNS if width >= column.least]
    if any(column.least == 130 for column in columns):
        columns = [column for column in columns if column.least != 76]
    taken = sum(column.width + 1 for column in columns) + 1
    longest = max((cell_len(row.camera.name) for row in rows), default=0)
    name_width = max(LEAST_NAME, min(longest, MOST_NAME, max((width - taken) // 2, 0)))
    why_width = max(width - taken - name_width - 1, 0)
    titles = "".join(
        f" {_fit_right(column.title, column.width) if column.is_right else _fit(column.title, column.width)}"
        for column in columns
    )
    yield _line(f" {_fit('camera', name_width)}{titles} why", width, HEAD)
    for row in rows:
        yield _row(row, columns, name_width, why_width, width, is_lost=is_lost)
    if not rows:
        yield _line("  no camera to show", width, QUIET)
    for _ in range(height - max(len(rows), 1)):
        yield _line("", width)


def _row(row: Row, columns: Sequence[Column], name_width: int, why_width: int, width: int, *, is_lost: bool) -> Text:
    base = BAR if row.is_selected else QUIET if is_lost else ""
    line = _empty()
    line.append(f"{'▶' if row.is_selected else ' '}{_fit(row.camera.name, name_width)}", base)
    for column in columns:
        value = column.value(row)
        fitted = _fit_right(value, column.width) if column.is_right else _fit(value, column.width)
        own = style_of(row.camera) if column.title == "state" else "" if row.is_selected else column.style
        line.append(f" {fitted}", base if is_lost else f"{base} {own}".strip())
    line.append(f" {_fit(row.camera.reason, why_width)}", base)
    line.truncate(width, overflow="crop", pad=True)
    return line


def _pane(board: Board, width: int, height: int, now_s: float, *, edge: str, title: bool = False) -> list[Text]:
    camera = board.selected
    inner = width - cell_len(edge)
    lines: list[tuple[str, str]] = []
    if camera is not None:
        name = camera.title if camera.title == camera.name else f"{camera.name}: {camera.title}"
        lines.append((f" {name}", HEAD + (f" {BAR}" if title else "")))
        told = [(label, value) for label, value in details_of(camera) if value]
        room = max((cell_len(label) for label, _ in told), default=0)
        for label, value in told:
            for number_, part in enumerate(_broken(value, inner - room - 3)):
                lines.append((f" {_fit(label if number_ == 0 else '', room)}  {part}", ""))
    lines += [("", "")] * (height - len(lines))
    shown = [_line(edge, cell_len(edge), QUIET) for _ in range(height)]
    for text_, (content, style) in zip(shown, lines, strict=False):
        text_.append(_fit(content, inner), style)
    return shown


def _broken(value: str, width: int) -> Iterator[str]:
    while cell_len(value) > width > 8:
        cut = value.rfind(" ", 0, width)
        cut = cut if cut > 0 else width
        yield value[:cut]
        value = value[cut:].lstrip()
    yield value


def details_of(camera: Camera) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of one camera, most important first; empty values are to be left out."""
    told = camera.facts
    yield "state", camera.state + _in_brackets(text(told.get("demand"))) + _since(camera)
    yield "why", camera.reason
    yield "needs attention", text(told.get("needs_attention"))
    profile = text(told.get("profile"))
    frames = ", B-frames" if told.get("has_b_frames") is True else ""
    yield "video", " ".join(part for part in (camera.codec, profile, camera.size) if part) + frames
    expected = words.plain(number(told.get("expected_fps")))
    yield "frames", f"{words.plain(camera.fps, 1)} fps" + (f" of {expected}" if expected else "") if camera.fps else ""
    yield "bit rate", words.bits(camera.bitrate_bps)
    yield "frame age", words.span(camera.frame_age_s)
    yield "reconnects", str(camera.reconnects)
    yield "viewers", f"{_count(told, 'viewers')} in browsers, {_count(told, 'rtsp_clients')} by RTSP"
    key_frame_age = words.span(number(told.get("key_frame_age_s")))
    gop = words.span(number(told.get("gop_s")))
    yield (
        "key frames",
        " · ".join(
            part
            for part in (f"each {gop}" if gop else "", f"last {key_frame_age} ago" if key_frame_age else "")
            if part
        ),
    )
    yield "transport", text(told.get("transport")).upper()
    loss = number(told.get("loss"))
    lost = _count(told, "packets_lost")
    yield "loss", (f"{loss:.2%} now" if loss is not None else "") + (f", {lost} packets in all" if lost else "")
    damaged, skipped = _count(told, "frames_damaged"), _count(told, "frames_skipped")
    yield "frames lost", f"{damaged} damaged, {skipped} skipped" if damaged or skipped else ""
    for sent in _each(told.get("sent")):
        yield (
            "  sent",
            " ".join(
                part for part in (str(_count(sent, "viewers")), text(sent.get("codec")), text(sent.get("way"))) if part
            ),
        )
    for made in _each(told.get("transcoders")):
        yield (
            "  made",
            f"{text(made.get('codec'))} by {text(made.get('encoder'))}, {words.bits(number(made.get('bitrate_bps')))}",
        )
    audio, sub = told.get("audio"), told.get("sub")
    if isinstance(audio, Mapping):
        yield "sound", f"{text(audio.get('codec'))} {words.bits(number(audio.get('bitrate_bps')))}"
    if isinstance(sub, Mapping):
        size = f"{sub['width']}x{sub['height']}" if sub.get("width") and sub.get("height") else ""
        parts = (text(sub.get("state")), text(sub.get("codec")), size, words.bits(number(sub.get("bitrate_bps"))))
        yield "sub-stream", " ".join(part for part in parts if part)
        yield "  why", text(sub.get("last_error"))


def _each(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _count(told: Mapping[str, Any], key: str) -> int:
    return int(number(told.get(key)) or 0)


def _in_brackets(value: str) -> str:
    return f" (on demand: {value})" if value else ""


def _since(camera: Camera) -> str:
    uptime_s = number(camera.facts.get("uptime_s"))
    return f" for {words.span(uptime_s)}" if uptime_s and camera.state == LIVE else ""
