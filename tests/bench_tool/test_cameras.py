"""The built-in cameras: in time, marked, and not in step with each other."""

from dataclasses import asdict

import trio
import trio.testing

from camgate.bench.cameras import CamerasSettings, camera_name, film
from camgate.bench.clip import Clip, ClipSettings, Picture
from camgate.bench.marks import find_mark
from camgate.relay.source import CameraState, Source
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from tests.fakes.h264 import PPS, SPS, slice_nal

GOP = 10
PICTURES = tuple(
    Picture((SPS, PPS, slice_nal(key=True)) if place % GOP == 0 else (slice_nal(),), place % GOP == 0)
    for place in range(2 * GOP)
)
FORMAT = VideoFormat(
    codec="H264", sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=25.0, may_reorder=False
)
CLIP = Clip(PICTURES, FORMAT, fps=25)


async def filmed(number: int, cameras: int, seconds: float) -> tuple[Source, list[Frame]]:
    source = Source(camera_name(number))
    frames = []
    with source.stream.subscribe() as subscription:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(film, source, CLIP, number, cameras)
                async for frame in subscription:
                    frames.append(frame)
    return source, frames


async def test_a_camera_keeps_its_pace_and_marks_each_frame(autojump_clock: trio.testing.MockClock) -> None:
    source, frames = await filmed(0, 1, 2.001)
    assert source.state is CameraState.LIVE
    assert len(frames) == 51
    assert [frame.rtp_time - frames[0].rtp_time for frame in frames[:3]] == [0, 3600, 7200]
    assert [frame.is_key for frame in frames[: 2 * GOP + 1]] == [place % GOP == 0 for place in range(2 * GOP + 1)]
    marks = [find_mark(frame.nals[-1]) for frame in frames]
    assert [mark and mark.frame for mark in marks] == list(range(51))


async def test_cameras_begin_anywhere_in_the_loop_and_readers_at_a_key_frame(
    autojump_clock: trio.testing.MockClock,
) -> None:
    firsts = []
    for number in range(4):
        _, frames = await filmed(number, 4, 1.0)
        assert frames[0].is_key
        mark = find_mark(frames[0].nals[-1])
        assert mark is not None
        firsts.append(mark.frame)
    assert len(set(firsts)) == 4


def test_settings_cross_the_link() -> None:
    settings = CamerasSettings(cameras=3, clip=ClipSettings(fps=10))
    assert CamerasSettings.of_message(settings.as_message()) == settings
    assert asdict(settings)["clip"]["fps"] == 10
