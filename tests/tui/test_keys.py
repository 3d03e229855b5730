"""What terminals send for keys, whole and in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.tui.keys import BACKSPACE, CLEAR, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, PAGE_UP, UP, KeyReader

SENT = {
    b"\x1b[A": UP,
    b"\x1bOB": DOWN,
    b"\x1b[5~": PAGE_UP,
    b"\x1b[6~": PAGE_DOWN,
    b"\x1b[H": HOME,
    b"\x1b[1~": HOME,
    b"\x1bOF": END,
    b"\x1b[4~": END,
    b"\r": ENTER,
    b"\n": ENTER,
    b"\x7f": BACKSPACE,
    b"\x15": CLEAR,
    "ü".encode(): "ü",
    b"q": "q",
}


@pytest.mark.parametrize(("sent", "key"), SENT.items())
def test_a_key_is_known_whole_and_byte_by_byte(sent: bytes, key: str) -> None:
    assert list(KeyReader().receive_data(sent)) == [key]
    reader = KeyReader()
    assert [each for byte in sent for each in reader.receive_data(bytes([byte]))] == [key]
    assert not reader.is_amid_sequence


@given(st.lists(st.sampled_from(list(SENT))), st.data())
def test_keys_are_the_same_however_they_are_cut(sent: list[bytes], data: st.DataObject) -> None:
    everything, reader, found = b"".join(sent), KeyReader(), []
    while everything:
        cut = data.draw(st.integers(1, len(everything)))
        found += reader.receive_data(everything[:cut])
        everything = everything[cut:]
    assert found == [SENT[each] for each in sent]


def test_escape_is_a_key_only_once_nothing_follows() -> None:
    reader = KeyReader()
    assert list(reader.receive_data(b"\x1b")) == []
    assert reader.is_amid_sequence
    assert list(reader.receive_silence()) == [ESCAPE]
    assert list(reader.receive_data(b"q")) == ["q"]
    assert list(reader.receive_silence()) == []
    assert list(reader.receive_data(b"\x1b\x1b[A")) == [ESCAPE, UP]


@pytest.mark.parametrize("sent", [b"\x1b[1;5C", b"\x1b[200~", b"\x1bx", b"\x00", b"\x1b[" + b"1" * 40, b"\xff\xfe"])
def test_what_is_no_key_of_ours_does_nothing_and_ends(sent: bytes) -> None:
    reader = KeyReader()
    found = [*reader.receive_data(sent), *reader.receive_silence()]
    assert not {UP, DOWN, ENTER, ESCAPE, "q"} & set(found)
    assert list(reader.receive_data(b"q")) == ["q"]


@given(st.binary())
def test_no_bytes_break_the_reader(sent: bytes) -> None:
    reader = KeyReader()
    assert all(reader.receive_data(sent))
    list(reader.receive_silence())
    assert not reader.is_amid_sequence
