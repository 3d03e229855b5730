from camgate.wire.codec.h265_nal import IRAP, NAL_SPS, TYPE_MASK, on_wire, type_of
from tests.fakes.h265 import AUD, PPS, SEI, SPS, VPS, slice_nal


def test_types_are_read_from_the_first_byte() -> None:
    assert [type_of(nal) for nal in (VPS, SPS, PPS, AUD, SEI, slice_nal(nal_type=0))] == [32, 33, 34, 35, 39, 0]


def test_a_type_stands_doubled_on_the_wire() -> None:
    assert SPS[0] & TYPE_MASK == on_wire(NAL_SPS)


def test_random_access_pictures_are_bla_idr_and_cra() -> None:
    assert sorted(IRAP) == [16, 17, 18, 19, 20, 21]
