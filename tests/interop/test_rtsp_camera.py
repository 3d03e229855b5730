"""The RTSP client against gst-rtsp-server: logins, pictures that decode, a server that dies and returns."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.ingest.probe import probe
from camgate.relay.source import CameraState
from tests.fakes.decode import BlocksDecoder
from tests.fakes.gst import gst_camera
from tests.fakes.tools import FFMPEG, require_tool
from tests.fakes.watching import PATIENCE_S, assert_counter_rises, assert_time_rises, watching

pytestmark = pytest.mark.interop

LOGIN = ("--username=admin", "--password=p:a@s/s w")
PASSWORD = "p:a@s/s w"


@pytest.mark.parametrize(
    ("arguments", "password"),
    [((), None), ((*LOGIN, "--login=basic"), PASSWORD), ((*LOGIN, "--login=digest"), PASSWORD)],
    ids=["no login", "Basic", "Digest"],
)
async def test_pictures_come_and_their_counter_rises(arguments: tuple[str, ...], password: str | None) -> None:
    async with gst_camera(*arguments) as camera, watching(camera, password=password) as viewing:
        frames = await viewing.wait_frames(60)
        assert viewing.source.state is CameraState.LIVE
        assert frames[0].is_key
        assert assert_counter_rises(frames)[0].camera == 1
        assert_time_rises(frames)
        video = viewing.source.stream.format
        assert video is not None
        assert (video.width, video.height) == (640, 360)


async def test_parameter_sets_only_in_the_session_description_are_enough() -> None:
    async with gst_camera("--parameter-sets=sdp") as camera, watching(camera) as viewing:
        assert_counter_rises(await viewing.wait_frames(40))


async def test_pictures_larger_than_a_packet_and_long_groups() -> None:
    arguments = ("--width=1280", "--height=720", "--kbps=4000", "--gop=50")
    async with gst_camera(*arguments) as camera, watching(camera) as viewing:
        frames = await viewing.wait_frames(75)
        assert_counter_rises(frames)
        assert [index for index, frame in enumerate(frames) if frame.is_key] == [0, 50]


@pytest.mark.parametrize("login", ["basic", "digest"])
async def test_a_wrong_password_is_said_and_tried_once(login: str) -> None:
    async with gst_camera(*LOGIN, f"--login={login}") as camera, watching(camera, password="wrong") as viewing:
        await viewing.wait_state(CameraState.BACKOFF)
        assert "wrong user name or password" in str(viewing.source.last_error)
        await trio.sleep(3)
        assert camera.connections == 1
        # The first 401 asks for the login, the second one refuses it.
        assert camera.refusals == 2


async def test_a_server_that_dies_and_returns_goes_on_in_the_same_stream() -> None:
    async with gst_camera() as camera, watching(camera) as viewing:
        stream = viewing.source.stream
        before = assert_counter_rises(await viewing.wait_frames(30))
        await camera.kill()
        # The first new connection may have been accepted for the dying process, and be reset.
        await viewing.wait_error("refuses the connection")
        assert viewing.source.state is CameraState.BACKOFF
        seen = len(viewing.frames)
        await camera.start()
        await viewing.wait_state(CameraState.LIVE)
        await viewing.wait_frames(30)
        after = assert_counter_rises(viewing.frames[seen:])
        assert after[0].time_ms > before[-1].time_ms
        assert after[0].frame > before[-1].frame
        assert viewing.source.stream is stream
        assert viewing.source.reconnects == 1
        assert_time_rises(viewing.frames)


async def test_a_server_that_freezes_is_stalled_and_comes_back() -> None:
    async with gst_camera() as camera, watching(camera, stall_timeout_s=2) as viewing:
        await viewing.wait_frames(30)
        camera.freeze()
        await viewing.wait_state(CameraState.STALLED)
        assert "no picture for 2 s" in str(viewing.source.last_error)
        camera.thaw()
        await viewing.wait_state(CameraState.LIVE)
        await viewing.wait_frames(10)
        assert_time_rises(viewing.frames)


async def test_an_unknown_path_is_said() -> None:
    async with gst_camera(mount="/elsewhere") as camera:
        camera.mount = "/cam"
        async with watching(camera) as viewing:
            await viewing.wait_state(CameraState.BACKOFF)
            assert "404" in str(viewing.source.last_error)


async def test_probe_measures_the_camera() -> None:
    async with gst_camera("--gop=25") as camera:
        with trio.fail_after(PATIENCE_S):
            result = await probe(CameraSettings(name="probe", url=camera.url), seconds=8)
    assert "GStreamer" in result.server
    assert result.measured_fps == pytest.approx(25, rel=0.1)
    assert result.gop_frames == 25
    assert result.browser.startswith("H.264 Constrained Baseline 640x360 at 2")
    assert result.browser.endswith("passed through")


@pytest.fixture
def encode(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a Matroska file of H.264 by FFmpeg with the encoder options given."""
    require_tool(FFMPEG)

    def run(*options: str) -> Path:
        path = tmp_path / "camera.mkv"
        source = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "20", "-pix_fmt", "yuv420p")
        subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "libx264", *options, str(path)], check=True)
        return path

    return run


@pytest.mark.parametrize(
    "options",
    [
        ("-profile:v", "baseline", "-g", "25", "-bf", "0"),
        ("-profile:v", "high", "-g", "50", "-bf", "0", "-x264-params", "slices=4"),
        ("-profile:v", "main", "-g", "25", "-bf", "0", "-b:v", "6M", "-x264-params", "slice-max-size=900"),
    ],
    ids=["Baseline", "High, four slices", "Main, many small slices"],
)
async def test_streams_made_by_ffmpeg_decode_whole(options: tuple[str, ...], encode: Callable[..., Path]) -> None:
    path = await trio.to_thread.run_sync(encode, *options)
    async with gst_camera(f"--file={path}") as camera, watching(camera) as viewing:
        frames = await viewing.wait_frames(60)
        decoder = BlocksDecoder()
        decoder.decode_all(frames)
        assert decoder.broken == 0
        assert decoder.pictures == 60


async def test_b_frames_are_found_by_the_probe(encode: Callable[..., Path]) -> None:
    path = await trio.to_thread.run_sync(encode, "-profile:v", "main", "-g", "25", "-bf", "2")
    async with gst_camera(f"--file={path}") as camera:
        result = await probe(CameraSettings(name="probe", url=camera.url), seconds=4)
    assert "B-frames" in result.browser
