"""A session alone, against the scripted camera: what it plays, what it notices, how it leaves."""

import socket

import pytest
import trio
import trio.testing

from camgate.ingest.errors import (
    CameraHungUp,
    CameraMute,
    CameraStalled,
    NoKeyFrame,
    UnsupportedVideo,
)
from camgate.ingest.intake import open_intake
from camgate.ingest.play import play_camera
from camgate.ingest.session import HANG_UP_S, KEY_FRAME_PATIENCE_S, choose_audio, drop_oldest
from camgate.wire.codec.format import AudioFormat
from camgate.wire.rtp.rtcp import ReceiverReport, parse_rtcp_untrusted
from camgate.wire.rtsp.errors import AuthenticationFailed, ResponseTimeout, UnexpectedStatus
from camgate.wire.rtsp.track import Track
from tests.fakes.camera import GOP_FRAMES, FakeCamera
from tests.fakes.sessions import Sink, error_of, play, play_for, serving, settings


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
    error = await error_of(FakeCamera(codec="JPEG"))
    assert isinstance(error, UnsupportedVideo)
    assert "Motion JPEG" in str(error)


async def test_pictures_without_a_key_frame_are_given_up_with_words(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.sends_key_frames = False
    error = await error_of(camera)
    assert isinstance(error, NoKeyFrame)
    assert KEY_FRAME_PATIENCE_S <= trio.current_time() <= KEY_FRAME_PATIENCE_S + 6


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


def test_the_sound_that_is_played_is_the_first_that_browsers_take() -> None:
    def audio(codec: str, clock_rate: int = 8000, channels: int = 1, *, is_backchannel: bool = False) -> Track:
        return Track(
            index=0,
            media="audio",
            codec=codec,
            payload_type=96,
            clock_rate=clock_rate,
            audio_channels=channels,
            control="rtsp://c/",
            is_backchannel=is_backchannel,
        )

    talkback, metadata = audio("OPUS", 48000, 2, is_backchannel=True), audio("VND.ONVIF.METADATA")
    wide, stereo, aac = audio("PCMU", 16000), audio("PCMA", 8000, 2), audio("MPEG4-GENERIC", 16000)
    assert choose_audio((talkback, metadata)) is None
    # What must be decoded comes second.
    assert choose_audio((talkback, metadata, aac, wide, stereo)) is aac
    for usable in (audio("PCMU"), audio("PCMA"), audio("G722"), audio("OPUS", 48000, 2)):
        assert choose_audio((talkback, wide, aac, usable, audio("PCMU"))) is usable


async def test_sound_comes_beside_the_pictures(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.audio = "PCMA/8000"
    async with serving(camera):
        await play_for(camera, 4.0, sink=sink)
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY", "TEARDOWN"]
    assert sink.audio == [AudioFormat(codec="PCMA", clock_hz=8000)]
    assert len(sink.audio_frames) == len(sink.frames) >= 95
    assert [frame.rtp_time for frame in sink.audio_frames[:3]] == [0, 320, 640]
    assert all(frame.nals == (b"\xd5" * 320,) and frame.is_key for frame in sink.audio_frames)


async def test_both_tracks_are_reported_on(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.audio = "PCMU/8000"
    async with serving(camera):
        await play_for(camera, 6.0)
    reports = [parse_rtcp_untrusted(data)[0] for data in camera.reports]
    assert {block.ssrc for report in reports for block in report.reports} == {0xCA3E7A, 0x50BD}


@pytest.mark.parametrize("audio", ["X-UNHEARD-OF/8000", "EVRC/8000", "PCMA/8000/9"])
async def test_sound_that_is_of_no_use_is_not_set_up(autojump_clock: trio.testing.MockClock, audio: str) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.audio = audio
    async with serving(camera):
        await play_for(camera, 1.0, sink=sink)
    assert camera.methods.count("SETUP") == 1
    assert sink.audio == [None]
    assert len(sink.frames) > 20


async def test_sound_that_is_switched_off_is_not_set_up(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.audio = "PCMA/8000"
    async with serving(camera):
        await play_for(camera, 1.0, sink=sink, audio=False)
    assert camera.methods.count("SETUP") == 1
    assert sink.audio == [None]


@pytest.mark.parametrize("status", [0, 401, 403, 454, 461, 500])
async def test_sound_that_the_camera_refuses_costs_no_picture(
    autojump_clock: trio.testing.MockClock, status: int
) -> None:
    camera, sink = FakeCamera(username="admin", password="secret"), Sink()
    camera.audio, camera.audio_set_up = "PCMA/8000", status
    async with serving(camera):
        await play_for(camera, 7.0, sink=sink, password="secret")
    assert camera.methods[-2:] == ["PLAY", "TEARDOWN"]
    assert sink.audio == [None]
    assert len(sink.frames) > 40


async def test_sound_that_stops_or_is_garbage_costs_no_picture(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.audio = "PCMA/8000"
    async with serving(camera), trio.open_nursery() as nursery:
        nursery.start_soon(stop_sound, camera)
        await play_for(camera, 30.0, sink=sink)
    assert 25 <= len(sink.audio_frames) <= 51
    assert len(sink.frames) > 740


async def stop_sound(camera: FakeCamera) -> None:
    await trio.sleep(1)
    camera.spoils_audio = True
    await trio.sleep(10)
    camera.sends_audio = False
