from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import BitstreamMalformed
from tests.fakes.bits import BitWriter


@given(st.lists(st.integers(0, 2**32 - 2)))
def test_unsigned_codes(values: list[int]) -> None:
    reader = BitReader(BitWriter().ue(*values).rbsp())
    assert [reader.ue() for _ in values] == values


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1)))
def test_signed_codes(values: list[int]) -> None:
    reader = BitReader(BitWriter().se(*values).rbsp())
    assert [reader.se() for _ in values] == values


def test_fixed_width() -> None:
    reader = BitReader(b"\xa5\x0f")
    assert (reader.flag(), reader.bits(3), reader.bits(0), reader.bits(12)) == (True, 2, 0, 0x50F)


def test_what_stands_ahead_and_what_was_read_can_be_looked_at() -> None:
    reader = BitReader(b"\xa5\x0f")
    assert reader.bits(3) == 5
    assert (reader.peek(7), reader.latest(2), reader.latest(3), reader.left) == (0b0010100, 0b01, 0b101, 13)


def test_a_read_costs_the_same_in_the_midst_of_much_data() -> None:
    """A number of the whole is shifted by nobody: `size` reads would take time with the square of it."""

    class Watched(bytes):
        most = 0

        def __getitem__(self, key: Any) -> Any:
            part = super().__getitem__(key)
            Watched.most = max(Watched.most, len(part))
            return part

    reader = BitReader(Watched(b"\x55" * 4096))
    assert {reader.bits(9) for _ in range(3000)} == {0b010101010, 0b101010101}
    assert Watched.most <= 3


def test_the_end_is_an_error() -> None:
    with pytest.raises(BitstreamMalformed, match="ends too early"):
        BitReader(b"\x00").ue()


def test_a_code_without_end_is_an_error() -> None:
    with pytest.raises(BitstreamMalformed, match="too long"):
        BitReader(bytes(64)).ue()


def test_the_id_of_a_parameter_set_has_a_limit() -> None:
    reader = BitReader(BitWriter().ue(31, 32).rbsp())
    assert reader.set_id(31) == 31
    with pytest.raises(BitstreamMalformed, match="a parameter set id of 32"):
        reader.set_id(31)
