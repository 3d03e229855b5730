"""H.265 from gst-rtsp-server and FFmpeg's encoder, through the real road, to pictures that decode."""

import subprocess
from pathlib import Path

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.ingest.probe import probe
from tests.fakes.decode import BlocksDecoder
from tests.fakes.gst import gst_camera
from tests.fakes.tools import FFMPEG, require_tool
from tests.fakes.watching import assert_counter_rises, assert_time_rises, watching

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("parameter_sets", ["in-band", "sdp"])
async def test_pictures_come_and_their_counter_rises(parameter_sets: str) -> None:
    arguments = ("--codec=h265", "--gop=20", f"--parameter-sets={parameter_sets}")
    async with gst_camera(*arguments) as camera, watching(camera) as viewing:
        frames = await viewing.wait_frames(45)
        assert_counter_rises(frames, codec="H265")
        assert_time_rises(frames)
        keys = [index for index, frame in enumerate(frames) if frame.is_key]
        assert keys == [0, 20, 40]
        # Whoever joins at one of them has all that it needs: VPS, SPS and PPS first.
        for key in keys:
            assert [nal[0] >> 1 & 63 for nal in frames[key].nals if nal[0] >> 1 & 63 != 35][:3] == [32, 33, 34]
        video = viewing.source.stream.format
        assert video is not None
        assert (video.codec, video.width, video.height, video.may_reorder) == ("H265", 640, 360, False)
        assert video.label == "H.265 Main"


def encode(path: Path, parameters: str) -> Path:
    """Make a Matroska file of H.265 by FFmpeg, with parameters of x265."""
    require_tool(FFMPEG)
    source = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "12", "-pix_fmt", "yuv420p")
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=none:{parameters}")
    subprocess.run(["ffmpeg", "-v", "error", *source, *encoder, str(path)], check=True)
    return path


async def test_large_pictures_of_several_slices_decode_whole(tmp_path: Path) -> None:
    path = await trio.to_thread.run_sync(
        encode, tmp_path / "camera.mkv", "bframes=0:keyint=25:slices=2:bitrate=4000:wpp=1"
    )
    async with gst_camera("--codec=h265", f"--file={path}") as camera, watching(camera) as viewing:
        frames = await viewing.wait_frames(60)
        decoder = BlocksDecoder("H265")
        decoder.decode_all(frames)
        assert (decoder.broken, decoder.pictures) == (0, 60)


async def test_b_frames_and_open_groups_are_told_by_the_probe(tmp_path: Path) -> None:
    # x265 makes CRA pictures and RASL pictures of an open group; the probe joins at the file's first.
    path = await trio.to_thread.run_sync(encode, tmp_path / "camera.mkv", "bframes=2:b-adapt=0:keyint=25:open-gop=1")
    async with gst_camera("--codec=h265", f"--file={path}") as camera:
        result = await probe(CameraSettings(name="probe", url=camera.url), seconds=3)
    assert "H.265 Main 320x240" in result.browser
    assert "B-frames" in result.browser
    assert result.format is not None
    assert result.format.may_reorder
