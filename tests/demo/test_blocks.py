"""The picture counter: what is drawn is read back, and what is not a counter is not read as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.demo.blocks import Blocks, draw_blocks, read_blocks

WORD = st.integers(0, 2**32 - 1)


def luma(width: int, stride: int) -> bytearray:
    return bytearray(b"\x80" * (stride * (width // 40) * 3))


@given(st.builds(Blocks, WORD, WORD, WORD), st.sampled_from([(1280, 1280), (640, 704), (320, 320), (80, 96)]))
def test_what_is_drawn_is_read(blocks: Blocks, size: tuple[int, int]) -> None:
    width, stride = size
    plane = luma(width, stride)
    draw_blocks(plane, blocks, width=width, stride_bytes=stride)
    assert read_blocks(plane, width=width, stride_bytes=stride) == blocks


def test_numbers_wrap_at_32_bits() -> None:
    plane = luma(320, 320)
    draw_blocks(plane, Blocks(2**32 + 7, 2**40 + 5, 3), width=320, stride_bytes=320)
    assert read_blocks(plane, width=320, stride_bytes=320) == Blocks(7, 5, 3)


def test_packed_rgb_is_read_by_its_first_component() -> None:
    plane = luma(320, 320)
    blocks = Blocks(1234, 99, 2)
    draw_blocks(plane, blocks, width=320, stride_bytes=320)
    rgb = b"".join(bytes([value, 0, 0]) for value in plane)
    assert read_blocks(rgb, width=320, stride_bytes=960, pixel_bytes=3) == blocks


@pytest.mark.parametrize("cell", [0, 1, 2, 20, 34], ids=["white sync", "black sync", "first bit", "a bit", "parity"])
def test_one_wrong_cell_makes_the_picture_unreadable(cell: int) -> None:
    plane = luma(320, 320)
    draw_blocks(plane, Blocks(0xDEADBEEF, 5, 1), width=320, stride_bytes=320)
    for y in range(8):
        for x in range(cell * 8, cell * 8 + 8):
            plane[y * 320 + x] ^= 0xFF
    assert read_blocks(plane, width=320, stride_bytes=320) is None


def test_grey_holds_no_blocks() -> None:
    assert read_blocks(luma(320, 320), width=320, stride_bytes=320) is None


def test_the_pattern_is_where_the_javascript_reader_looks() -> None:
    """The contract in pixels: sync cells, then the most significant bit first; rows one cell high."""
    plane = luma(320, 320)
    draw_blocks(plane, Blocks(0x80000000, 0, 1), width=320, stride_bytes=320)
    first_row, third_row = plane[4 * 320 : 5 * 320], plane[20 * 320 : 21 * 320]
    assert [first_row[8 * cell + 4] for cell in (0, 1, 2, 3, 34, 35)] == [235, 16, 235, 16, 235, 0x80]
    assert [third_row[8 * cell + 4] for cell in (0, 1, 32, 33, 34)] == [235, 16, 16, 235, 235]
