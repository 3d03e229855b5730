"""A board as lines: exactly as many and as wide as the terminal, whatever is in it."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from camgate.tui.board import Board
from camgate.tui.draw import draw
from camgate.tui.facts import read_log, read_process
from camgate.tui.keys import ENTER
from tests.fakes.boards import board_of, down, many
from tests.fakes.engine import camera_facts, server_facts, viewer_facts


def drawn(board: Board, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(draw(board, width, height, 0.0), end="")
    return capture.get().split("\n")[:-1]


@pytest.mark.parametrize("view", ["", "v"])
@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("size", [(80, 24), (200, 60), (149, 24), (150, 24), (40, 10), (20, 5), (1, 1), (300, 3)])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_the_screen_is_exactly_filled(size: tuple[int, int], count: int, details: bool, view: str) -> None:
    board = many(count)
    for key in view:
        board.press(key)
    board.take_viewers([viewer_facts(f"viewer-{number}") for number in range(count)], 0.0)
    board.take_process(read_process(server_facts()))
    if details:
        board.press(ENTER)
    lines = drawn(board, *size)
    assert [cell_len(line) for line in lines] == [size[0]] * size[1]


def test_wide_characters_are_counted_as_wide() -> None:
    board = board_of(camera_facts("門" * 30), down("gate", "路" * 200))
    for width in (80, 81, 200):
        assert {cell_len(line) for line in drawn(board, width, 24)} == {width}


def test_a_narrow_screen_leaves_out_what_matters_less() -> None:
    board = board_of(down("gate", "192.0.2.11:554 refuses the connection"), camera_facts("front") | {"viewers": 7})
    board.sample(0.0)
    lines = drawn(board, 80, 24)
    assert lines[0].startswith(" camgate here · 2 cameras: 1 live, 1 down")
    assert lines[2].split() == ["camera", "state", "age", "fps", "bit", "rate", "view", "why"]
    assert lines[3].startswith("▶gate         backoff")
    assert "192.0.2.11:554" in lines[3]
    assert lines[4].split() == ["front", "live", "10", "ms", "25", "2.0", "Mb", "█", "7"]
    wide = drawn(board, 200, 60)
    assert wide[2].split()[-6:] == ["rate", "codec", "size", "reco", "view", "why"]
    assert "192.0.2.11:554 refuses the connection" in wide[3]
    assert "H264   1280x720" in wide[4]
    assert drawn(board, 40, 24)[2].split() == ["camera", "state", "bit", "rate", "why"]


@pytest.mark.parametrize("size", [(80, 40), (200, 60)])
def test_details_tell_all_of_the_selected_camera(size: tuple[int, int]) -> None:
    sub = {"state": "backoff", "codec": None, "last_error": "no such path", "bitrate_bps": None}
    board = board_of(
        camera_facts("front") | {"title": "Front door", "sub": sub, "audio": {"codec": "AAC", "bitrate_bps": 64_000}}
    )
    board.press(ENTER)
    text = "\n".join(drawn(board, *size))
    for words in ("front: Front door", "live for 60 s", "H264 High 1280x720", "25.0 fps of 25", "each 2.0 s", "TCP"):
        assert words in text
    if size[0] == 200:
        assert "AAC 64 kb" in text
        assert "no such path" in text


def test_a_lost_camgate_is_said_where_its_figures_were() -> None:
    board = many(3)
    board.take_process(read_process(server_facts()))
    assert "memory 60 MB" in drawn(board, 80, 24)[1]
    board.lose("camgate at here does not answer: connection refused")
    assert drawn(board, 80, 24)[1].startswith(
        " not connected: camgate at here does not answer: connection refused; try"
    )


def test_the_foot_says_what_is_left_out() -> None:
    board = many(3)
    for key in "/xy":
        board.press(key)
    assert drawn(board, 80, 24)[-1].startswith(" filter: xy▏")
    board.press(ENTER)
    board.press("d")
    lines = drawn(board, 80, 24)
    assert lines[-1].startswith(" [/xy, only trouble; Esc shows all]")
    assert lines[3].strip() == "no camera to show"


def test_the_style_of_a_row_ends_with_the_list() -> None:
    board = many(3)
    board.press(ENTER)
    console = Console(file=io.StringIO(), width=200, height=60)
    row = next(line for line in draw(board, 200, 60, 0.0).renderables if isinstance(line, Text) and "▶" in line.plain)
    edge = row.plain.index("│")
    assert row.get_style_at_offset(console, edge - 1).reverse
    assert not row.get_style_at_offset(console, edge).reverse
    assert row.get_style_at_offset(console, edge + 5).color is None


def test_who_watches_is_listed_as_wide_as_there_is_room() -> None:
    board = many(1)
    board.press("v")
    assert drawn(board, 80, 24)[3].strip() == "nobody watches"
    board.take_viewers([viewer_facts("4f1c22ab") | {"loss": 0.07}], 0.0)
    board.take_viewers([viewer_facts("4f1c22ab") | {"loss": 0.07, "bytes_sent": 370_000}], 2.0)
    lines = drawn(board, 80, 24)
    assert "viewers 1-1 of 1 by loss" in lines[0]
    assert lines[2].split() == ["camera", "address", "by", "bit", "rate", "trip", "loss", "user"]
    assert lines[3].split() == [
        "▶front",
        "192.0.2.7:50000",
        "webrtc",
        "udp",
        "1.0",
        "Mb",
        "25",
        "ms",
        "7.0",
        "%",
        "anna",
    ]
    assert drawn(board, 200, 24)[2].split()[-3:] == ["loss", "since", "user"]
    board.press(ENTER)
    text = "\n".join(drawn(board, 200, 40))
    for words in ("4f1c22ab watches front", "H264 as-is, with sound", "2 ms"):
        assert words in text
    board.take_viewers(None, 4.0)
    assert "is told to those who may control cameras" in drawn(board, 80, 24)[3]


@pytest.mark.parametrize("size", [(80, 50), (200, 40)])
def test_the_latest_lines_of_the_log_stand_below_the_details(size: tuple[int, int]) -> None:
    board = board_of(camera_facts("front"))
    drawn(board, *size)
    board.press(ENTER)
    lines = [
        {
            "time": 1764313200.0 + number,
            "level": "WARNING",
            "text": f"camera lost camera=front reason=no{number}\x1b[2J",
        }
        for number in range(99)
    ]
    board.take_log("front", read_log({"lines": [*lines, 5], "next": 99}, "front"))
    text = drawn(board, *size)
    assert {cell_len(line) for line in text} == {size[0]}
    shown = [line for line in text if "camera lost reason=no" in line]
    assert "reason=no98?[2J" in shown[-1]
    assert len(shown) > 3
    assert not any("\x1b" in line for line in text)
