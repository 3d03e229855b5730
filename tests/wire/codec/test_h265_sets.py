import pytest

from camgate.wire.codec.h265_sets import MAX_PARAMETER_SET_BYTES, H265ParameterSets
from tests.fakes.bits import BitWriter
from tests.fakes.h265 import (
    AUD,
    IDR_W_RADL,
    MAIN10_SPS,
    OTHER_PPS,
    OTHER_SPS,
    OTHER_VPS,
    PPS,
    SEI,
    SETS,
    SPS,
    VPS,
    slice_nal,
)

KEY = slice_nal(nal_type=IDR_W_RADL)


def pps_nal(pps_id: int, sps_id: int = 0) -> bytes:
    return b"\x44\x01" + BitWriter().ue(pps_id, sps_id).u(8, 0x5A).rbsp()


@pytest.fixture
def sets() -> H265ParameterSets:
    known = H265ParameterSets()
    assert all(map(known.remember_untrusted, SETS))
    return known


def test_missing_sets_are_put_before_the_slices(sets: H265ParameterSets) -> None:
    assert sets.complete([KEY], KEY) == [*SETS, KEY]
    assert sets.complete([SPS, KEY], KEY) == [*SETS, KEY]


def test_the_delimiter_stays_in_front(sets: H265ParameterSets) -> None:
    assert sets.complete([AUD, SEI, KEY], KEY) == [AUD, *SETS, SEI, KEY]


def test_a_complete_key_frame_stays_as_it_is(sets: H265ParameterSets) -> None:
    nals = [AUD, *SETS, SEI, KEY]
    assert sets.complete(nals, KEY) is nals


def test_every_pps_of_the_sps_goes_along(sets: H265ParameterSets) -> None:
    second, foreign = pps_nal(1), pps_nal(2, sps_id=1)
    sets.remember_untrusted(second)
    sets.remember_untrusted(foreign)
    assert sets.complete([KEY], KEY) == [*SETS, second, KEY]


@pytest.mark.parametrize("known", [SETS[:1], SETS[1:], [VPS, PPS], [VPS, SPS]])
def test_without_one_of_the_three_there_is_no_key_frame(known: list[bytes]) -> None:
    sets = H265ParameterSets()
    for nal in known:
        sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is None
    assert sets.complete([KEY], KEY) is None


def test_the_slice_names_its_sets(sets: H265ParameterSets) -> None:
    key = slice_nal(nal_type=IDR_W_RADL, pps_id=7)
    assert sets.complete([key], key) is None
    sets.remember_untrusted(pps_nal(7))
    assert sets.complete([key], key) == [VPS, SPS, PPS, pps_nal(7), key]
    assert sets.complete([b"\x26\x01\x00"], b"\x26\x01\x00") is None


def test_the_latest_set_of_an_id_counts(sets: H265ParameterSets) -> None:
    sets.complete([KEY], KEY)
    before = sets.format
    for nal in (OTHER_VPS, OTHER_SPS, OTHER_PPS):
        sets.remember_untrusted(nal)
    assert sets.format is before
    assert sets.complete([KEY], KEY) == [OTHER_VPS, OTHER_SPS, OTHER_PPS, KEY]
    assert sets.format is not None
    assert (sets.format.width, sets.format.height, sets.format.level_id) == (1920, 1080, 120)


def test_the_format_says_profile_tier_and_level(sets: H265ParameterSets) -> None:
    sets.remember_untrusted(MAIN10_SPS)
    sets.note_promised()
    known = sets.format
    assert known is not None
    assert (known.codec, known.vps, known.sps, known.pps) == ("H265", VPS, MAIN10_SPS, PPS)
    assert (known.profile_id, known.tier_flag, known.level_id, known.label) == (2, 0, 63, "H.265 Main 10")
    assert (known.width, known.height, known.fps, known.may_reorder) == (640, 360, 25, False)


def test_the_format_object_stays_while_nothing_changes(sets: H265ParameterSets) -> None:
    sets.note_promised()
    before = sets.format
    sets.complete([KEY], KEY)
    assert sets.format is before


def test_an_unreadable_sps_still_has_a_format() -> None:
    sets = H265ParameterSets()
    for nal in (VPS, SPS[:21], PPS):
        assert sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is not None
    assert (sets.format.width, sets.format.height, sets.format.profile) == (None, None, "Main")


@pytest.mark.parametrize(
    "nal",
    [
        b"\x40\x01",
        b"\x42\x01\x01",
        b"\x44\x01",
        b"\x44\x01\x00",
        pps_nal(64),
        pps_nal(0, sps_id=16),
        b"\x44\x01\xc1" + bytes([1]) * MAX_PARAMETER_SET_BYTES,
    ],
)
def test_what_cannot_be_a_set_is_not_kept(nal: bytes) -> None:
    sets = H265ParameterSets()
    assert not sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is None


def test_sets_are_found_among_others_each_once(sets: H265ParameterSets) -> None:
    assert sets.among([AUD, VPS, SPS, PPS, SEI, SPS, KEY]) == SETS
