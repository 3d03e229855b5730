import logging
from dataclasses import replace

import pytest
import trio
import trio.testing

from camgate.relay.stream import Stream
from camgate.relay.subscription import Subscription
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import FRAME_S, FRAME_TICKS, VIDEO_FORMAT, make_frame, numbers


async def read_all(reader: Subscription, into: list[Frame]) -> None:
    async for frame in reader:
        into.append(frame)


async def test_every_reader_gets_every_frame(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    received: list[list[Frame]] = [[] for _ in range(50)]
    async with trio.open_nursery() as nursery:

        async def read(into: list[Frame]) -> None:
            with stream.subscribe() as reader:
                await read_all(reader, into)

        for into in received:
            nursery.start_soon(read, into)
        await trio.testing.wait_all_tasks_blocked()
        assert stream.statistics().subscribers == 50
        for number in range(20):
            stream.publish(make_frame(number, key=number == 0, arrival_s=trio.current_time()))
            await trio.sleep(FRAME_S)
        stream.close()
    assert all(numbers(frames) == list(range(20)) for frames in received)
    assert stream.statistics().subscribers == 0
    assert stream.statistics().dropped_frames == 0


async def test_a_stuck_reader_harms_nobody_else(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    received: list[Frame] = []
    with stream.subscribe() as stuck, stream.subscribe() as reader:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_all, reader, received)
            for number in range(500):
                stream.publish(make_frame(number, key=number % 50 == 0, size=50_000, arrival_s=trio.current_time()))
                await trio.sleep(FRAME_S)
            stream.close()
        assert numbers(received) == list(range(500))
        assert reader.dropped_frames == 0
        assert stuck.dropped_frames >= 490
        assert stuck.queued_bytes <= 7 * 50_000
        assert stream.statistics().dropped_frames == stuck.dropped_frames


async def test_a_new_reader_continues_behind_the_cache() -> None:
    stream = Stream("front")
    for number in range(5):
        stream.publish(make_frame(number, key=number == 2))
    with stream.subscribe() as reader:
        assert numbers(stream.gop()) == [2, 3, 4]
        stream.publish(make_frame(5))
        assert numbers([reader.receive_nowait()]) == [5]


async def test_without_a_cache_a_new_reader_begins_with_the_next_key_frame() -> None:
    stream = Stream("front")
    stream.publish(make_frame(0))
    with stream.subscribe() as reader:
        for number in (1, 2, 3):
            stream.publish(make_frame(number, key=number == 2))
        assert numbers([reader.receive_nowait(), reader.receive_nowait()]) == [2, 3]
        assert stream.statistics().dropped_frames == 0


async def test_a_reader_that_leaves_is_gone_at_once() -> None:
    stream = Stream("front")
    with stream.subscribe() as reader:
        stream.publish(make_frame(0, key=True))
    assert stream.statistics().subscribers == 0
    assert reader.queued_bytes == 0
    stream.publish(make_frame(1))
    with pytest.raises(trio.ClosedResourceError):
        reader.receive_nowait()


async def test_a_cancelled_reader_leaves_nothing_behind(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    with trio.move_on_after(1):
        with stream.subscribe() as reader:
            await reader.receive()
    assert stream.statistics().subscribers == 0


async def test_subscribing_to_a_closed_stream_ends_at_once() -> None:
    stream = Stream("front")
    stream.publish(make_frame(0, key=True))
    stream.close()
    assert stream.gop() == ()
    with stream.subscribe() as reader, pytest.raises(trio.EndOfChannel):
        await reader.receive()


async def test_falling_behind_is_logged_at_most_once_a_second(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream("front")
    caplog.set_level(logging.WARNING)
    with stream.subscribe():
        for number in range(100):
            stream.publish(make_frame(number, key=number % 10 == 0))
    lines = [record.getMessage() for record in caplog.records if "fell behind" in record.getMessage()]
    assert 2 <= len(lines) <= 100 * FRAME_S
    assert all("front" in line for line in lines)


async def test_key_frame_requests_are_throttled(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    asked: list[float] = []
    assert not stream.request_key_frame()
    stream.set_key_frame_requester(lambda: asked.append(trio.current_time()))
    start = trio.current_time()
    for _ in range(30):
        assert stream.request_key_frame()
        await trio.sleep(0.1)
    assert len(asked) == 3
    assert asked[0] == start


async def test_statistics(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    empty = stream.statistics()
    assert (empty.frames, empty.fps, empty.gop_s, empty.frame_age_s, empty.codec) == (0, 0.0, None, None, None)
    stream.set_format(VIDEO_FORMAT)
    for number in range(200):
        stream.publish(make_frame(number, key=number % 50 == 0, arrival_s=trio.current_time()))
        await trio.sleep(FRAME_S)
    with stream.subscribe() as reader:
        reader.set_viewers(12)
        figures = stream.statistics()
    assert (figures.frames, figures.key_frames, figures.bytes) == (200, 4, 20_000)
    assert figures.fps == pytest.approx(25, rel=0.03)
    assert figures.bitrate_bps == pytest.approx(25 * 800, rel=0.03)
    assert figures.gop_s == 50 * FRAME_TICKS / 90_000
    assert figures.frame_age_s == pytest.approx(FRAME_S)
    assert (figures.cache_frames, figures.cache_bytes, figures.cache_overflows) == (50, 5000, 0)
    assert (figures.subscribers, figures.viewers) == (1, 12)
    assert (figures.codec, figures.width, figures.height, figures.nominal_fps) == ("H264", 640, 360, 25.0)
    await trio.sleep(10)
    stopped = stream.statistics()
    assert (stopped.fps, stopped.bitrate_bps) == (0.0, 0.0)
    assert stopped.frame_age_s == pytest.approx(10 + FRAME_S)


async def test_queues_and_what_is_shed_show_in_the_statistics() -> None:
    stream = Stream("front")
    with stream.subscribe() as reader, stream.subscribe():
        for number in range(5):
            stream.publish(make_frame(number, key=number == 0, arrival_s=trio.current_time() - 0.1))
        statistics = stream.statistics()
        assert statistics.queued_bytes == 2 * 500
        assert 0.1 <= statistics.queue_age_s < 5
        reader.shed()
        assert stream.statistics().queued_bytes == 500
        assert stream.statistics().shed_frames == 5
    assert stream.statistics().shed_frames == 5, "a reader that has gone still counts"
    assert stream.statistics().queued_bytes == 0


async def test_no_reader_gets_frames_of_two_codecs_mixed(autojump_clock: trio.testing.MockClock) -> None:
    stream = Stream("front")
    stream.set_format(VIDEO_FORMAT)
    waiting: list[Frame] = []
    with stream.subscribe() as late, stream.subscribe() as reader:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_all, reader, waiting)
            await trio.testing.wait_all_tasks_blocked()
            # The first one is on its way to the reader that waits, the second in both queues.
            stream.publish(make_frame(0, key=True))
            stream.publish(make_frame(1))
            stream.set_format(replace(VIDEO_FORMAT, codec="H265", profile_id=1))
            assert stream.gop() == ()
            stream.publish(make_frame(2))
            stream.publish(make_frame(3, key=True))
            await trio.testing.wait_all_tasks_blocked()
            # Another format of the same codec is no new beginning.
            stream.publish(make_frame(4))
            stream.set_format(replace(VIDEO_FORMAT, codec="H265", profile_id=2))
            stream.publish(make_frame(5))
            stream.close()
        assert numbers(waiting) == [3, 4, 5]
        assert [numbers([await late.receive()]) for _ in range(3)] == [[3], [4], [5]]


async def test_a_reader_who_cannot_start_with_the_cache_has_the_camera_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stream = Stream("front")
    asked: list[float] = []
    stream.set_key_frame_requester(lambda: asked.append(trio.current_time()))
    with stream.subscribe():
        assert len(asked) == 1
        await trio.sleep(2)
        stream.publish(make_frame(0, key=True))
        with stream.subscribe():
            assert len(asked) == 1
