"""A board as lines of text: exactly as many, and as wide, as the terminal has. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

from camgate.tui import words
from camgate.tui.board import Board
from camgate.tui.details import details_of, heading_of
from camgate.tui.facts import Camera, LoggedLine
from camgate.tui.styles import BAD, QUIET, WARNING, style_of_level
from camgate.tui.tables import CAMERAS, NOT_TOLD, VIEWERS, AnyRow, Table

BAR = "reverse"
HEAD = "bold"
KEYS = " ↑↓ select  Enter details  v viewers  / filter  s sort  r reverse  d only trouble  q quit"
VIEWER_KEYS = " ↑↓ select  Enter details  v cameras  / filter  s sort  r reverse  d only trouble  q quit"
SIDE_FROM, SIDE_WIDTH = 150, 60
"""From so many columns on the details stand beside the list; below it where there are fewer."""
LEAST_ROWS, MOST_DETAILS = 6, 24
"""Of the list above the details, and of the details."""
LEAST_NAME, MOST_NAME = 12, 32


def draw(board: Board, width: int, height: int, now_s: float) -> Group:
    """Return the whole screen."""
    room = max(height - 4, 1)
    beside = board.shows_details and width >= SIDE_FROM
    below = max(min(room - LEAST_ROWS, MOST_DETAILS), room // 2) if board.shows_details and not beside else 0
    list_width, list_height = (width - SIDE_WIDTH if beside else width), room - below
    if board.shows_viewers:
        table = _table(VIEWERS, board.viewer_rows(list_height), board, list_width, list_height)
    else:
        table = _table(CAMERAS, board.rows(list_height, now_s), board, list_width, list_height)
    lines = list(table)
    if beside:
        pane = _pane(board, SIDE_WIDTH, list_height + 1, edge="│ ")
        lines = [left.append_text(right) for left, right in zip(lines, pane, strict=True)]
    elif below:
        lines += _pane(board, width, below, edge="", title=True)
    return Group(*[_bar(board, width), _process(board, width), *lines, _foot(board, width)][:height])


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


def _bar(board: Board, width: int) -> Text:
    listing = board.listing
    left = f" camgate {board.name} · {words.of_cameras(board.cameras.items.values())}"
    order = f"by {listing.order.name}{' reversed' if listing.is_reversed else ''}"
    shown = f"{listing.top + 1}-{listing.top + len(listing.shown)}" if listing.shown else "none"
    right = f" {'viewers ' if board.shows_viewers else ''}{shown} of {len(listing.ordered())} {order} "
    return _line(_fit(left, max(width - cell_len(right), 0)) + right, width, BAR)


def _process(board: Board, width: int) -> Text:
    if board.is_lost:
        return _line(f" not connected: {board.why_lost}; trying again", width, BAD)
    at_limit = board.process is not None and board.process.at_limit
    return _line(f" {words.of_process(board.process)}", width, WARNING if at_limit else "")


def _foot(board: Board, width: int) -> Text:
    listing = board.listing
    if listing.is_typing:
        return _line(f" filter: {listing.filter}▏  Enter keeps it, Esc clears it", width, BAR)
    chosen = [f"/{listing.filter}"] if listing.filter else []
    chosen += ["only trouble"] if listing.only_trouble else []
    shown = f" [{', '.join(chosen)}; Esc shows all]" if chosen else ""
    return _line(shown + (VIEWER_KEYS if board.shows_viewers else KEYS), width, BAR)


def _table(table: Table[AnyRow], rows: Sequence[AnyRow], board: Board, width: int, height: int) -> Iterator[Text]:
    columns = [column for column in table.columns if column.least <= width <= column.most]
    taken = sum(column.width + 1 for column in columns) + 1
    longest = max((cell_len(table.name(row)) for row in rows), default=0)
    name_width = max(LEAST_NAME, min(longest, MOST_NAME, max((width - taken) // 2, 0)))
    rest_width = max(width - taken - name_width - 1, 0)
    titles = "".join(
        f" {_fit_right(column.title, column.width) if column.is_right else _fit(column.title, column.width)}"
        for column in columns
    )
    yield _line(f" {_fit('camera', name_width)}{titles} {table.rest_title}", width, HEAD)
    for row in rows:
        base = BAR if row.is_selected else QUIET if board.is_lost else ""
        line = _empty()
        line.append(f"{'▶' if row.is_selected else ' '}{_fit(table.name(row), name_width)}", base)
        for column in columns:
            value = column.value(row)
            fitted = _fit_right(value, column.width) if column.is_right else _fit(value, column.width)
            line.append(f" {fitted}", base if board.is_lost else f"{base} {column.style(row)}".strip())
        line.append(f" {_fit(table.rest(row), rest_width)}", base)
        line.truncate(width, overflow="crop", pad=True)
        yield line
    if not rows:
        yield _line(
            f"  {table.nothing if board.are_viewers_told or not board.shows_viewers else NOT_TOLD}", width, QUIET
        )
    for _ in range(height - max(len(rows), 1)):
        yield _line("", width)


def _pane(board: Board, width: int, height: int, *, edge: str, title: bool = False) -> list[Text]:
    inner = width - cell_len(edge)
    lines: list[tuple[str, str]] = []
    subject = board.listing.selected
    if subject is not None:
        told = details_of(subject)
        lines.append((f" {heading_of(subject)}", HEAD + (f" {BAR}" if title else "")))
        room = max((cell_len(label) for label, _ in told), default=0)
        for label, value in told:
            for number_, part in enumerate(_broken(value, inner - room - 3)):
                lines.append((f" {_fit(label if number_ == 0 else '', room)}  {part}", ""))
        if isinstance(subject, Camera):
            lines += _log(board.log, inner, height - len(lines))
    lines += [("", "")] * (height - len(lines))
    shown = [_line(edge, cell_len(edge), QUIET) for _ in range(height)]
    for text_, (content, style) in zip(shown, lines, strict=False):
        text_.append(_fit(content, inner), style)
    return shown


def _log(log: Sequence[LoggedLine] | None, width: int, room: int) -> Iterator[tuple[str, str]]:
    """Yield the latest lines, as many as there is room for below a line without any."""
    shown = log[-(room - 1) :] if log and room > 1 else ()
    if shown:
        yield "", ""
    for line in shown:
        at = datetime.fromtimestamp(line.time_s).strftime("%H:%M:%S")
        yield _fit(f" {at} {line.text}", width), style_of_level(line.level)


def _broken(value: str, width: int) -> Iterator[str]:
    while cell_len(value) > width > 8:
        cut = value.rfind(" ", 0, width)
        cut = cut if cut > 0 else width
        yield value[:cut]
        value = value[cut:].lstrip()
    yield value
