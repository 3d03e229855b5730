"""A demo camera's pace, in virtual time."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from camgate.demo.encoder import EncodedPicture
from camgate.demo.film import film
from camgate.relay.source import CameraState, Source
from camgate.wire.codec.frame import Frame
from tests.fakes.camera import KEY_SLICE, OTHER_SLICE, PPS, SPS

FPS = 25


class Studio:
    """Takes pictures that say which they are; `delays_s` is how long each takes, by its number."""

    def __init__(self, delays_s: dict[int, float] | None = None) -> None:
        self.taken: list[tuple[int, int]] = []
        self._delays_s = delays_s or {}

    async def take(self, frame: int, slot: int) -> EncodedPicture:
        self.taken.append((frame, slot))
        await trio.sleep(self._delays_s.get(frame, 0.005))
        is_key = frame % 50 == 0
        return EncodedPicture((SPS, PPS, KEY_SLICE) if is_key else (OTHER_SLICE,), is_key)


@asynccontextmanager
async def filming(studio: Studio) -> AsyncIterator[tuple[Source, list[Frame]]]:
    source = Source("garden")
    frames: list[Frame] = []

    async def read() -> None:
        with source.stream.subscribe() as subscription:
            async for frame in subscription:
                frames.append(frame)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(film, source, FPS, studio.take)
        yield source, frames
        nursery.cancel_scope.cancel()


def steps(numbers: Iterable[float]) -> list[float]:
    return [round(b - a, 6) for a, b in pairwise(numbers)]


async def test_pictures_keep_their_pace_without_drift(autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    async with filming(Studio()) as (_, frames):
        await trio.sleep(4 - 0.01)
    assert len(frames) == 4 * FPS
    assert set(steps(frame.rtp_time for frame in frames)) == {3600}
    assert set(steps(frame.arrival_s for frame in frames)) == {0.04}
    assert frames[0].arrival_s - began_s == pytest.approx(0.005)


async def test_late_pictures_are_skipped_not_bunched(autojump_clock: MockClock) -> None:
    studio = Studio({10: 0.25})
    async with filming(studio) as (_, frames):
        await trio.sleep(1)
    assert studio.taken[9:13] == [(9, 9), (10, 10), (11, 17), (12, 18)]
    assert min(steps(frame.arrival_s for frame in frames[:10] + frames[12:])) >= 0.04
    assert [frame.rtp_time - frames[10].rtp_time for frame in frames[11:13]] == [7 * 3600, 8 * 3600]


async def test_a_studio_that_is_always_too_slow_skips_every_other_slot(autojump_clock: MockClock) -> None:
    studio = Studio(dict.fromkeys(range(1000), 0.06))
    async with filming(studio):
        await trio.sleep(1)
    assert {slot % 2 for _, slot in studio.taken} == {0}


async def test_the_camera_is_live_from_its_first_picture_on(autojump_clock: MockClock) -> None:
    async with filming(Studio()) as (source, _):
        assert source.state is CameraState.CONNECTING
        video = await source.wait_live(1)
    assert (video.sps, video.pps, video.width, video.height) == (SPS, PPS, 640, 360)
