import pytest

from camgate.wire.codec.order import FORGET_FRAMES, MAX_STEP_BACK_TICKS, PROOF_FRAMES, STEPS_BACK, PictureOrder
from tests.fakes.frames import VIDEO_FORMAT

QUIET = VIDEO_FORMAT
CLAIMS = type(VIDEO_FORMAT)(
    sps=b"1", pps=b"2", profile_level_id="640028", width=1, height=1, fps=None, may_reorder=True
)


@pytest.fixture
def order() -> PictureOrder:
    return PictureOrder()


def test_nothing_is_known_before_there_is_a_format(order: PictureOrder) -> None:
    assert order.judge(None, 0) is None


def test_a_stream_that_claims_nothing_and_keeps_its_order_stays_as_it_is(order: PictureOrder) -> None:
    assert order.judge(QUIET, 0) is QUIET
    assert order.judge(QUIET, 1000) is QUIET


def test_a_claim_counts_until_enough_pictures_came_in_order(order: PictureOrder) -> None:
    assert order.judge(CLAIMS, 5) is CLAIMS
    assert order.judge(CLAIMS, 4 + PROOF_FRAMES) is CLAIMS
    judged = order.judge(CLAIMS, 5 + PROOF_FRAMES)
    assert judged is not None
    assert not judged.may_reorder
    assert order.judge(CLAIMS, 6 + PROOF_FRAMES) is judged


def test_a_step_back_confirms_a_claim(order: PictureOrder) -> None:
    assert order.judge(CLAIMS, 1) is CLAIMS
    assert not CLAIMS.reorders
    order.note_step_back(-3600, 30)
    judged = order.judge(CLAIMS, 31)
    assert judged is not None
    assert (judged.may_reorder, judged.reorders) == (True, True)
    assert order.judge(CLAIMS, 31 + PROOF_FRAMES) is judged


def test_steps_back_count_without_a_claim(order: PictureOrder) -> None:
    order.judge(QUIET, 0)
    for number in range(STEPS_BACK):
        judged = order.judge(QUIET, 3 * number)
        assert judged is QUIET
        order.note_step_back(-3600, 3 * number)
    judged = order.judge(QUIET, 9)
    assert judged is not None
    assert (judged.may_reorder, judged.reorders) == (True, True)


def test_a_clock_that_is_set_now_and_then_is_no_b_frame(order: PictureOrder) -> None:
    for number in range(10):
        order.note_step_back(-3600, number * (PROOF_FRAMES + 1))
        order.note_step_back(-MAX_STEP_BACK_TICKS - 1, number * (PROOF_FRAMES + 1) + 1)
        order.note_step_back(-MAX_STEP_BACK_TICKS - 1, number * (PROOF_FRAMES + 1) + 2)
        assert order.judge(QUIET, number * (PROOF_FRAMES + 1) + 3) is QUIET


def test_b_frames_that_were_turned_off_are_forgotten(order: PictureOrder) -> None:
    for number in range(STEPS_BACK):
        order.note_step_back(-3600, number)
    judged = order.judge(QUIET, STEPS_BACK)
    assert judged is not None
    assert judged.may_reorder
    assert order.judge(QUIET, STEPS_BACK + FORGET_FRAMES) == QUIET


def test_a_claim_that_was_disproved_does_not_come_back_with_each_new_set(order: PictureOrder) -> None:
    order.judge(CLAIMS, 0)
    order.judge(CLAIMS, PROOF_FRAMES)
    again = type(CLAIMS)(sps=b"3", pps=b"2", profile_level_id="640028", width=1, height=1, fps=None, may_reorder=True)
    judged = order.judge(again, PROOF_FRAMES + 1)
    assert judged is not None
    assert not judged.may_reorder
    assert judged.sps == b"3"
    # But one that was not made before does.
    assert order.judge(QUIET, PROOF_FRAMES + 2) is QUIET
    assert order.judge(CLAIMS, PROOF_FRAMES + 3) is CLAIMS
