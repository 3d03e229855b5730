"""A derived stream: everything from the last key frame on, bounded, and alive again after each crash."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.config.model import TranscodeSettings
from camgate.relay.stream import Stream
from camgate.transcode.messages import Kind
from camgate.transcode.transcoder import HANG_S, MAX_WAITING, STABLE_S, Transcoder
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import FRAME_S, VIDEO_FORMAT, make_frame, numbers
from tests.fakes.transcoding import FakeWorkers


class Run:
    """A camera, its transcoder at work, and what came out."""

    def __init__(self) -> None:
        self.workers = FakeWorkers()
        self.source = Stream("front")
        self.source.set_format(VIDEO_FORMAT)
        self.transcoder = Transcoder(self.source, "H264", TranscodeSettings(), self.workers)  # type: ignore[arg-type]
        self.made: list[Frame] = []
        self.number = 0

    async def collect(self) -> None:
        with self.transcoder.stream.subscribe() as subscription:
            async for frame in subscription:
                self.made.append(frame)

    async def film(self, count: int, *, gop: int = 25) -> None:
        """Publish so many frames at the camera's pace."""
        for _ in range(count):
            frame = make_frame(self.number, key=self.number % gop == 0, arrival_s=trio.current_time())
            self.source.publish(frame)
            self.number += 1
            await trio.sleep(FRAME_S)


@asynccontextmanager
async def running(run: Run) -> AsyncIterator[Run]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.transcoder.run)
        nursery.start_soon(run.collect)
        await wait_all_tasks_blocked()
        yield run
        nursery.cancel_scope.cancel()


async def test_it_begins_at_the_key_frame_and_shows_the_newest_picture_first(autojump_clock: MockClock) -> None:
    run = Run()
    await run.film(10)
    async with running(run):
        await run.film(20)
        assert run.workers.last
        assert [media.rtp_time // 3600 for media in run.workers.last.seen] == list(range(30))
        assert [media.is_unseen for media in run.workers.last.seen] == [True] * 9 + [False] * 21
        assert numbers(run.made) == list(range(9, 30))
        assert run.workers.setups == [run.workers.setups[0]]


async def test_pictures_are_timed_by_when_they_are_shown(autojump_clock: MockClock) -> None:
    """With B-frames that is another time than the one that tells their order."""
    run = Run()
    async with running(run):
        frame = make_frame(0, key=True)
        frame.display_time = 7200
        run.source.publish(frame)
        await trio.sleep(1)
        assert run.workers.last
        assert [media.rtp_time for media in run.workers.last.seen] == [7200]


async def test_what_comes_out_arrives_when_it_does_and_says_how_much_later_that_is(autojump_clock: MockClock) -> None:
    run = Run()
    run.workers.slow_s = 0.03
    async with running(run):
        await run.film(50)
        assert run.transcoder.statistics().delay_s == pytest.approx(0.03, abs=0.005)
        assert run.made[-1].arrival_s == pytest.approx(trio.current_time(), abs=0.02)


async def test_a_worker_that_ends_is_started_again_ever_more_slowly(autojump_clock: MockClock) -> None:
    run = Run()
    async with running(run):
        await run.film(10)
        assert run.workers.last
        run.workers.last.kill()
        await run.film(30)
        assert len(run.workers.setups) == 2
        assert run.transcoder.statistics().restarts == 1
        assert run.transcoder.statistics().last_error == "the worker process was ended by SIGSEGV"
        times = [frame.rtp_time for frame in run.made]
        assert times == sorted(set(times))
        run.workers.refuses_to_start = True
        run.workers.last.kill()
        await trio.sleep(120)
        assert 6 <= len(run.workers.setups) - 2 <= 10
        run.workers.refuses_to_start = False
        await trio.sleep(40)
        before = len(run.workers.setups)
        await run.film(int(1.1 * STABLE_S / FRAME_S))
        run.workers.last.kill()
        await run.film(25)
        assert len(run.workers.setups) == before + 1


async def test_a_worker_that_hangs_is_killed(autojump_clock: MockClock) -> None:
    run = Run()
    run.workers.hangs = True
    async with running(run):
        await run.film(5)
        run.workers.hangs = False
        await run.film(int(1.5 * HANG_S / FRAME_S))
        assert len(run.workers.setups) == 2
        await run.film(50)
        assert run.made


async def test_a_still_camera_is_no_worker_that_hangs(autojump_clock: MockClock) -> None:
    run = Run()
    async with running(run):
        await run.film(10)
        await trio.sleep(10 * HANG_S)
        await run.film(10)
        assert len(run.workers.setups) == 1


async def test_one_that_is_too_slow_drops_to_key_frames_and_stays_near_live(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run()
    run.workers.slow_s = 3 * FRAME_S
    async with running(run):
        await run.film(250)
        statistics = run.transcoder.statistics()
        # It can do a third of the pictures.
        assert 100 < statistics.frames_dropped < 200
        assert statistics.delay_s < 1 + (MAX_WAITING + 2) * run.workers.slow_s
        assert "too slow to transcode" in caplog.text
        for before, after in zip(run.made, run.made[1:], strict=False):
            assert after.is_key or after.rtp_time - before.rtp_time == 3600


async def test_the_camera_waits_for_nobody(autojump_clock: MockClock) -> None:
    """What is behind a worker that takes nothing is bounded, and other readers get every frame."""
    run = Run()
    run.workers.hangs = True
    with run.source.subscribe() as other:
        async with running(run):
            for _ in range(100):
                await run.film(1)
                other.receive_nowait()
            assert run.source.statistics().queued_bytes < 40 * 200
        assert other.dropped_frames == 0


async def test_a_camera_that_changes_its_codec_gets_another_decoder(autojump_clock: MockClock) -> None:
    run = Run()
    async with running(run):
        await run.film(10)
        run.source.set_format(type(VIDEO_FORMAT)(**{**_fields(VIDEO_FORMAT), "codec": "H265"}))
        await run.film(30)
        assert [setup["codec"] for setup in run.workers.setups] == ["H264", "H265"]
        assert run.transcoder.statistics().restarts == 1


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]


async def test_hardware_that_fails_on_a_stream_is_not_used_for_it_again(autojump_clock: MockClock) -> None:
    run = Run()
    run.workers.encoder = "h264_nvenc"
    async with running(run):
        await run.film(10)
        assert run.transcoder.statistics().is_hardware
        assert run.workers.last
        run.workers.last.tell(Kind.FAILED, b"encoder h264_nvenc: out of memory")
        await run.film(30)
        assert [setup["hardware"] for setup in run.workers.setups] == ["auto", "off"]
        assert run.transcoder.statistics().last_error == (
            "the worker process gave up: encoder h264_nvenc: out of memory"
        )


async def test_a_wish_for_a_key_frame_reaches_the_encoder(autojump_clock: MockClock) -> None:
    run = Run()
    async with running(run):
        await run.film(10)
        run.transcoder.stream.request_key_frame()
        await run.film(1)
        assert run.workers.last
        assert run.workers.last.keys_asked == 1


@pytest.mark.parametrize("body", [b"", b"x" * 30, bytes(17) + b"\0\0\0\xff"])
async def test_nonsense_from_a_worker_ends_it(autojump_clock: MockClock, body: bytes) -> None:
    run = Run()
    async with running(run):
        await run.film(2)
        assert run.workers.last
        run.workers.last.tell(Kind.MEDIA, body)
        await run.film(30)
        assert len(run.workers.setups) == 2
        assert run.transcoder.statistics().last_error == "the worker process sent what is no message"


async def test_it_ends_with_the_cameras_stream(autojump_clock: MockClock) -> None:
    run = Run()
    await run.film(3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.transcoder.run)
        await trio.sleep(1)
        run.source.close()
    assert run.workers.open == 0


async def test_a_camera_that_never_came_costs_no_worker(autojump_clock: MockClock) -> None:
    run = Run()
    run.source.format = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.transcoder.run)
        await trio.sleep(1)
        run.source.close()
    assert run.workers.setups == []
