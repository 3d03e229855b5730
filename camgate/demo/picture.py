"""The moving test picture of a demo camera.

Top to bottom: the picture counter (`blocks`), the camera's name and a wall clock, a disc that swings once in four
seconds (a freeze or a stutter catches the eye), colour bars. All but the moving parts is drawn once.
"""

import math
from datetime import datetime

from camgate.demo.blocks import CELLS_ACROSS, Blocks, draw_blocks
from camgate.demo.canvas import BLACK, WHITE, Canvas, Colour, Disc, Label

_SWING_S = 4.0
_ORANGE = Colour(168, 52, 184)
_BARS = (  # 75 % colour bars, ITU-R BT.601
    Colour(180, 128, 128),
    Colour(162, 44, 142),
    Colour(131, 156, 44),
    Colour(112, 72, 58),
    Colour(84, 184, 198),
    Colour(65, 100, 212),
    Colour(35, 212, 114),
    BLACK,
)
_CLOCK_CHARACTERS = len("2026-01-31 23:59:59.99")


class Picture:
    """Draws on the memory of one picture, again and again, 320 pixels wide or more.

    `hue` (Cb, Cr) tints the background.
    """

    def __init__(self, canvas: Canvas, *, name: str, number: int, hue: tuple[int, int]) -> None:
        self._canvas = canvas
        self._number = number
        self._width, height = canvas.luma.width, canvas.luma.height
        cell = self._width // CELLS_ACROSS
        scale = 2 * (self._width // 320)  # px of a font dot: the clock fills five sixths of the width
        self._draw_background(height, hue)
        Label(canvas, 2 * cell, 4 * cell, characters=len(name), scale=scale).show(name)
        self._clock = Label(canvas, 2 * cell, 7 * cell, characters=_CLOCK_CHARACTERS, scale=scale)
        self._disc = Disc(canvas, 2 * cell, _ORANGE)
        self._disc_y = 14 * cell
        self._reach = 17 * cell

    def draw(self, frame: int, media_s: float, unix_s: float) -> None:
        """Draw picture number `frame`, which is shown at `media_s` and drawn at the wall clock's `unix_s`."""
        luma = self._canvas.luma
        blocks = Blocks(frame, int(unix_s * 1000), self._number)
        draw_blocks(luma.memory, blocks, width=luma.width, stride_bytes=luma.stride_bytes)
        self._clock.show(f"{datetime.fromtimestamp(unix_s):%Y-%m-%d %H:%M:%S.%f}"[:_CLOCK_CHARACTERS])
        swing = math.sin(media_s * math.tau / _SWING_S)
        self._disc.move(self._width // 2 + int(self._reach * swing), self._disc_y)

    def _draw_background(self, height: int, hue: tuple[int, int]) -> None:
        cell, width = self._width // CELLS_ACROSS, self._width
        for y in range(0, height, 2):
            self._canvas.fill(0, y, width, 2, Colour(40 + 120 * y // height, *hue))
        self._canvas.fill(0, 0, width, 3 * cell, BLACK)
        for index, colour in enumerate(_BARS):
            self._canvas.fill(width * index // len(_BARS), 18 * cell, width // len(_BARS), height - 18 * cell, colour)
        self._canvas.fill(width // 2 - 2, 17 * cell, 4, cell, WHITE)
