from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.keyframes import KeyFrameCache
from tests.fakes.frames import make_frame, numbers


def test_holds_the_frames_since_the_last_key_frame() -> None:
    cache = KeyFrameCache()
    for number in range(8):
        cache.append(make_frame(number, key=number in (2, 5)))
    assert numbers(cache.frames()) == [5, 6, 7]
    assert cache.size_bytes == 300
    assert len(cache) == 3


def test_is_empty_before_the_first_key_frame() -> None:
    cache = KeyFrameCache()
    cache.append(make_frame(0))
    assert cache.frames() == ()
    assert cache.size_bytes == 0


def test_too_many_bytes_empty_it_until_the_next_key_frame() -> None:
    cache = KeyFrameCache(max_bytes=250)
    for number in range(5):
        cache.append(make_frame(number, key=number == 0))
    assert (cache.frames(), cache.size_bytes, cache.overflows) == ((), 0, 1)
    cache.append(make_frame(5, key=True))
    assert numbers(cache.frames()) == [5]


def test_says_so_until_a_whole_group_fits_again() -> None:
    cache = KeyFrameCache(max_bytes=250)
    outgrown = []
    for number in range(9):
        cache.append(make_frame(number, key=number in (0, 5, 7)))
        outgrown.append(cache.is_outgrown)
    assert outgrown == [False, False, True, True, True, True, True, False, False]


def test_too_many_seconds_empty_it_until_the_next_key_frame() -> None:
    cache = KeyFrameCache(max_age_s=1.0)
    cache.append(make_frame(0, key=True))
    cache.append(make_frame(25))
    assert numbers(cache.frames()) == [0, 25]
    cache.append(make_frame(26))
    assert (cache.frames(), cache.overflows) == ((), 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(10, 500)), max_size=60), st.integers(100, 2000))
def test_is_always_bounded_and_decodable(stream: list[tuple[bool, int]], max_bytes: int) -> None:
    cache = KeyFrameCache(max_bytes=max_bytes)
    for number, (key, size) in enumerate(stream):
        cache.append(make_frame(number, key=key, size=size))
        frames = cache.frames()
        assert cache.size_bytes == sum(frame.size_bytes for frame in frames) <= max_bytes
        assert [frame.is_key for frame in frames] == [True] * bool(frames) + [False] * (len(frames) - 1)
        assert numbers(frames) == list(range(number + 1 - len(frames), number + 1))
