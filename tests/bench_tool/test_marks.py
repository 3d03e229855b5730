"""The mark behind a frame's last slice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.bench.marks import MARK_BYTES, Mark, build_mark, find_mark, without_mark


@given(st.integers(0, 2**60), st.integers(0, 2**32 - 1), st.binary(max_size=80))
def test_a_mark_is_read_back(unix_us: int, frame: int, before: bytes) -> None:
    mark = build_mark(Mark(unix_us, frame))
    assert len(mark) == MARK_BYTES
    assert find_mark(before + mark) == Mark(unix_us, frame)
    assert without_mark(b"slice" + mark) == b"slice"


def test_a_camera_that_does_not_number_its_frames() -> None:
    assert find_mark(b"slice" + build_mark(Mark(1_000, None))) == Mark(1_000, None)


def test_a_mark_holds_nothing_that_h264_reserves() -> None:
    assert b"\0" not in build_mark(Mark(0, 0))


@pytest.mark.parametrize("length", range(32))
def test_a_part_of_a_mark_is_none(length: int) -> None:
    assert find_mark(build_mark(Mark(1_700_000_000_000_000, 7))[:length]) is None


@pytest.mark.parametrize("digits", [b"+000000000000001", b"000000000000_001", b"  00000000000001", b"zzzzzzzzzzzzzzzz"])
def test_what_only_python_takes_for_a_number_is_none(digits: bytes) -> None:
    assert find_mark(build_mark(Mark(0, None))[:16] + digits) is None
