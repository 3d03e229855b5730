"""Who reads viewers' datagrams, and when: the readers at once, or the senders with each frame."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from camgate.serve.webrtc.attention import ATTENTIVE_S, FRAMES_FLOW_S, REST_S, Attention

FRAME_S = 0.04


class Reader:
    """Reads whatever has come, each time that it is told to look; `is_resting` tells who tells it."""

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.looks = 0
        self.is_resting = False

    def look(self) -> None:
        self.looks += 1

    async def run(self) -> None:
        while True:
            self.is_resting = True
            await self.attention.rest(self.look)
            self.is_resting = False
            await trio.sleep(0.001)


@asynccontextmanager
async def _reader() -> AsyncIterator[Reader]:
    reader = Reader(Attention())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        yield reader
        nursery.cancel_scope.cancel()


async def _frames(attention: Attention, count: int) -> None:
    for _ in range(count):
        attention.note_frame()
        await trio.sleep(FRAME_S)


async def test_without_frames_the_reader_never_rests(autojump_clock: MockClock) -> None:
    async with _reader() as reader:
        await trio.sleep(1)
        assert not reader.is_resting
        assert reader.looks == 0


async def test_while_frames_flow_each_one_brings_a_look(autojump_clock: MockClock) -> None:
    async with _reader() as reader:
        await _frames(reader.attention, 2)
        reader.looks = 0
        await _frames(reader.attention, 20)
        assert reader.is_resting
        assert reader.looks == 20


async def test_frames_of_many_cameras_do_not_bring_more_looks(autojump_clock: MockClock) -> None:
    async with _reader() as reader:
        for _ in range(1_000):
            reader.attention.note_frame()
            await trio.sleep(0.001)
        assert 190 <= reader.looks <= 260


async def test_the_reader_is_back_soon_after_the_last_frame(autojump_clock: MockClock) -> None:
    async with _reader() as reader:
        await _frames(reader.attention, 10)
        await trio.sleep(FRAMES_FLOW_S + REST_S)
        assert not reader.is_resting


async def test_a_call_brings_the_reader_back_at_once_and_for_a_while(autojump_clock: MockClock) -> None:
    async with _reader() as reader, trio.open_nursery() as nursery:
        nursery.start_soon(_frames, reader.attention, 200)
        await trio.sleep(1)
        assert reader.is_resting
        reader.attention.call()
        await trio.sleep(0.0005)
        assert not reader.is_resting
        looks = reader.looks
        await trio.sleep(ATTENTIVE_S - 0.1)
        assert reader.looks == looks
        await trio.sleep(0.2)
        assert reader.looks > looks
