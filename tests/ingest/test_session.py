"""A session alone, against the scripted camera: what it plays, what it notices, how it leaves."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from camgate.base.errors import RemoteError
from camgate.config.model import CameraSettings
from camgate.ingest.errors import (
    CameraHungUp,
    CameraMoved,
    CameraMute,
    CameraStalled,
    NoKeyFrame,
    UnsupportedScheme,
    UnsupportedVideo,
)
from camgate.ingest.intake import open_intake
from camgate.ingest.session import HANG_UP_S, KEY_FRAME_PATIENCE_S, MAX_REDIRECTS, drop_oldest, play_camera
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import ReceiverReport, parse_rtcp_untrusted
from camgate.wire.rtsp.errors import AuthenticationFailed, ResponseTimeout, UnexpectedStatus
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.track import Track
from tests.fakes.camera import GOP_FRAMES, FakeCamera

VIRTUAL_LIMIT_S = 1000
"""Virtual time for ever is real time for ever: what should have ended by then has failed."""


class Sink:
    """A session's listener that keeps what it is told."""

    def __init__(self) -> None:
        self.described: list[Described] = []
        self.playing: list[Track] = []
        self.formats: list[VideoFormat] = []
        self.frames: list[Frame] = []

    def on_described(self, camera: Described) -> None:
        self.described.append(camera)

    def on_playing(self, track: Track) -> None:
        self.playing.append(track)

    def on_format(self, video: VideoFormat) -> None:
        self.formats.append(video)

    def on_frames(self, frames: list[Frame]) -> None:
        self.frames += frames


def settings(camera: FakeCamera, password: str | None = None) -> CameraSettings:
    username = None if password is None else "admin"
    return CameraSettings(name="front", url="rtsp://192.0.2.7/stream", username=username, password=password)


@asynccontextmanager
async def serving(camera: FakeCamera) -> AsyncIterator[None]:
    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(camera.run)
            yield
            nursery.cancel_scope.cancel()


async def play(camera: FakeCamera, *, sink: Sink | None = None, password: str | None = None) -> None:
    connection = await camera.dial("192.0.2.7", 554, 5)
    async with open_intake(camera.dial) as intake:
        await play_camera(settings(camera, password), connection, sink or Sink(), intake)


async def play_for(camera: FakeCamera, seconds: float, **kwargs: Sink) -> None:
    with trio.move_on_after(seconds):
        await play(camera, **kwargs)


async def error_of(camera: FakeCamera, password: str | None = None) -> RemoteError:
    async with serving(camera):
        try:
            await play(camera, password=password)
        except RemoteError as error:
            return error


async def test_frames_of_the_h264_track_reach_the_sink_in_order(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    async with serving(camera):
        await play_for(camera, 4.0, sink=sink)
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert sink.playing[0].codec == "H264"
    assert 95 <= len(sink.frames) <= 101
    assert [frame.is_key for frame in sink.frames[: GOP_FRAMES + 1]] == [True] + [False] * (GOP_FRAMES - 1) + [True]
    assert sink.formats[0].width == 640
    assert len(sink.formats) == 1


async def test_receiver_reports_go_out_each_five_seconds(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with serving(camera):
        await play_for(camera, 21.0)
    assert len(camera.reports) == 4
    report = parse_rtcp_untrusted(camera.reports[-1])[0]
    assert isinstance(report, ReceiverReport)
    assert report.reports[0].cumulative_lost == 0


async def test_the_session_is_kept_alive_beyond_its_timeout(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    async with serving(camera):
        await play_for(camera, 130.0, sink=sink)
    assert camera.methods.count("GET_PARAMETER") >= 2
    assert len(sink.frames) > 3200


async def test_a_camera_without_pictures_is_stalled_after_the_timeout(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    async with serving(camera), trio.open_nursery() as nursery:
        nursery.start_soon(stop_frames_at, camera, 3.0)
        with pytest.raises(CameraStalled, match="no picture for 5 s"):
            await play(camera, sink=sink)
    assert trio.current_time() - sink.frames[-1].arrival_s == pytest.approx(5.0, abs=HANG_UP_S)
    assert camera.methods[-1] == "TEARDOWN"


async def stop_frames_at(camera: FakeCamera, seconds: float) -> None:
    await trio.sleep(seconds)
    camera.sends_frames = False


async def test_cancelling_sends_teardown_and_closes(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with serving(camera):
        await play_for(camera, 2.0)
        await trio.testing.wait_all_tasks_blocked()
        assert camera.methods[-1] == "TEARDOWN"
        assert camera.open_connections == 0


async def test_a_camera_that_does_not_answer_teardown_holds_up_shutdown_for_a_second_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    camera.answers["TEARDOWN"] = 0
    async with serving(camera):
        await play_for(camera, 2.0)
        assert trio.current_time() <= 2.0 + HANG_UP_S + 0.01
    assert camera.methods[-1] == "TEARDOWN"


async def test_a_session_that_was_never_set_up_is_left_without_teardown(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = 404
    assert isinstance(await error_of(camera), UnexpectedStatus)
    assert "TEARDOWN" not in camera.methods


async def test_a_wrong_password_is_tried_once(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera(username="admin", password="right")
    error = await error_of(camera, password="wrong")
    assert isinstance(error, AuthenticationFailed)
    assert "wrong user name or password" in str(error)
    assert len(camera.logins) == 1


async def test_a_right_password_plays(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(username="admin", password="right"), Sink()
    async with serving(camera):
        with trio.move_on_after(1.0):
            await play(camera, sink=sink, password="right")
    assert sink.frames


async def test_a_camera_that_closes_is_said_to_have_closed(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with serving(camera), trio.open_nursery() as nursery:
        nursery.start_soon(hang_up_at, camera, 2.0)
        with pytest.raises(CameraHungUp, match="closed the connection"):
            await play(camera)


async def hang_up_at(camera: FakeCamera, seconds: float) -> None:
    await trio.sleep(seconds)
    camera.hang_up()


@pytest.mark.parametrize("answer", [0, None])
async def test_a_camera_that_says_nothing_at_all_is_mute(
    answer: int | None, autojump_clock: trio.testing.MockClock
) -> None:
    camera = FakeCamera()
    camera.answers["OPTIONS"] = answer
    assert isinstance(await error_of(camera), CameraMute)


async def test_a_camera_that_falls_silent_later_is_not_mute(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.answers["SETUP"] = 0
    assert isinstance(await error_of(camera), ResponseTimeout)


async def test_a_codec_that_cannot_be_passed_on_is_named(autojump_clock: trio.testing.MockClock) -> None:
    error = await error_of(FakeCamera(codec="H265"))
    assert isinstance(error, UnsupportedVideo)
    assert "H.265" in str(error)


HERE, ELSEWHERE = "rtsp://192.0.2.7/stream", "rtsp://198.51.100.9:8554/elsewhere"


async def test_redirects_are_followed_so_many_times_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.redirects = {HERE: ELSEWHERE, ELSEWHERE: ELSEWHERE}
    assert isinstance(await error_of(camera), CameraMoved)
    assert camera.dialled == [("192.0.2.7", 554)] + [("198.51.100.9", 8554)] * MAX_REDIRECTS


async def test_a_redirect_leads_to_pictures(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.redirects = {HERE: ELSEWHERE}
    async with serving(camera):
        await play_for(camera, 2.0, sink=sink)
    assert sink.frames
    assert camera.open_connections == 0


async def test_pictures_without_a_key_frame_are_given_up_with_words(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.sends_key_frames = False
    error = await error_of(camera)
    assert isinstance(error, NoKeyFrame)
    assert KEY_FRAME_PATIENCE_S <= trio.current_time() <= KEY_FRAME_PATIENCE_S + 6


async def test_a_redirect_to_another_protocol_is_said(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.redirects = {HERE: "rtsps://198.51.100.9/elsewhere"}
    error = await error_of(camera)
    assert isinstance(error, UnsupportedScheme)
    assert "rtsps" in str(error)
    assert len(camera.dialled) == 1


async def test_pictures_ahead_of_the_answer_to_play_are_kept(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.sends_before_play_answer = True
    async with serving(camera):
        await play_for(camera, 0.5, sink=sink)
    assert len(sink.frames) >= 12
    assert sink.frames[0].is_key


def test_what_comes_ahead_is_bounded_in_bytes_however_large_its_packets() -> None:
    packets = [(0, bytes(60_000)) for _ in range(200)]
    newest = packets[-1]
    drop_oldest(packets, 1_000_000)
    assert sum(len(packet) for _, packet in packets) <= 1_000_000
    assert len(packets) == 16
    assert packets[-1] is newest
    empty = [(0, b"")] * 100_000
    drop_oldest(empty, 1_000_000)
    assert len(empty) < 20_000
    few = [(0, b"x")]
    drop_oldest(few, 1_000)
    assert few == [(0, b"x")]


async def test_a_camera_that_never_reads_is_hung_up_on(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.floods = 100_000
    error = await error_of(camera)
    assert "does not read" in str(error)


async def test_a_connection_that_breaks_is_said_to_be_broken(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def reset() -> None:
        await trio.testing.wait_all_tasks_blocked()
        # To close with a request unread is a reset.
        theirs.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reset)
        with pytest.raises(CameraMute, match="broke: Connection reset"):
            async with open_intake(FakeCamera().dial) as intake:
                await play_camera(settings(FakeCamera()), ours, Sink(), intake)
