"""Drawing on the planes of a YUV 4:2:0 picture with nothing but slices of rows.

A picture is drawn again and again on the same memory, so that only what changed costs anything: `Label` repaints
the characters that differ, `Sprite` puts back what it covered.
"""

from collections.abc import Sequence
from typing import NamedTuple

from camgate.demo.font import GLYPH_HEIGHT, GLYPH_WIDTH, glyph

Rows = Sequence[bytes]


class Colour(NamedTuple):
    """A colour in limited-range YCbCr."""

    y: int
    cb: int
    cr: int


WHITE = Colour(235, 128, 128)
BLACK = Colour(16, 128, 128)


class Plane:
    """One plane: writable memory whose rows start `stride_bytes` apart."""

    def __init__(self, memory: memoryview, *, width: int, height: int, stride_bytes: int) -> None:
        self.memory = memory
        self.width = width
        self.height = height
        self.stride_bytes = stride_bytes

    def paint(self, x: int, y: int, rows: Rows) -> None:
        """Put rows of pixels one below the other, the first at (x, y)."""
        start = y * self.stride_bytes + x
        for row in rows:
            self.memory[start : start + len(row)] = row
            start += self.stride_bytes

    def copy(self, x: int, y: int, width: int, height: int) -> Rows:
        """Return the pixels of a rectangle."""
        first = y * self.stride_bytes + x
        starts = range(first, first + height * self.stride_bytes, self.stride_bytes)
        return [bytes(self.memory[start : start + width]) for start in starts]


class Canvas:
    """The luma plane and the two chroma planes, half as wide and high; coordinates are luma pixels and even."""

    def __init__(self, luma: Plane, cb: Plane, cr: Plane) -> None:
        self.luma = luma
        self.planes = ((luma, 1), (cb, 2), (cr, 2))

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """Fill a rectangle."""
        for (plane, shrink), value in zip(self.planes, colour, strict=True):
            plane.paint(x // shrink, y // shrink, [bytes([value]) * (width // shrink)] * (height // shrink))


class Label:
    """One line of text on a black box; `scale` is the pixels of a font dot, and even."""

    def __init__(self, canvas: Canvas, x: int, y: int, *, characters: int, scale: int) -> None:
        self._luma = canvas.luma
        self._x = x + scale
        self._y = y
        self._scale = scale
        self._shown = " " * characters
        canvas.fill(x, y, (characters * GLYPH_WIDTH + 1) * scale, GLYPH_HEIGHT * scale, BLACK)

    def show(self, text: str) -> None:
        """Show a text as long as the label: repaint the characters that differ from what it shows."""
        for index, (old, new) in enumerate(zip(self._shown, text, strict=True)):
            if old != new:
                rows = glyph(new, self._scale, WHITE.y, BLACK.y)
                self._luma.paint(self._x + index * GLYPH_WIDTH * self._scale, self._y, rows)
        self._shown = text


class Disc:
    """A filled disc that moves over a still background."""

    def __init__(self, canvas: Canvas, radius: int, colour: Colour) -> None:
        self._layers = [
            _Sprite(plane, shrink, _disc_spans(radius // shrink, value))
            for (plane, shrink), value in zip(canvas.planes, colour, strict=True)
        ]

    def move(self, x: int, y: int) -> None:
        """Put its centre at (x, y), and back what it covered before."""
        for layer in self._layers:
            layer.move(x, y)


class _Sprite:
    """A shape on one plane: for each of its rows, how far right of its left edge it begins, and its pixels."""

    def __init__(self, plane: Plane, shrink: int, spans: list[tuple[int, bytes]]) -> None:
        self._plane = plane
        self._shrink = shrink
        self._spans = spans
        self._covered: Rows = ()
        self._at = (0, 0)

    def move(self, x: int, y: int) -> None:
        size = len(self._spans)
        self._plane.paint(*self._at, self._covered)
        left, top = self._at = x // self._shrink - size // 2, y // self._shrink - size // 2
        self._covered = self._plane.copy(left, top, size, size)
        for row, (indent, pixels) in enumerate(self._spans):
            self._plane.paint(left + indent, top + row, (pixels,))


def _disc_spans(radius: int, value: int) -> list[tuple[int, bytes]]:
    halves = [round((radius**2 - (row + 0.5 - radius) ** 2) ** 0.5) for row in range(2 * radius)]
    return [(radius - half, bytes([value]) * (2 * half)) for half in halves]
