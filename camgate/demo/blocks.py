"""The picture counter: numbers drawn as black and white blocks, which tests read back after encoding and decoding.

A cell is `width // 40` pixels square. Three rows of cells stand at the top left: the frame counter, the time of
drawing and the camera's number. In each row cell 0 is white and cell 1 black (sync), cells 2 to 33 are 32 data
bits, the most significant first, white is 1, and cell 34 makes the parity of the data even. Cells this large
survive any lossy codec; the centre of each is read. The browser tests read the same pattern in JavaScript.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CELLS_ACROSS = 40
"""Cells that fit the picture's width: 35 of a row and a margin, whole macroblocks at the usual sizes."""

_BITS = 32
_MASK = (1 << _BITS) - 1
_ROW_CELLS = 2 + _BITS + 1
_WHITE, _BLACK = 235, 16  # ITU-R BT.601 luma of white and black
_THRESHOLD = 128

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Blocks:
    """What one picture's blocks say; each number is kept modulo 2**32."""

    frame: int
    """How many pictures were drawn before this one."""
    time_ms: int
    """Unix time of drawing in milliseconds."""
    camera: int
    """Which camera this is."""


def draw_blocks(luma: bytearray | memoryview, blocks: Blocks, *, width: int, stride_bytes: int) -> None:
    """Draw into the top left of a luma plane whose rows start `stride_bytes` apart."""
    cell = width // CELLS_ACROSS
    for row, value in enumerate((blocks.frame, blocks.time_ms, blocks.camera)):
        line = _line(value & _MASK, cell)
        for y in range(row * cell, (row + 1) * cell):
            start = y * stride_bytes
            luma[start : start + len(line)] = line


def read_blocks(picture: Buffer, *, width: int, stride_bytes: int, pixel_bytes: int = 1) -> Blocks | None:
    """Read the blocks of a luma plane, or of packed RGB by its first component; None unless all rows are sound."""
    values = [_read_row(picture, row, width // CELLS_ACROSS, stride_bytes, pixel_bytes) for row in range(3)]
    frame, time_ms, camera = values
    if frame is None or time_ms is None or camera is None:
        return None
    return Blocks(frame, time_ms, camera)


def _line(value: int, cell: int) -> bytes:
    """Return the pixels of one line through a row."""
    white, black = bytes([_WHITE]) * cell, bytes([_BLACK]) * cell
    parity = value.bit_count() % 2
    return b"".join(white if bit == "1" else black for bit in f"10{value:0{_BITS}b}{parity}")


def _read_row(picture: Buffer, row: int, cell: int, stride_bytes: int, pixel_bytes: int) -> int | None:
    sync_white, sync_black, *bits = _samples(picture, row, cell, stride_bytes, pixel_bytes)
    if not sync_white or sync_black or sum(bits) % 2:
        return None
    return int("".join("01"[bit] for bit in bits[:-1]), 2)


def _samples(picture: Buffer, row: int, cell: int, stride_bytes: int, pixel_bytes: int) -> Iterator[bool]:
    """Yield whether the centre of each cell of a row is white."""
    start = (row * cell + cell // 2) * stride_bytes + cell // 2 * pixel_bytes
    for index in range(_ROW_CELLS):
        yield picture[start + index * cell * pixel_bytes] >= _THRESHOLD
