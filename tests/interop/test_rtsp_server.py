"""The RTSP server, played by FFmpeg and GStreamer."""

import itertools
import json
import re
import subprocess
from collections.abc import AsyncIterator

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.demo.cameras import open_demo_cameras
from tests.fakes.tools import FFMPEG, GST_RTSP_SERVER, require_tool

pytestmark = pytest.mark.interop

PATIENCE_S = 30.0
"""Generous, for machines that do much else; a failure shows as a message, not as a hang."""

PACKETS, LIVE_PACKETS = 70, 12
"""So many pictures are looked at, and so many of them are live: a group of pictures has 50 at most."""


@pytest.fixture
async def urls() -> AsyncIterator[dict[str, str]]:
    """URLs of the demo cameras by name, credentials included."""
    with trio.fail_after(2 * PATIENCE_S):
        async with open_demo_cameras() as cameras:
            yield {name: with_credentials(camera) for name, camera in cameras.items()}


def with_credentials(camera: CameraSettings) -> str:
    userinfo = f"{camera.username}:{camera.password}@" if camera.username else ""
    return camera.url.replace("://", f"://{userinfo}")


async def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    with trio.fail_after(PATIENCE_S):
        return await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)


@pytest.mark.parametrize(("camera", "size", "fps"), [("front-door", (1280, 720), 25), ("garden", (640, 360), 15)])
async def test_ffprobe_describes_the_cameras(
    urls: dict[str, str], camera: str, size: tuple[int, int], fps: int
) -> None:
    require_tool(FFMPEG)
    wanted = ("-show_entries", "stream=codec_name,width,height:packet=pts_time", "-read_intervals", f"%+#{PACKETS}")
    result = await run("ffprobe", "-v", "error", "-rtsp_transport", "tcp", *wanted, "-of", "json", urls[camera])
    found = json.loads(result.stdout)
    assert [(stream["codec_name"], stream["width"], stream["height"]) for stream in found["streams"]] == [
        ("h264", *size)
    ]
    # FFmpeg's own guess at the frame rate is no use: who joins gets the pictures since the last key frame 5 ms apart,
    # and how many those are is chance. Behind them the camera has its pace, less what a busy machine skipped.
    times_s = [float(packet["pts_time"]) for packet in found["packets"][-LIVE_PACKETS:]]
    steps = [(after - before) * fps for before, after in itertools.pairwise(times_s)]
    assert len(steps) == LIVE_PACKETS - 1
    assert all(step > 0.9 and step == pytest.approx(round(step), abs=0.01) for step in steps)


@pytest.mark.parametrize("camera", ["front-door", "garden"])
async def test_ffmpeg_decodes_thirty_pictures(urls: dict[str, str], camera: str) -> None:
    require_tool(FFMPEG)
    source = ("-xerror", "-rtsp_transport", "tcp", "-i", urls[camera])
    result = await run(
        "ffmpeg", "-v", "info", *source, "-frames:v", "30", "-fps_mode", "passthrough", "-f", "null", "-"
    )
    output = result.stdout.decode(errors="replace")
    assert result.returncode == 0, output
    assert re.findall(r"frame= *(\d+)", output)[-1] == "30"
    assert "error" not in output.lower()


async def test_ffmpeg_is_told_that_udp_is_not_served(urls: dict[str, str]) -> None:
    require_tool(FFMPEG)
    result = await run("ffprobe", "-v", "error", "-rtsp_transport", "udp", urls["garden"])
    assert b"461 Unsupported Transport" in result.stdout


async def test_ffmpeg_is_refused_with_a_wrong_password(urls: dict[str, str]) -> None:
    require_tool(FFMPEG)
    url = urls["front-door"].replace("demo:", "demo:not-")
    result = await run("ffprobe", "-v", "error", "-rtsp_transport", "tcp", url)
    assert b"401 Unauthorized" in result.stdout


@pytest.mark.parametrize("camera", ["front-door", "garden"])
async def test_gstreamer_plays(urls: dict[str, str], camera: str) -> None:
    """rtspsrc asks for UDP first and falls back to TCP when it is refused."""
    require_tool(GST_RTSP_SERVER)
    elements = f"rtspsrc location={urls[camera]} ! rtph264depay ! h264parse ! fakesink num-buffers=40"
    result = await run("gst-launch-1.0", *elements.split())
    output = result.stdout.decode(errors="replace")
    assert result.returncode == 0, output
    assert "Got EOS" in output
