"""Each picture gets the time of its frame, or where these do not rise the earliest that is left; times always rise."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from camgate.transcode.times import PictureTimes

DECODING_ORDER = (0, 3, 1, 2, 6, 4, 5, 9, 7, 8)


def shown(times: list[int], *, lost: tuple[int, ...] = ()) -> list[int]:
    """Run frames whose place in time is DECODING_ORDER, but which carry `times`, through a decoder that delays by 2."""
    picture_times, held, out = PictureTimes(), [], []
    for place, time in zip(DECODING_ORDER, times, strict=True):
        picture_times.note_frame(time, time / 10)
        if place not in lost:
            held.append((place, time))
        if len(held) > 2:
            held.sort()
            out.append(picture_times.of_picture(held.pop(0)[1])[0])
    return out + [picture_times.of_picture(own)[0] for _, own in sorted(held)]


def test_times_in_order_of_showing_stay_with_their_pictures() -> None:
    assert shown(list(DECODING_ORDER)) == list(range(10))


def test_a_lost_picture_does_not_shift_the_others() -> None:
    assert shown(list(DECODING_ORDER), lost=(4,)) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_times_in_order_of_coming_are_dealt_out_in_order() -> None:
    out = shown(list(range(0, 100, 10)))
    assert out[0] == 0
    assert out == sorted(set(out))
    assert all(time % 10 <= 1 for time in out)


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=100), st.randoms(use_true_random=False))
def test_whatever_comes_times_rise_and_little_is_kept(frames: list[tuple[int, bool]], random: Random) -> None:
    times, inside, last = PictureTimes(), [], -1
    for time, is_shown in frames:
        times.note_frame(time, 0.0)
        inside.append(time)
        if is_shown:
            rtp_time, _ = times.of_picture(inside.pop(random.randrange(len(inside))))
            assert rtp_time > last
            last = rtp_time
