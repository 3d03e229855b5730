from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.h264_nal import split_annex_b, unescape
from tests.fakes.bits import escape


def test_split_takes_both_start_codes_and_trailing_zeros() -> None:
    data = bytes.fromhex("00000001 6742 000001 68cb 0000 00000001 65b8 0000")
    assert split_annex_b(data) == [b"\x67\x42", b"\x68\xcb", b"\x65\xb8"]


def test_split_keeps_what_comes_before_the_first_start_code() -> None:
    assert split_annex_b(b"\x67\x42\x00\x00\x01\x68") == [b"\x67\x42", b"\x68"]
    assert split_annex_b(b"") == []


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255])).map(bytes))
def test_unescape_undoes_escape(rbsp: bytes) -> None:
    escaped = escape(rbsp)
    assert b"\x00\x00\x01" not in escaped
    assert unescape(escaped) == rbsp
