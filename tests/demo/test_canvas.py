"""Drawing on planes: what is painted shows, what moves leaves nothing behind."""

import pytest

from camgate.demo.canvas import BLACK, WHITE, Canvas, Colour, Disc, Label, Plane
from camgate.demo.font import glyph

GREY = Colour(100, 110, 120)


def plane(width: int, height: int, stride_bytes: int) -> Plane:
    return Plane(memoryview(bytearray(stride_bytes * height)), width=width, height=height, stride_bytes=stride_bytes)


@pytest.fixture
def canvas() -> Canvas:
    """A grey canvas whose rows are longer than they are wide."""
    canvas = Canvas(plane(64, 48, 80), plane(32, 24, 48), plane(32, 24, 48))
    canvas.fill(0, 0, 64, 48, GREY)
    return canvas


def snapshot(canvas: Canvas) -> list[bytes]:
    return [bytes(plane.memory) for plane, _ in canvas.planes]


def test_fill_covers_all_planes_and_no_padding(canvas: Canvas) -> None:
    luma, cb, cr = snapshot(canvas)
    assert luma == (bytes([100]) * 64 + bytes(16)) * 48
    assert cb == (bytes([110]) * 32 + bytes(16)) * 24
    assert cr == (bytes([120]) * 32 + bytes(16)) * 24


def test_a_disc_that_moved_on_leaves_the_background_whole(canvas: Canvas) -> None:
    background = snapshot(canvas)
    disc = Disc(canvas, 8, WHITE)
    disc.move(16, 16)
    there = snapshot(canvas)
    assert there != background
    disc.move(40, 20)
    assert snapshot(canvas) != there
    disc.move(16, 16)
    assert snapshot(canvas) == there


def test_a_disc_is_round_and_centred(canvas: Canvas) -> None:
    Disc(canvas, 8, WHITE).move(20, 24)
    drawn = [x for x, value in enumerate(canvas.luma.copy(0, 24, 64, 1)[0]) if value == WHITE.y]
    assert drawn == list(range(12, 28))
    corner = canvas.luma.copy(12, 16, 1, 1)
    assert corner == [bytes([GREY.y])]


def test_a_label_shows_its_text_and_repaints_what_changed(canvas: Canvas) -> None:
    label = Label(canvas, 2, 4, characters=3, scale=2)
    label.show("A1:")
    label.show("A2:")
    for index, character in enumerate("A2:"):
        assert canvas.luma.copy(4 + index * 12, 4, 12, 18) == list(glyph(character, 2, WHITE.y, BLACK.y))
    assert canvas.planes[1][0].copy(1, 2, 1, 1) == [bytes([128])]


def test_a_label_refuses_a_text_of_another_length(canvas: Canvas) -> None:
    with pytest.raises(ValueError, match="shorter"):
        Label(canvas, 0, 0, characters=3, scale=2).show("12")
