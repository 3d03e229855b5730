"""The screen without a screen: messages and keys in, rows out."""

import pytest

from camgate.tui.board import FRESH_S, ORDERS, SAMPLE_S, Board
from camgate.tui.facts import LoggedLine
from camgate.tui.keys import BACKSPACE, CLEAR, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, PAGE_UP, TAB, UP
from tests.fakes.boards import board_of, down, many
from tests.fakes.engine import camera_facts, viewer_facts


def names(board: Board, height: int = 10) -> list[str]:
    return [row.camera.name for row in board.rows(height, 0.0)]


def selected(board: Board, height: int = 10) -> str:
    (name,) = [row.camera.name for row in board.rows(height, 0.0) if row.is_selected]
    return name


def press(board: Board, *pressed: str) -> None:
    for key in pressed:
        board.press(key)


def test_trouble_is_on_top_and_names_count_as_people_do() -> None:
    unwell = camera_facts("camera-3") | {"healthy": False, "health_reason": "slow"}
    idle = camera_facts("camera-1") | {"state": "idle", "demand": "idle"}
    board = board_of(camera_facts("camera-10"), camera_facts("camera-2"), unwell, down("camera-11"), idle)
    assert names(board) == ["camera-11", "camera-3", "camera-1", "camera-2", "camera-10"]


def test_s_goes_through_all_orders_and_r_turns_them_round() -> None:
    board = board_of(
        camera_facts("a") | {"viewers": 1, "fps": 10.0, "bitrate_bps": 1, "reconnects": 3},
        camera_facts("b") | {"viewers": 2, "fps": 30.0, "bitrate_bps": 3, "reconnects": 2},
        camera_facts("c") | {"viewers": 3, "fps": 20.0, "bitrate_bps": 2, "reconnects": 1, "state": "backoff"},
    )
    found = {}
    for order in ORDERS:
        assert board.cameras.order is order
        found[order.name] = "".join(names(board))
        press(board, "r")
        assert "".join(names(board)) == {"trouble": "abc", "state": "abc"}.get(order.name, found[order.name][::-1])
        press(board, "r", "s")
    assert found == {
        "trouble": "cab",
        "name": "abc",
        "state": "cab",
        "bit rate": "bca",
        "fps": "bca",
        "viewers": "cba",
        "reconnects": "abc",
    }
    assert board.cameras.order is ORDERS[0]
    press(board, "S")
    assert board.cameras.order is ORDERS[-1]


def test_only_rows_that_fit_come_out_and_the_selected_one_is_among_them() -> None:
    board = many(500)
    assert names(board, 4) == ["camera-0", "camera-1", "camera-2", "camera-3"]
    press(board, *[DOWN] * 4)
    assert (names(board, 4)[0], selected(board, 4)) == ("camera-1", "camera-4")
    press(board, PAGE_DOWN)
    assert selected(board, 4) == "camera-7"
    press(board, END)
    assert names(board, 4) == ["camera-496", "camera-497", "camera-498", "camera-499"]
    press(board, DOWN)
    assert selected(board, 4) == "camera-499"
    press(board, PAGE_UP, UP)
    assert selected(board, 4) == "camera-495"
    press(board, HOME)
    assert (board.cameras.top, selected(board, 4)) == (495, "camera-0")
    assert board.cameras.top == 0
    assert board.cameras.shown == ("camera-0", "camera-1", "camera-2", "camera-3")


def test_a_higher_terminal_is_filled() -> None:
    board = many(10)
    press(board, END)
    assert names(board, 4)[0] == "camera-6"
    assert names(board, 8)[0] == "camera-2"
    assert len(names(board, 20)) == 10


def test_the_selection_stays_with_its_camera() -> None:
    board = many(5)
    names(board)
    press(board, DOWN, DOWN)
    assert selected(board) == "camera-2"
    board.hear({"type": "camera", "camera": down("camera-4")}, 0.0)
    assert names(board)[0] == "camera-4"
    assert selected(board) == "camera-2"
    board.hear({"type": "camera-removed", "name": "camera-2"}, 0.0)
    assert selected(board) == "camera-3"


def test_a_filter_is_typed_kept_and_cleared() -> None:
    board = board_of(down("gate", "no route to host"), camera_facts("front"), camera_facts("yard"))
    press(board, "/", "q", "x", BACKSPACE, BACKSPACE, "r", "o", "u", "t")
    assert not board.has_ended
    assert names(board) == ["gate"]
    press(board, CLEAR, "f", "r", "o", "n", ENTER, "s")
    assert (names(board), board.cameras.filter, board.cameras.is_typing) == (["front"], "fron", False)
    press(board, ESCAPE)
    assert len(names(board)) == 3
    press(board, "/", "n", "i", "x", "z")
    assert board.rows(10, 0.0) == []
    press(board, DOWN, ESCAPE, "d")
    assert names(board) == ["gate"]
    press(board, ESCAPE)
    assert len(names(board)) == 3


def test_details_are_of_the_selected_camera() -> None:
    board = many(3)
    press(board, DOWN, ENTER)
    assert board.shows_details
    assert board.cameras.selected is not None
    assert board.cameras.selected.name == "camera-1"
    press(board, ESCAPE)
    assert not board.shows_details
    press(board, "q")
    assert board.has_ended


def test_a_board_without_cameras_takes_all_keys() -> None:
    board = board_of()
    press(board, UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END, ENTER, "s", "S", "r", "d", "x", ESCAPE)
    assert board.rows(10, 0.0) == []
    assert board.cameras.selected is None


def test_the_age_of_a_live_camera_is_not_shown_when_it_is_old_news() -> None:
    board = board_of(camera_facts("front") | {"frame_age_s": 0.02}, down("gate") | {"frame_age_s": 5.0})
    gate, front = board.rows(10, FRESH_S)
    assert (front.frame_age_s, gate.frame_age_s) == (0.02, 5.0 + FRESH_S)
    gate, front = board.rows(10, FRESH_S + 1)
    assert (front.frame_age_s, gate.frame_age_s) == (None, 6.0 + FRESH_S)
    board.hear_figures({"type": "camera", "camera": camera_facts("front")}, 10.0)
    assert board.rows(10, 10.5)[1].frame_age_s == 0.01


def test_figures_bring_no_camera_back_that_is_removed() -> None:
    board = many(2)
    board.hear({"type": "camera-removed", "name": "camera-1"}, 0.0)
    board.hear_figures({"type": "cameras", "cameras": [camera_facts("camera-1"), camera_facts("camera-0")]}, 1.0)
    assert names(board) == ["camera-0"]


def test_bit_rates_are_sampled_at_even_times() -> None:
    board = many(1)
    board.sample(0.0)
    board.sample(SAMPLE_S / 2)
    board.hear({"type": "camera", "camera": camera_facts("camera-0") | {"bitrate_bps": 5}}, 1.0)
    board.sample(SAMPLE_S)
    board.hear({"type": "camera", "camera": down("camera-0")}, 1.0)
    board.sample(2 * SAMPLE_S)
    assert board.rows(1, 0.0)[0].rates == (2_000_000, 5, 0)
    board.lose("gone")
    board.sample(3 * SAMPLE_S)
    assert len(board.rows(1, 0.0)[0].rates) == 3


def test_what_is_lost_stays_on_the_screen_and_comes_back() -> None:
    board = many(2)
    assert not board.is_lost
    board.hear({"type": "bye", "reason": "camgate is stopping."}, 1.0)
    assert (board.why_lost, len(names(board))) == ("camgate is stopping.", 2)
    board.hear({"type": "cameras", "cameras": [camera_facts("new")]}, 2.0)
    assert (board.is_lost, names(board)) == (False, ["new"])


@pytest.mark.parametrize(
    "message",
    [{}, {"type": "ice-servers"}, {"type": "camera"}, {"type": "cameras"}, {"type": "cameras", "cameras": [1, {}]}],
)
def test_messages_of_another_version_do_no_harm(message: dict[str, object]) -> None:
    board = many(1)
    board.hear(message, 0.0)
    board.hear_figures(message, 0.0)
    assert len(names(board)) in (0, 1)


def test_v_shows_who_watches_with_bit_rates_from_two_looks() -> None:
    board = many(2)
    far, near = viewer_facts("b", "yard") | {"loss": 0.2, "user": "ben"}, viewer_facts("a", "front")
    press(board, "v")
    board.take_viewers([near, far], 10.0)
    assert [(row.viewer.id, row.viewer.bitrate_bps) for row in board.viewer_rows(9)] == [("b", None), ("a", None)]
    board.take_viewers([near | {"bytes_sent": 370_000}, far, {"id": 5}, "no viewer"], 12.0)
    assert [(row.viewer.id, row.viewer.bitrate_bps) for row in board.viewer_rows(9)] == [("b", 0), ("a", 1_000_000)]
    press(board, "s")
    assert [row.viewer.camera for row in board.viewer_rows(9)] == ["front", "yard"]
    press(board, "d")
    assert [row.viewer.id for row in board.viewer_rows(9)] == ["b"]
    press(board, ESCAPE, "/", "b", "e", "n", ENTER, ENTER)
    assert [row.viewer.id for row in board.viewer_rows(9)] == ["b"]
    assert board.shows_details
    assert not board.log_of
    press(board, TAB)
    assert (board.shows_viewers, board.shows_details, board.cameras.filter) == (False, False, "")
    board.take_viewers(None, 14.0)
    assert not board.are_viewers_told
    assert board.viewer_rows(9) == []


def test_the_log_is_of_the_camera_that_is_looked_at() -> None:
    board = many(2)
    names(board)
    line = LoggedLine(0.0, "INFO", "camera live")
    board.take_log("camera-0", [line])
    assert board.log == (), "nobody looks at it"
    press(board, ENTER)
    board.take_log("camera-0", [line] * 300)
    board.take_log("camera-1", [])
    assert len(board.log or ()) == 100
    press(board, "s", "S")
    assert board.log
    press(board, DOWN)
    assert (board.log_of, board.log) == ("camera-1", ())
    board.take_log("camera-1", None)
    assert board.log is None
