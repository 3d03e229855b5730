"""RFC 4571: packets come out as they went in, wherever the connection cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.ice.framing import LENGTH, MAX_PACKET_BYTES, Deframer, FramingMalformed, framed

packets = st.lists(st.binary(min_size=1, max_size=100), max_size=10)


@given(packets, st.lists(st.integers(0, 1000), max_size=10))
def test_packets_survive_any_cuts(sent: list[bytes], cuts: list[int]) -> None:
    data = b"".join(framed([packet], 0) for packet in sent)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    deframer, received = Deframer(), []
    for start, end in pairwise(places):
        received += deframer.receive_data_untrusted(data[start:end])
    assert received == sent


@pytest.mark.parametrize(("size", "segment", "sizes"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (1, 2, [1]), (7, 0, [7])])
def test_segments_are_packets(size: int, segment: int, sizes: list[int]) -> None:
    data = bytes(range(size))
    received = Deframer().receive_data_untrusted(framed([data[:1], memoryview(data)[1:]], segment))
    assert [len(packet) for packet in received] == sizes
    assert b"".join(received) == data


def test_empty_packets_are_left_out() -> None:
    assert Deframer().receive_data_untrusted(bytes(4) + framed([b"x"], 0)) == [b"x"]


def test_a_length_beyond_all_packets_is_an_error_and_keeps_nothing_waiting() -> None:
    with pytest.raises(FramingMalformed, match="2049 bytes"):
        Deframer().receive_data_untrusted(LENGTH.pack(MAX_PACKET_BYTES + 1))
    assert Deframer().receive_data_untrusted(LENGTH.pack(MAX_PACKET_BYTES) + bytes(10)) == []
