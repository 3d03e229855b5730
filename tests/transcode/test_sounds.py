"""Derived streams of sound: one worker for all, while somebody listens, and alive again after each crash."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.audio import AudioStream
from camgate.transcode.messages import SOUND_ID, Kind
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from camgate.transcode.sound import OPUS_HZ
from camgate.transcode.sounds import HANG_S, LINGER_S, OPUS, SoundPool
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from tests.fakes import encoded_sound
from tests.fakes.encoded_sound import decode_opus
from tests.fakes.tone import TONE_HZ, pitch_hz

AAC = AudioFormat(codec="MPEG4-GENERIC", clock_hz=16_000, channels=1, config=b"\x14\x08")
FRAME_S = 0.064


class FakeWorkers:
    """Opened as `open_worker` is: gives each frame back, but takes none while it hangs."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.shared = {"hangs": False}
        self.streams: dict[int, dict[str, object]] = {}

    @asynccontextmanager
    async def __call__(self, setup: dict[str, object]) -> AsyncIterator["FakeWorkers"]:
        assert setup["task"] == "sound"
        self.opened += 1
        self.open += 1
        self.streams = {}
        self.out, self._in = trio.open_memory_channel[tuple[Kind, bytes]](1000)
        self.out.send_nowait((Kind.READY, b"{}"))
        try:
            # Another object each time, as another process is.
            yield copy(self)
        finally:
            self.open -= 1

    async def send(self, kind: Kind, head: bytes, body: bytes) -> None:
        (number,) = SOUND_ID.unpack(head)
        await trio.lowlevel.checkpoint()
        if kind is Kind.OPEN:
            self.streams[number] = json.loads(body)
        elif kind is Kind.CLOSE:
            del self.streams[number]
        elif not self.shared["hangs"]:
            assert number in self.streams
            try:
                self.out.send_nowait((Kind.SOUND, head + body))
                self.out.send_nowait((Kind.HEARD, head))
            except trio.ClosedResourceError:
                raise WorkerEnded("was ended by SIGSEGV") from None

    async def receive(self) -> tuple[Kind, bytes]:
        try:
            return await self._in.receive()
        except trio.EndOfChannel:
            raise WorkerEnded("was ended by SIGSEGV") from None

    def kill(self) -> None:
        self.out.close()


async def speak(stream: AudioStream, frames: int, *, first: int = 0) -> None:
    """Publish so many frames at their pace."""
    for number in range(first, first + frames):
        stream.publish(Frame((b"%d" % number,), 1024 * number, trio.current_time(), is_key=True))
        await trio.sleep(FRAME_S)


async def listen(stream: AudioStream, heard: list[Frame]) -> None:
    with stream.subscribe() as subscription:
        async for frame in subscription:
            heard.append(frame)


@asynccontextmanager
async def running(workers: FakeWorkers) -> AsyncIterator[tuple[SoundPool, trio.Nursery]]:
    pool = SoundPool(workers)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        yield pool, nursery
        nursery.cancel_scope.cancel()


async def test_one_worker_makes_the_sound_of_all_cameras_while_they_are_heard(autojump_clock: MockClock) -> None:
    workers, cameras = FakeWorkers(), [AudioStream(name, AAC) for name in ("front", "yard")]
    heard: list[list[Frame]] = [[], []]
    async with running(workers) as (pool, _):
        await trio.sleep(100)
        assert workers.opened == 0
        async with trio.open_nursery() as listeners:
            for camera, frames in zip(cameras, heard, strict=True):
                derived = pool.derive(camera)
                assert pool.derive(camera) is derived
                assert (derived.format, derived.lip_sync) == (OPUS, camera.lip_sync)
                listeners.start_soon(listen, derived, frames)
            await wait_all_tasks_blocked()
            async with trio.open_nursery() as speakers:
                for camera in cameras:
                    speakers.start_soon(speak, camera, 100)
            assert [len(frames) for frames in heard] == [100, 100]
            assert [frame.rtp_time for frame in heard[0]] == [1024 * number for number in range(100)]
            assert heard[0][-1].arrival_s == pytest.approx(trio.current_time(), abs=2 * FRAME_S)
            facts = {"codec": "MPEG4-GENERIC", "clock_hz": 16_000, "channels": 1, "config": "1408"}
            assert list(workers.streams.values()) == [facts, facts]
            assert workers.opened == 1
            assert cameras[0].wants.count > 0
            listeners.cancel_scope.cancel()
        await trio.sleep(LINGER_S / 2)
        assert len(workers.streams) == 2
        await trio.sleep(LINGER_S)
        assert (workers.streams, cameras[0].wants.count) == ({}, 0)
        await trio.sleep(LINGER_S)
        assert workers.open == 0


async def test_who_comes_as_a_stream_is_about_to_end_is_heard(autojump_clock: MockClock) -> None:
    """A viewer holds the stream a moment after it was chosen."""
    camera = AudioStream("front", AAC)
    async with running(FakeWorkers()) as (pool, _):
        with pool.derive(camera).wants.hold():
            await wait_all_tasks_blocked()
        await trio.sleep(LINGER_S - 0.001)
        derived = pool.derive(camera)
        await trio.sleep(0.002)
        assert (derived.closed, pool.is_making(camera)) == (False, True)
        with derived.wants.hold():
            await trio.sleep(2 * LINGER_S)
        await trio.sleep(LINGER_S - 0.001)
        assert (derived.closed, pool.is_making(camera)) == (False, True)
        await trio.sleep(0.002)
        assert (derived.closed, pool.is_making(camera)) == (True, False)


async def test_listeners_stay_when_the_worker_ends(autojump_clock: MockClock) -> None:
    workers, camera, heard = FakeWorkers(), AudioStream("front", AAC), []
    async with running(workers) as (pool, nursery):
        derived = pool.derive(camera)
        nursery.start_soon(listen, derived, heard)
        await wait_all_tasks_blocked()
        await speak(camera, 10)
        workers.kill()
        await speak(camera, 50, first=10)
        assert (workers.opened, pool.restarts, derived.closed) == (2, 1, False)
        assert heard[-1].rtp_time == 59 * 1024
        times = [frame.rtp_time for frame in heard]
        assert times == sorted(set(times))
        assert pool.derive(camera) is derived


async def test_a_worker_that_hangs_is_killed_and_takes_little_meanwhile(autojump_clock: MockClock) -> None:
    workers, camera, heard = FakeWorkers(), AudioStream("front", AAC), []
    async with running(workers) as (pool, nursery):
        nursery.start_soon(listen, pool.derive(camera), heard)
        await wait_all_tasks_blocked()
        workers.shared["hangs"] = True
        await speak(camera, 10)
        workers.shared["hangs"] = False
        await speak(camera, int(1.2 * HANG_S / FRAME_S), first=10)
        assert workers.opened == 1
        workers.shared["hangs"] = True
        await speak(camera, int(1.2 * HANG_S / FRAME_S), first=1000)
        workers.shared["hangs"] = False
        assert workers.opened == 2
        # Only in the pause between the two.
        assert camera.statistics().dropped_frames < 10
        await speak(camera, 10, first=2000)
        assert heard[-1].rtp_time >= 2000 * 1024


async def test_a_silent_camera_is_no_worker_that_hangs(autojump_clock: MockClock) -> None:
    workers, camera, heard = FakeWorkers(), AudioStream("front", AAC), []
    async with running(workers) as (pool, nursery):
        nursery.start_soon(listen, pool.derive(camera), heard)
        await wait_all_tasks_blocked()
        await speak(camera, 3)
        await trio.sleep(5 * HANG_S)
        await speak(camera, 3, first=10)
        assert (workers.opened, len(heard)) == (1, 6)


async def test_a_stream_ends_with_the_cameras(autojump_clock: MockClock) -> None:
    workers, camera = FakeWorkers(), AudioStream("front", AAC)
    async with running(workers) as (pool, nursery):
        derived = pool.derive(camera)
        nursery.start_soon(listen, derived, [])
        await wait_all_tasks_blocked()
        await speak(camera, 3)
        camera.close()
        await trio.sleep(1)
        assert derived.closed
        assert workers.streams == {}


async def test_what_cannot_be_decoded_is_said(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    workers, camera = FakeWorkers(), AudioStream("front", AAC)
    async with running(workers) as (pool, nursery):
        nursery.start_soon(listen, pool.derive(camera), [])
        await wait_all_tasks_blocked()
        await speak(camera, 3)
        for kind, body in (
            (Kind.UNUSABLE, SOUND_ID.pack(0) + b"no"),
            (Kind.HEARD, SOUND_ID.pack(77)),
            (Kind.HEARD, b""),
        ):
            workers.out.send_nowait((kind, body))
        await trio.sleep(1)
        assert "a camera's sound cannot be decoded" in caplog.text
        workers.out.send_nowait((Kind.SOUND, SOUND_ID.pack(0) + b"nonsense"))
        await speak(camera, 30, first=3)
        assert workers.opened == 2


async def test_real_aac_is_heard_as_opus_from_a_real_process() -> None:
    sound = encoded_sound.encode("aac", 16_000)
    camera = AudioStream("front", AudioFormat(codec="MPEG4-GENERIC", clock_hz=16_000, config=sound.config))
    heard: list[Frame] = []

    @asynccontextmanager
    async def opened(setup: dict[str, object]) -> AsyncIterator[Worker]:
        async with open_worker(setup) as worker:
            yield worker

    pool = SoundPool(opened)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run)
            nursery.start_soon(listen, pool.derive(camera), heard)
            await wait_all_tasks_blocked()
            number = 0
            while len(heard) < 40:
                # As long as it takes the process to start, nobody hears anything.
                piece = sound.pieces[number % len(sound.pieces)]
                camera.publish(Frame((piece,), sound.ticks * number, trio.current_time(), is_key=True))
                number += 1
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert {after.rtp_time - before.rtp_time for before, after in pairwise(heard[1:])} == {960}
    _, samples = decode_opus([frame.nals[0] for frame in heard])
    assert pitch_hz(samples[len(samples) // 2 :], OPUS_HZ) == pytest.approx(TONE_HZ, abs=40)


async def test_a_bug_in_one_stream_ends_no_other(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, cameras = FakeWorkers(), [AudioStream(name, AAC) for name in ("front", "yard")]
    heard: list[list[Frame]] = [[], []]
    send = FakeWorkers.send

    async def fail(self: FakeWorkers, kind: Kind, head: bytes, body: bytes) -> None:
        if kind is Kind.SOUND and SOUND_ID.unpack(head) == (0,):
            raise ZeroDivisionError
        await send(self, kind, head, body)

    monkeypatch.setattr(FakeWorkers, "send", fail)
    async with running(workers) as (pool, nursery):
        for camera, frames in zip(cameras, heard, strict=True):
            nursery.start_soon(listen, pool.derive(camera), frames)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as speakers:
            for camera in cameras:
                speakers.start_soon(speak, camera, 20)
        assert [len(frames) for frames in heard] == [0, 20]
    assert "internal error" in caplog.text
