"""The test picture: what moves, moves; what stands, stands."""

import pytest

from camgate.demo.blocks import Blocks, read_blocks
from camgate.demo.canvas import Canvas, Plane
from camgate.demo.picture import Picture

WIDTH, HEIGHT = 320, 180


def plane(width: int, height: int) -> Plane:
    return Plane(memoryview(bytearray(width * height)), width=width, height=height, stride_bytes=width)


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(plane(WIDTH, HEIGHT), plane(WIDTH // 2, HEIGHT // 2), plane(WIDTH // 2, HEIGHT // 2))


def test_the_counter_says_what_was_drawn(canvas: Canvas) -> None:
    Picture(canvas, name="front-door", number=7, hue=(128, 128)).draw(41, 1.64, 1_790_000_000.5)
    expected = Blocks(41, 1_790_000_000_500 % 2**32, 7)
    assert read_blocks(canvas.luma.memory, width=WIDTH, stride_bytes=WIDTH) == expected


def test_only_counter_clock_and_disc_change(canvas: Canvas) -> None:
    picture = Picture(canvas, name="a", number=1, hue=(128, 128))
    picture.draw(0, 0.0, 1_790_000_000.0)
    before = canvas.luma.copy(0, 0, WIDTH, HEIGHT)
    picture.draw(1, 1.0, 1_790_000_001.0)
    after = canvas.luma.copy(0, 0, WIDTH, HEIGHT)
    changed = {y // 8 for y in range(HEIGHT) if before[y] != after[y]}
    assert changed == {0, 1, 7, 8, 12, 13, 14, 15}  # cells: two rows of blocks, the clock, the disc


def test_the_picture_repeats_when_the_disc_has_swung(canvas: Canvas) -> None:
    picture = Picture(canvas, name="a", number=1, hue=(128, 128))
    picture.draw(5, 1.0, 1_790_000_000.0)
    first = bytes(canvas.luma.memory)
    picture.draw(6, 2.0, 1_790_000_001.0)
    assert bytes(canvas.luma.memory) != first
    picture.draw(5, 5.0, 1_790_000_000.0)
    assert bytes(canvas.luma.memory) == first
