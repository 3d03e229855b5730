"""Which derived streams there are: one a camera and codec, from its first viewer until some seconds after its last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import TranscodeSettings
from camgate.relay.errors import TooManyTranscoders
from camgate.relay.stream import Stream
from camgate.transcode.pool import TranscoderPool
from tests.fakes.frames import VIDEO_FORMAT, make_frame
from tests.fakes.transcoding import FakeWorkers

LINGER_S = 5.0


def a_camera(name: str) -> Stream:
    stream = Stream(name)
    stream.set_format(VIDEO_FORMAT)
    stream.publish(make_frame(0, key=True))
    return stream


@asynccontextmanager
async def running(workers: FakeWorkers, *, max_streams: int = 2) -> AsyncIterator[TranscoderPool]:
    pool = TranscoderPool(TranscodeSettings(max_streams=max_streams, linger_s=LINGER_S), workers)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        yield pool
        nursery.cancel_scope.cancel()


async def test_viewers_of_one_camera_share_a_stream_that_goes_with_the_last(autojump_clock: MockClock) -> None:
    workers, camera = FakeWorkers(), a_camera("front")
    async with running(workers) as pool:
        assert (workers.open, pool.statistics(camera)) == (0, [])
        stream = pool.derive(camera, "H264")
        with stream.wants.hold():
            assert pool.derive(camera, "H264") is stream
            await trio.sleep(100)
            assert workers.open == 1
            assert camera.wants.count > 0
            assert [each.codec for each in pool.statistics(camera)] == ["H264"]
        await trio.sleep(LINGER_S / 2)
        with pool.derive(camera, "H264").wants.hold():
            await trio.sleep(100)
        assert len(workers.setups) == 1
        await trio.sleep(LINGER_S + 0.1)
        assert (workers.open, pool.statistics(camera), camera.wants.count) == (0, [], 0)
        assert stream.closed
        assert pool.derive(camera, "H264") is not stream


async def test_a_stream_that_nobody_comes_to_want_ends(autojump_clock: MockClock) -> None:
    workers, camera = FakeWorkers(), a_camera("front")
    async with running(workers) as pool:
        pool.derive(camera, "VP8")
        await trio.sleep(LINGER_S + 0.1)
        assert (workers.open, pool.statistics(camera)) == (0, [])


async def test_one_more_than_the_limit_is_refused_unless_one_only_lingers(autojump_clock: MockClock) -> None:
    workers, front, yard, gate = FakeWorkers(), a_camera("front"), a_camera("yard"), a_camera("gate")
    async with running(workers) as pool:
        first = pool.derive(front, "H264")
        with pool.derive(front, "VP8").wants.hold():
            with first.wants.hold():
                await trio.sleep(1)
                with pytest.raises(TooManyTranscoders, match="all 2 places"):
                    pool.derive(yard, "H264")
                assert pool.refused == 1
            second = pool.derive(yard, "H264")
            with second.wants.hold():
                await trio.sleep(0.1)
                assert first.closed
                assert workers.open == 2
                with pytest.raises(TooManyTranscoders):
                    pool.derive(gate, "H264")


async def test_a_bug_in_one_ends_only_that(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    workers, front, yard = FakeWorkers(), a_camera("front"), a_camera("yard")
    async with running(workers) as pool:
        with pool.derive(front, "H264").wants.hold() as _, pool.derive(yard, "H264").wants.hold():
            await trio.sleep(1)
            broken = pool.derive(front, "H264")
            monkeypatch.setattr(broken, "publish", None)
            front.publish(make_frame(1))
            yard.publish(make_frame(1))
            await trio.sleep(1)
            assert broken.closed
            assert len(pool.statistics(yard)) == 1
