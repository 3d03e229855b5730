"""Snapshots: decoded once however many ask, and only by a process that may break."""

import os
import signal
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import av
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.errors import NoSnapshot, TooManySnapshots
from camgate.relay.stream import Stream
from camgate.transcode.messages import SNAPSHOT_HEAD, Kind
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from camgate.transcode.snapshots import DECODE_TIMEOUT_S, FRESH_S, IDLE_S, MAX_WAITING, Snapshot, Snapshots
from camgate.wire.codec.frame import Frame
from tests.fakes import encoded
from tests.fakes.frames import VIDEO_FORMAT, make_frame


class FakeWorker:
    """Answers each key frame with its size, until `kill`; `work` waits, fails or answers otherwise in its place."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.asked: list[tuple[str, int]] = []
        self.deaths = 0
        self.cannot_start = False
        self.hangs = False
        self.refuses = False
        self._alive = True

    @asynccontextmanager
    async def __call__(self, setup: dict[str, object]) -> AsyncIterator["FakeWorker"]:
        self.opened += 1
        if self.cannot_start:
            raise WorkerEnded("cannot be started")
        self.open += 1
        self._alive = True
        try:
            yield self
        finally:
            self.open -= 1

    async def send(self, kind: Kind, *parts: bytes) -> None:
        assert kind is Kind.SNAPSHOT
        await trio.sleep(0.1)
        if not self._alive:
            raise WorkerEnded("is gone")
        codec, width = SNAPSHOT_HEAD.unpack(parts[0])
        self.asked.append((codec.rstrip(b"\0").decode(), width))
        self._answer = b"%d at %d" % (len(parts[1]), width)

    async def receive(self) -> tuple[Kind, bytes]:
        if self.deaths:
            self.deaths -= 1
            raise WorkerEnded("was ended by SIGSEGV")
        if self.hangs:
            await trio.sleep_forever()
        return (Kind.FAILED, b"it is black") if self.refuses else (Kind.PICTURE, self._answer)

    def kill(self) -> None:
        self._alive = False


@asynccontextmanager
async def running(worker: FakeWorker) -> AsyncIterator[Snapshots]:
    snapshots = Snapshots(worker)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(snapshots.run)
        yield snapshots
        nursery.cancel_scope.cancel()


def a_stream(name: str = "front") -> Stream:
    stream = Stream(name)
    stream.set_format(VIDEO_FORMAT)
    stream.publish(make_frame(0, key=True))
    return stream


async def test_fifty_who_ask_at_once_get_one_picture_that_is_made_once(autojump_clock: MockClock) -> None:
    worker, stream, got = FakeWorker(), a_stream(), []

    async def ask(snapshots: Snapshots) -> None:
        got.append(await snapshots.take(stream, 0))

    async with running(worker) as snapshots:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask, snapshots)
        assert len(got) == 50
        assert len({id(snapshot) for snapshot in got}) == 1
        assert worker.asked == [("H264", 0)]


async def test_a_picture_serves_for_a_second_and_its_key_frame_for_ever(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        first = await snapshots.take(stream, 0)
        await trio.sleep(10)
        assert await snapshots.take(stream, 0) is first
        stream.publish(make_frame(1, key=True))
        second = await snapshots.take(stream, 0)
        assert second is not first
        for number in range(2, 7):
            stream.publish(make_frame(number, key=True))
            await trio.sleep(FRESH_S / 6)
            assert await snapshots.take(stream, 0) is second
        await trio.sleep(2 * FRESH_S)
        assert await snapshots.take(stream, 0) is not second
        assert (await snapshots.take(stream, 320)).jpeg.endswith(b" at 320")
        assert len(worker.asked) == 4


async def test_the_worker_lives_while_it_is_wanted(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        await trio.sleep(100)
        assert worker.opened == 0
        await snapshots.take(stream, 0)
        await trio.sleep(IDLE_S / 2)
        await snapshots.take(stream, 320)
        assert (worker.opened, worker.open) == (1, 1)
        await trio.sleep(IDLE_S + 1)
        assert worker.open == 0
        await snapshots.take(stream, 640)
        assert worker.opened == 2


async def test_who_goes_away_does_not_take_the_picture_from_the_others(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        with trio.move_on_after(0.05):
            await snapshots.take(stream, 0)
        assert isinstance(await snapshots.take(stream, 0), Snapshot)
        assert len(worker.asked) == 1


async def test_a_key_frame_that_breaks_the_decoder_is_tried_twice_and_then_said(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        worker.deaths = 1
        await snapshots.take(stream, 0)
        assert worker.opened == 2
        worker.deaths = 2
        with pytest.raises(NoSnapshot, match="broke the decoder"):
            await snapshots.take(stream, 320)
        with pytest.raises(NoSnapshot, match="broke the decoder"):
            await snapshots.take(stream, 320)
        assert worker.opened == 3
        await trio.sleep(2 * FRESH_S)
        await snapshots.take(stream, 320)
        assert worker.opened == 4


async def test_a_worker_that_cannot_be_started_is_no_reason_to_spin(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        worker.cannot_start = True
        with trio.fail_after(5), pytest.raises(NoSnapshot, match="no process to decode it could be started"):
            await snapshots.take(stream, 0)
        assert worker.opened == 2
        worker.cannot_start = False
        await trio.sleep(2 * FRESH_S)
        await snapshots.take(stream, 0)


async def test_a_decoder_that_hangs_is_killed(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        worker.hangs = True
        began_s = trio.current_time()
        with pytest.raises(NoSnapshot, match="took too long"):
            await snapshots.take(stream, 0)
        assert trio.current_time() - began_s == pytest.approx(DECODE_TIMEOUT_S, abs=0.5)
        worker.hangs = False
        await snapshots.take(stream, 320)
        assert worker.opened == 2


async def test_a_refusal_is_told_in_the_workers_words(autojump_clock: MockClock) -> None:
    worker = FakeWorker()
    worker.refuses = True
    async with running(worker) as snapshots:
        with pytest.raises(NoSnapshot, match="camera 'front': it is black; try again in 2 s"):
            await snapshots.take(a_stream(), 0)
        assert worker.opened == 1


async def test_more_than_can_be_made_soon_is_refused(autojump_clock: MockClock) -> None:
    worker, refused = FakeWorker(), []

    async def ask(snapshots: Snapshots, width: int) -> None:
        try:
            await snapshots.take(stream, width)
        except TooManySnapshots as error:
            refused.append(error)

    stream = a_stream()
    async with running(worker) as snapshots, trio.open_nursery() as nursery:
        for width in range(100, 110 + MAX_WAITING):
            nursery.start_soon(ask, snapshots, width)
        await wait_all_tasks_blocked()
        # One or two may already be with the worker.
        assert 8 <= len(refused) <= 10


async def test_a_camera_without_a_key_frame_is_waited_for(autojump_clock: MockClock) -> None:
    worker, stream = FakeWorker(), Stream("front")
    async with running(worker) as snapshots, trio.open_nursery() as nursery:
        with pytest.raises(NoSnapshot, match="no key frame in time"):
            await snapshots.take(stream, 0)
        nursery.start_soon(snapshots.take, stream, 0)
        await wait_all_tasks_blocked()
        stream.publish(make_frame(0, key=True))
    assert len(worker.asked) == 1


async def test_what_is_kept_is_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camgate.transcode.snapshots.MAX_KEPT_BYTES", 40)
    worker, stream = FakeWorker(), a_stream()
    async with running(worker) as snapshots:
        for width in range(100, 110):
            await snapshots.take(stream, width)
        await snapshots.take(stream, 109)
        assert len(worker.asked) == 10
        await snapshots.take(stream, 100)
        assert len(worker.asked) == 11


async def test_key_frames_are_not_kept_nor_pictures_that_stand_for_none(autojump_clock: MockClock) -> None:
    """What is kept is counted by its JPEGs: the key frames that they were made of took a hundred times as much."""
    worker, front, yard = FakeWorker(), a_stream(), a_stream("yard")
    async with running(worker) as snapshots:
        for width in range(100, 110):
            await snapshots.take(front, width)
        frame = weakref.ref(front.gop()[0])
        front.publish(make_frame(1, key=True))
        assert frame() is None
        await trio.sleep(2 * FRESH_S)
        await snapshots.take(yard, 0)
        assert list(snapshots._made) == [("yard", 0)]
        yard.publish(make_frame(1, key=True))
        await trio.sleep(2 * IDLE_S)
        assert (len(snapshots._made), snapshots._kept_bytes) == (0, 0)


@pytest.mark.parametrize("codec", ["H264", "H265"])
async def test_a_real_key_frame_becomes_a_real_jpeg(codec: str) -> None:
    """By a real process, which is killed in between."""
    pids: list[int] = []

    @asynccontextmanager
    async def opened(setup: dict[str, object]) -> AsyncIterator[Worker]:
        async with open_worker(setup) as worker:
            pids.append(worker.pid)
            yield worker

    snapshots, stream = Snapshots(opened), Stream("front")
    stream.set_format(encoded.video_format(codec))
    for frame in encoded.frames(codec, pictures=3):
        stream.publish(frame)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(snapshots.run)
            whole = _decoded((await snapshots.take(stream, 0)).jpeg)
            os.kill(pids[0], signal.SIGKILL)
            small = _decoded((await snapshots.take(stream, 32)).jpeg)
            broken = Stream("broken")
            broken.set_format(encoded.video_format(codec))
            broken.publish(Frame((b"\x65" + bytes(range(200)),), 0, 0, True))
            with pytest.raises(NoSnapshot, match="holds no picture"):
                await snapshots.take(broken, 0)
            nursery.cancel_scope.cancel()
    assert ((whole.width, whole.height), (small.width, small.height)) == ((64, 48), (32, 24))
    # From the camera's limited range to JPEG's full one.
    wanted = (encoded.grey(0) - 16) * 255 / 219
    for picture in (whole, small):
        luma = picture.planes[0]
        assert bytes(luma)[luma.line_size * (picture.height // 2) + picture.width // 2] == pytest.approx(wanted, abs=3)
    assert len(set(pids)) == 2


def _decoded(jpeg: bytes) -> av.VideoFrame:
    with av.open(BytesIO(jpeg), format="mjpeg") as container:
        return next(container.decode(video=0))
