import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.base.errors import LocalError
from camgate.wire.codec.h265_nal import NAL_AP, NAL_FU, NOT_FOR_BROWSERS, type_of
from camgate.wire.codec.h265_payload import packetize_h265
from tests.fakes.h265 import AUD, IDR_W_RADL, PPS, SEI, SETS, SPS, VPS, slice_nal


@given(st.integers(17, 20_000), st.integers(16, 2000))
def test_fragments_fit_are_few_and_of_one_size(nal_bytes: int, max_bytes: int) -> None:
    nal = slice_nal(nal_bytes)
    payloads = packetize_h265([nal], max_bytes)
    *equal, last = map(len, payloads)
    assert max(equal, default=last) <= max_bytes
    assert len(set(equal)) <= 1
    assert last <= max(equal, default=last)
    if len(nal) > max_bytes:
        assert len(payloads) <= -(-(len(nal) - 2) // (max_bytes - 3))


def test_start_and_end_stand_on_the_first_and_last_fragment() -> None:
    payloads = packetize_h265([slice_nal(1000, IDR_W_RADL)], 300)
    assert [type_of(payload) for payload in payloads] == [NAL_FU] * 4
    assert [payload[1] for payload in payloads] == [1] * 4
    assert [payload[2] for payload in payloads] == [0x80 | 19, 19, 19, 0x40 | 19]


def test_parameter_sets_share_one_packet() -> None:
    key = slice_nal(50, IDR_W_RADL)
    aggregate, single = packetize_h265([*SETS, key], 1000)
    assert type_of(aggregate) == NAL_AP
    assert aggregate == b"\x60\x01" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in SETS)
    assert single == key


def test_an_aggregate_has_the_lowest_layer_and_temporal_id() -> None:
    (aggregate,) = packetize_h265([b"\x42\x0b\x01", b"\x44\x12\x01"], 1000)
    assert aggregate[:2] == bytes((NAL_AP << 1, 0x08 | 2))


def test_parameter_sets_that_do_not_fit_together_go_alone() -> None:
    assert packetize_h265(SETS, max(map(len, SETS))) == SETS
    assert len(packetize_h265([VPS, SPS], 30)) == 3


def test_a_lone_parameter_set_is_no_aggregate() -> None:
    assert packetize_h265([PPS], 1000) == [PPS]


def test_what_is_not_wanted_is_left_out() -> None:
    picture, filler, suffix = slice_nal(), b"\x4c\x01\xff\x80", b"\x50\x01\x04\x80"
    assert packetize_h265([AUD, SEI, picture, filler, suffix], 1000, without=NOT_FOR_BROWSERS) == [picture]


def test_a_limit_that_holds_no_headers_is_refused() -> None:
    with pytest.raises(LocalError, match="at least 16"):
        packetize_h265([SPS], 15)
