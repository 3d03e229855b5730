"""GStreamer's webrtcbin, a WebRTC client that shares no code with browsers or with us, watches an H.265 camera."""

import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from camgate import app
from camgate.bench.server import NO_LIMITS
from camgate.config.model import CameraSettings, LimitSettings, ServerSettings, Settings, WebRtcSettings
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.http import Server
from tests.fakes.tools import GST_WEBRTC, SYSTEM_PYTHON, require_tool

pytestmark = pytest.mark.interop

SCRIPT = Path(__file__).parent / "servers" / "gst_viewer.py"
PATIENCE_S = 60
FPS = 25


@asynccontextmanager
async def serving(camera: GstCamera) -> AsyncIterator["Camgate"]:
    """Run camgate with one camera, `front`, for the time of the block."""
    settings = Settings(
        cameras={"front": CameraSettings(name="front", url=camera.url)},
        server=ServerSettings(listen="127.0.0.1:0"),
        webrtc=WebRtcSettings(port=0),
        limits=LimitSettings(**NO_LIMITS),
    )
    async with trio.open_nursery() as nursery:
        yield Camgate(await nursery.start(app.run, settings))
        nursery.cancel_scope.cancel()


class Camgate:
    """camgate as its users meet it."""

    def __init__(self, url: str) -> None:
        self.whep = f"{url}whep/front?wait=10"
        port = urlsplit(url).port
        assert port is not None
        self._http = Server(port, trio.Event())

    async def camera(self) -> dict[str, Any]:
        """What the API says of the camera."""
        facts: dict[str, Any] = (await self._http.request("GET", "/api/v1/cameras/front")).json()
        return facts


class Reports:
    """What the viewer's process says, one report after the other."""

    def __init__(self, output: trio.abc.ReceiveStream) -> None:
        self._output = output
        self._pending = b""

    async def next(self) -> dict[str, Any]:
        while b"\n" not in self._pending:
            chunk = await self._output.receive_some()
            assert chunk, "the viewer has ended"
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report


@asynccontextmanager
async def watching(whep: str, *arguments: str) -> AsyncIterator[Reports]:
    """Run the viewer for the time of the block."""
    require_tool(GST_WEBRTC)
    command = [SYSTEM_PYTHON, str(SCRIPT), whep, *arguments]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with process.stdin, process.stdout:
            yield Reports(process.stdout)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def test_every_picture_decodes_from_the_first_one_on() -> None:
    # The harder case: camgate has to put the parameter sets into each key frame.
    arguments = ("--codec=h265", "--gop=50", "--parameter-sets=sdp")
    with trio.fail_after(PATIENCE_S):
        async with (
            gst_camera(*arguments) as camera,
            serving(camera) as camgate,
            watching(camgate.whep, "--pictures=90") as viewer,
        ):
            answer = await viewer.next()
            assert answer["status"] == 201
            assert "a=rtpmap:96 H265/90000" in answer["sdp"]
            # Over two groups of pictures: the burst, live ones, and another key frame.
            numbers = [(await viewer.next())["number"] for _ in range(80)]
            facts = await camgate.camera()
    assert None not in numbers
    assert all(later == earlier + 1 for earlier, later in itertools.pairwise(numbers)), numbers
    assert [(sent["codec"], sent["way"], sent["viewers"]) for sent in facts["sent"]] == [("H265", "as-is", 1)]


@pytest.mark.parametrize(
    ("codec", "fmtp"), [("h264", ""), ("h265", "profile-id=(string)2")], ids=["H.264 camera", "Main 10 wanted"]
)
async def test_what_does_not_fit_the_offer_is_refused(codec: str, fmtp: str) -> None:
    with trio.fail_after(PATIENCE_S):
        async with (
            gst_camera(f"--codec={codec}") as camera,
            serving(camera) as camgate,
            watching(camgate.whep, f"--fmtp={fmtp}") as viewer,
        ):
            assert (await viewer.next())["status"] == 406
