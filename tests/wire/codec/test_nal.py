from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.nal import FU_END, FU_START, fragment, split_annex_b, unescape, without_repeats
from tests.fakes.bits import escape


def test_a_byte_stream_is_split_at_its_start_codes() -> None:
    data = b"\x00\x00\x00\x01\x67\x42\x00\x00\x01\x68\xcb\x00\x00\x00\x01\x65\xb8\x00"
    assert split_annex_b(data) == [b"\x67\x42", b"\x68\xcb", b"\x65\xb8"]
    assert split_annex_b(b"") == []


@given(st.binary(max_size=50))
def test_unescape_undoes_escape(rbsp: bytes) -> None:
    escaped = escape(rbsp)
    assert b"\x00\x00\x01" not in escaped
    if not rbsp.endswith(b"\x00\x00"):
        assert unescape(escaped) == rbsp


@given(st.binary(min_size=40, max_size=500), st.integers(1, 2), st.integers(16, 30))
def test_fragments_hold_everything_behind_the_header_once(nal: bytes, header_bytes: int, max_bytes: int) -> None:
    payloads = fragment(nal, header_bytes, b"\xaa" * header_bytes, 1, max_bytes)
    flags = [payload[header_bytes] for payload in payloads]
    assert flags == [1 | FU_START, *[1] * (len(flags) - 2), 1 | FU_END]
    assert b"".join(payload[header_bytes + 1 :] for payload in payloads) == nal[header_bytes:]
    assert max(map(len, payloads)) <= max_bytes
    assert len({len(payload) for payload in payloads[:-1]}) == 1


def test_only_parameter_sets_are_taken_for_repeats() -> None:
    assert without_repeats([b"s", b"p", b"1", b"s", b"1", b"p", b"2"], [b"s", b"p"]) == [b"s", b"p", b"1", b"1", b"2"]
