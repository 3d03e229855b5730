import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.subscription import MAX_QUEUE_FRAMES, Subscription
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import make_frame, numbers


def subscription(*, max_bytes: int = 10_000, max_age_s: float = 1.0, at_key_frame: bool = False) -> Subscription:
    return Subscription(max_bytes=max_bytes, max_age_s=max_age_s, at_key_frame=at_key_frame)


def drained(reader: Subscription) -> list[int]:
    frames: list[Frame] = []
    try:
        while True:
            frames.append(reader.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        return numbers(frames)


async def test_frames_come_in_order() -> None:
    reader = subscription()
    for number in range(3):
        assert reader.offer(make_frame(number)) == 0
    assert reader.queued_bytes == 300
    assert numbers([await reader.receive() for _ in range(3)]) == [0, 1, 2]
    assert reader.queued_bytes == 0


async def test_receive_waits_for_the_next_frame(autojump_clock: trio.testing.MockClock) -> None:
    reader = subscription()
    received: list[Frame] = []

    async def read() -> None:
        received.append(await reader.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        reader.offer(make_frame(4))
    assert numbers(received) == [4]
    assert reader.queued_bytes == 0


async def test_a_new_reader_waits_for_a_key_frame_without_loss() -> None:
    reader = subscription(at_key_frame=True)
    for number in range(4):
        reader.offer(make_frame(number, key=number == 2))
    assert drained(reader) == [2, 3]
    assert reader.dropped_frames == 0


@pytest.mark.parametrize("bound", [{"max_bytes": 550}, {"max_age_s": 4.5 * 0.04}], ids=["bytes", "age"])
async def test_a_full_queue_is_dropped_up_to_the_next_key_frame(bound: dict[str, float]) -> None:
    reader = subscription(**bound)  # type: ignore[arg-type]
    lost = [reader.offer(make_frame(number, key=number in (0, 8))) for number in range(10)]
    assert lost == [0, 0, 0, 0, 0, 6, 1, 1, 0, 0]
    assert reader.dropped_frames == 8
    assert drained(reader) == [8, 9]


async def test_a_key_frame_that_meets_a_full_queue_replaces_it() -> None:
    reader = subscription(max_bytes=350)
    assert [reader.offer(make_frame(number, key=number == 3)) for number in range(5)] == [0, 0, 0, 3, 0]
    assert drained(reader) == [3, 4]


async def test_the_oldest_frame_still_queued_tells_the_age() -> None:
    reader = subscription(max_age_s=0.25)
    for number in range(100):
        assert reader.offer(make_frame(number)) == 0
        if number >= 5:
            await reader.receive()
    assert reader.dropped_frames == 0


async def test_frames_that_arrive_at_once_are_not_old() -> None:
    reader = subscription(max_age_s=0.25)
    for number in range(50):
        assert reader.offer(make_frame(number, arrival_s=7.0)) == 0


async def test_a_frame_bigger_than_the_queue_passes_alone() -> None:
    reader = subscription(max_bytes=50)
    assert reader.offer(make_frame(0, key=True)) == 0
    assert reader.offer(make_frame(1)) == 2
    assert drained(reader) == []
    reader.offer(make_frame(2, key=True))
    assert drained(reader) == [2]


async def test_the_number_of_frames_is_bounded_too() -> None:
    reader = subscription(max_bytes=1 << 40, max_age_s=1e9)
    lost = [reader.offer(make_frame(number)) for number in range(MAX_QUEUE_FRAMES + 1)]
    assert lost[-1] == MAX_QUEUE_FRAMES + 1


async def test_a_frame_already_on_its_way_to_the_reader_is_not_counted_twice(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reader = subscription(max_bytes=250)
    received: list[Frame] = []

    async def read() -> None:
        received.append(await reader.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        # The first frame is handed to the waiting reader, which does not run before all of these.
        assert [reader.offer(make_frame(number, key=number == 4)) for number in range(5)] == [0, 0, 2, 1, 0]
    assert numbers(received) == [0]
    assert reader.queued_bytes == 100
    assert drained(reader) == [4]
    assert reader.queued_bytes == 0


async def test_the_end_comes_after_what_is_queued(autojump_clock: trio.testing.MockClock) -> None:
    reader = subscription()
    reader.offer(make_frame(0))
    reader.close()
    assert reader.closed
    assert numbers([frame async for frame in reader]) == [0]
    with pytest.raises(trio.EndOfChannel):
        await reader.receive()


async def test_the_end_wakes_a_waiting_reader(autojump_clock: trio.testing.MockClock) -> None:
    reader = subscription()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.EndOfChannel):
                await reader.receive()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        reader.close()


@given(
    st.lists(
        st.one_of(st.tuples(st.booleans(), st.integers(10, 400), st.floats(0, 0.2)), st.integers(1, 5)), max_size=80
    )
)
def test_what_a_reader_gets_can_always_be_decoded(moves: list[tuple[bool, int, float] | int]) -> None:
    reader = subscription(max_bytes=1000, max_age_s=0.25, at_key_frame=True)
    received: list[Frame] = []
    offered, arrival_s = 0, 0.0
    keys = set()
    for move in moves:
        if isinstance(move, int):
            for _ in range(move):
                try:
                    received.append(reader.receive_nowait())
                except trio.WouldBlock:
                    break
        else:
            key, size, elapsed_s = move
            arrival_s += elapsed_s
            keys |= {offered} if key else set()
            reader.offer(make_frame(offered, key=key, size=size, arrival_s=arrival_s))
            offered += 1
            assert reader.queued_bytes <= 1000
    got = numbers(received)
    for earlier, later in zip([-1, *got], got, strict=False):
        assert later in keys or later == earlier + 1


async def test_a_shed_reader_skips_to_the_next_key_frame() -> None:
    reader = subscription()
    for number in range(4):
        reader.offer(make_frame(number, key=number == 0))
    assert reader.queue_age_s(0.2) == 0.2
    assert reader.shed() == 4
    assert (reader.queued_bytes, reader.queue_age_s(0.2)) == (0, 0.0)
    lost = [reader.offer(make_frame(number, key=number == 8)) for number in range(4, 10)]
    assert drained(reader) == [8, 9]
    assert reader.shed_frames == 8
    assert (sum(lost), reader.dropped_frames) == (0, 0), "it was not the reader who was late"


async def test_shedding_a_reader_that_waits_for_a_key_frame_changes_nothing() -> None:
    reader = subscription(at_key_frame=True)
    assert reader.shed() == 0
    lost = [reader.offer(make_frame(number, key=number == 2)) for number in range(4)]
    assert drained(reader) == [2, 3]
    assert (sum(lost), reader.dropped_frames, reader.shed_frames) == (0, 0, 0)


async def test_a_reader_of_a_stream_that_has_ended_can_be_shed() -> None:
    reader = subscription()
    for number in range(4):
        reader.offer(make_frame(number, key=number == 0))
    reader.close()
    assert reader.shed() == 4
    with pytest.raises(trio.EndOfChannel):
        await reader.receive()
    reader.abandon()
    assert reader.shed() == 0


async def test_a_reader_that_fell_behind_once_and_is_shed_later_counts_each_frame_once() -> None:
    reader = subscription(max_bytes=250)
    for number in range(6):
        reader.offer(make_frame(number, key=number in (0, 5)))
    assert reader.dropped_frames == 5
    reader.shed()
    for number in range(6, 10):
        reader.offer(make_frame(number))
    assert (reader.dropped_frames, reader.shed_frames) == (5, 5)
