"""The bitmap font: every glyph has the same size, and no two look alike."""

import string

from camgate.demo.font import GLYPH_HEIGHT, GLYPH_WIDTH, glyph

CHARACTERS = string.ascii_uppercase + string.digits + " -.:"


def test_every_glyph_fills_its_cell() -> None:
    for character in CHARACTERS:
        rows = glyph(character, 3, 235, 16)
        assert len(rows) == 3 * GLYPH_HEIGHT
        assert {len(row) for row in rows} == {3 * GLYPH_WIDTH}, character
        assert set(b"".join(rows)) <= {235, 16}


def test_glyphs_differ() -> None:
    assert len({glyph(character, 1, 1, 0) for character in CHARACTERS + "?"}) == len(CHARACTERS) + 1


def test_small_letters_are_drawn_as_capitals() -> None:
    assert glyph("q", 2, 1, 0) == glyph("Q", 2, 1, 0)
