import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.base.errors import LocalError
from camgate.wire.codec.h264_nal import NAL_FU_A, NAL_STAP_A, NAL_TYPE_MASK, NOT_FOR_BROWSERS
from camgate.wire.codec.h264_payload import packetize_h264
from tests.fakes.h264 import AUD, PPS, SEI, SPS, slice_nal


@given(st.integers(17, 20_000), st.integers(16, 2000))
def test_fragments_fit_are_few_and_of_one_size(nal_bytes: int, max_bytes: int) -> None:
    nal = slice_nal(nal_bytes)
    payloads = packetize_h264([nal], max_bytes)
    *equal, last = map(len, payloads)
    assert max(equal, default=last) <= max_bytes
    assert len(set(equal)) <= 1
    assert last <= max(equal, default=last)
    if len(nal) > max_bytes:
        assert len(payloads) <= -(-(len(nal) - 1) // (max_bytes - 2))


def test_start_and_end_stand_on_the_first_and_last_fragment() -> None:
    payloads = packetize_h264([slice_nal(1000, key=True)], 300)
    assert [payload[0] for payload in payloads] == [0x60 | NAL_FU_A] * 4
    assert [payload[1] for payload in payloads] == [0x85, 0x05, 0x05, 0x45]


def test_parameter_sets_share_one_packet() -> None:
    key = slice_nal(50, key=True)
    stap, single = packetize_h264([SPS, PPS, key], 1000)
    assert stap[0] & NAL_TYPE_MASK == NAL_STAP_A
    assert stap == bytes((0x78,)) + len(SPS).to_bytes(2, "big") + SPS + len(PPS).to_bytes(2, "big") + PPS
    assert single == key


def test_an_aggregate_is_as_important_as_its_most_important_unit() -> None:
    (stap,) = packetize_h264([b"\x67\x42", b"\x28\xcb"], 1000)
    assert stap[0] == 0x60 | NAL_STAP_A


def test_parameter_sets_that_do_not_fit_together_go_alone() -> None:
    assert packetize_h264([SPS, PPS], len(SPS) + 2) == [SPS, PPS]
    assert len(packetize_h264([SPS, PPS], 16)) == 3


def test_a_lone_parameter_set_is_no_aggregate() -> None:
    assert packetize_h264([PPS], 1000) == [PPS]


def test_what_is_not_wanted_is_left_out() -> None:
    picture = slice_nal()
    assert packetize_h264([AUD, SEI, picture, b"\x0c\xff\x80"], 1000, without=NOT_FOR_BROWSERS) == [picture]


def test_a_limit_that_holds_no_headers_is_refused() -> None:
    with pytest.raises(LocalError, match="at least 16"):
        packetize_h264([SPS], 15)
