import pytest

from camgate.wire.codec.h264_sets import MAX_PARAMETER_SET_BYTES, H264ParameterSets
from tests.fakes.bits import BitWriter
from tests.fakes.h264 import AUD, OTHER_PPS, OTHER_SPS, PPS, SEI, SPS, slice_nal

KEY = slice_nal(key=True)


def pps_nal(pps_id: int, sps_id: int = 0) -> bytes:
    return b"\x68" + BitWriter().ue(pps_id, sps_id).u(8, 0x5A).rbsp()


@pytest.fixture
def sets() -> H264ParameterSets:
    known = H264ParameterSets()
    assert known.remember_untrusted(SPS)
    assert known.remember_untrusted(PPS)
    return known


def test_missing_sets_are_put_before_the_slices(sets: H264ParameterSets) -> None:
    assert sets.complete([KEY], KEY) == [SPS, PPS, KEY]


def test_the_delimiter_stays_in_front(sets: H264ParameterSets) -> None:
    assert sets.complete([AUD, SEI, KEY], KEY) == [AUD, SPS, PPS, SEI, KEY]


def test_a_complete_key_frame_stays_as_it_is(sets: H264ParameterSets) -> None:
    nals = [AUD, SPS, PPS, SEI, KEY]
    assert sets.complete(nals, KEY) is nals


def test_sets_before_each_slice_are_left_out_behind_the_first(sets: H264ParameterSets) -> None:
    second = slice_nal(key=True, seed=7)
    assert sets.complete([AUD, SPS, PPS, SEI, SPS, PPS, KEY, SPS, PPS, second], KEY) == [
        AUD,
        SPS,
        PPS,
        SEI,
        KEY,
        second,
    ]
    assert sets.complete([SPS, PPS, PPS, KEY], KEY) == [SPS, PPS, KEY]


def test_a_pps_is_never_put_before_its_sps(sets: H264ParameterSets) -> None:
    assert sets.complete([PPS, KEY], KEY) == [SPS, PPS, KEY]


def test_every_pps_of_the_sps_goes_along(sets: H264ParameterSets) -> None:
    second, foreign = pps_nal(1), pps_nal(2, sps_id=1)
    sets.remember_untrusted(second)
    sets.remember_untrusted(foreign)
    assert sets.complete([KEY], KEY) == [SPS, PPS, second, KEY]


def test_slices_are_not_compared_with_every_set(sets: H264ParameterSets) -> None:
    """256 PPS and a thousand NAL units are a quarter of a million pairs."""

    class Slice(bytes):
        compared = 0
        __hash__ = bytes.__hash__

        def __eq__(self, other: object) -> bool:
            Slice.compared += 1
            return super().__eq__(other)

    others = [pps_nal(pps_id) for pps_id in range(1, 256)]
    assert all(map(sets.remember_untrusted, others))
    slices = [Slice(slice_nal(key=True, seed=seed)) for seed in range(4)]
    assert sets.complete([SPS, PPS, *slices], KEY) == [SPS, PPS, *others, *slices]
    Slice.compared = 0
    sets.complete([SPS, PPS, *slices], KEY)
    sets.complete([SPS, PPS, *others, *slices], KEY)
    assert Slice.compared == 0


def test_the_slice_names_its_sets(sets: H264ParameterSets) -> None:
    key = slice_nal(key=True, pps_id=7)
    assert sets.complete([key], key) is None
    sets.remember_untrusted(pps_nal(7, sps_id=3))
    assert sets.complete([key], key) is None
    other_sps = OTHER_SPS[:4] + b"\x23" + OTHER_SPS[4:]  # ue(3) and some bits: the id is all that matters here
    sets.remember_untrusted(other_sps)
    assert sets.complete([key], key) == [other_sps, pps_nal(7, sps_id=3), key]


def test_the_latest_set_of_an_id_counts(sets: H264ParameterSets) -> None:
    sets.complete([KEY], KEY)
    before = sets.format
    sets.remember_untrusted(OTHER_SPS)
    sets.remember_untrusted(OTHER_PPS)
    assert sets.format is before
    assert sets.complete([KEY], KEY) == [OTHER_SPS, OTHER_PPS, KEY]
    assert sets.format is not None
    assert (sets.format.width, sets.format.height, sets.format.profile_level_id) == (1920, 1080, "4d4028")


def test_the_format_object_stays_while_nothing_changes(sets: H264ParameterSets) -> None:
    sets.note_promised()
    before = sets.format
    assert before is not None
    assert (before.width, before.height, before.fps) == (640, 360, 25)
    sets.complete([KEY], KEY)
    assert sets.format is before


def test_an_unreadable_sps_still_has_a_format() -> None:
    sets = H264ParameterSets()
    cut = SPS[:6]
    assert sets.remember_untrusted(cut)
    sets.remember_untrusted(PPS)
    sets.note_promised()
    assert sets.format is not None
    assert (sets.format.width, sets.format.height, sets.format.profile_level_id) == (None, None, "42c01e")


@pytest.mark.parametrize(
    "nal",
    [
        b"\x67",
        b"\x67\x42\x00\x1e" + BitWriter().ue(32).rbsp(),
        b"\x68",
        pps_nal(256),
        pps_nal(0, sps_id=32),
        b"\x68\xcb" + bytes([1]) * MAX_PARAMETER_SET_BYTES,
    ],
)
def test_what_cannot_be_a_set_is_not_kept(nal: bytes) -> None:
    sets = H264ParameterSets()
    assert not sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is None


def test_sets_are_found_among_others_each_once(sets: H264ParameterSets) -> None:
    assert sets.among([AUD, SPS, PPS, SEI, SPS, KEY]) == [SPS, PPS]
