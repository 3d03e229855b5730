"""Boards that have heard of some cameras."""

from camgate.tui.board import Board
from tests.fakes.engine import camera_facts


def board_of(*cameras: dict[str, object]) -> Board:
    """Return one that has heard of these at time 0."""
    board = Board("here")
    board.hear({"type": "cameras", "cameras": list(cameras)}, 0.0)
    return board


def many(count: int) -> Board:
    """Return one with camera-0 and so on, all live."""
    return board_of(*(camera_facts(f"camera-{number}") for number in range(count)))


def down(name: str, why: str = "no route to host") -> dict[str, object]:
    """A camera that is away."""
    return camera_facts(name) | {"state": "backoff", "last_error": why, "fps": None, "bitrate_bps": None}
