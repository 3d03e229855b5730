"""camgate's own RTSP server before a real camera: pulled by FFmpeg and GStreamer, the camera sees one session."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio

from tests.fakes.command import Running, running_camgate
from tests.fakes.gst import GstCamera, gst_camera
from tests.fakes.tools import FFMPEG, GST_RTSP_SERVER, require_tool

pytestmark = pytest.mark.interop

PATIENCE_S = 30.0
"""Generous, for machines that do much else; a failure shows as a message, not as a hang."""

CONFIG = """
[server]
listen = "127.0.0.1:0"
[webrtc]
port = 0
[limits]
max_load = 2
max_lag_s = 60
max_delay_s = 60
[rtsp_server]
listen = "127.0.0.1:0"
[rtsp_server.users.recorder]
password = "correct horse"
[cameras.front]
url = "{url}"
stall_timeout_s = 2
"""
MEETING_PICTURES = 150
"""So long a client plays that others, who start beside it on a busy machine, meet it: some five seconds."""
TCP, UDP = ("-rtsp_transport", "tcp"), ("-rtsp_transport", "udp")


@dataclass
class Restream:
    """A camgate process before one camera."""

    camera: GstCamera
    process: Running
    web: str
    rtsp: str

    @property
    def url(self) -> str:
        return f"{self.rtsp}front"

    async def clients(self) -> list[dict[str, Any]]:
        """What the API says of who plays."""
        clients: list[dict[str, Any]] = await get_json(f"{self.web}api/v1/viewers")
        return clients

    async def wait_clients(self, count: int) -> list[dict[str, Any]]:
        with trio.fail_after(PATIENCE_S):
            while len(clients := await self.clients()) != count:
                pass
        return clients


@asynccontextmanager
async def restreaming(tmp_path: Path, *arguments: str) -> AsyncIterator[Restream]:
    """Run a camera with the script's `arguments`, and camgate before it, until the camera is live."""
    config = tmp_path / "camgate.toml"
    with trio.fail_after(4 * PATIENCE_S):
        async with gst_camera(*arguments) as camera:
            config.write_text(CONFIG.format(url=camera.url))
            async with running_camgate("run", "--config", config, directory=tmp_path) as process:
                line = await process.wait_line(" rtsp=")
                web, rtsp = (re.findall(rf" {key}=(\S+)", line)[0] for key in ("url", "rtsp"))
                await process.wait_line("camera live")
                yield Restream(camera, process, web, rtsp)


async def get_json(url: str) -> Any:
    def get() -> Any:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    return await trio.to_thread.run_sync(get)


async def run(*command: str) -> tuple[int, str]:
    """Return a command's exit code and all that it said."""
    with trio.fail_after(PATIENCE_S):
        done = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


async def decode(url: str, *transport: str, pictures: int = 60) -> str:
    """Have FFmpeg decode pictures, stop at the first mistake in one, and return what it said."""
    code, output = await run(
        *("ffmpeg", "-hide_banner", "-v", "info", "-xerror", "-err_detect", "explode", *transport, "-i", url),
        *("-frames:v", str(pictures), "-fps_mode", "passthrough", "-f", "null", "-"),
    )
    assert code == 0, output
    assert re.findall(r"frame= *(\d+)", output)[-1] == str(pictures), output
    for word in ("error", "missed", "corrupt", "concealing"):
        assert word not in output.lower(), output
    return output


async def test_clients_of_all_kinds_play_and_the_camera_sees_one_session(tmp_path: Path) -> None:
    require_tool(FFMPEG)
    require_tool(GST_RTSP_SERVER)
    async with restreaming(tmp_path, "--audio=opus", "--b-frames") as restream:
        url = restream.url.replace("://", "://recorder:correct%20horse@")
        async with trio.open_nursery() as nursery:
            for transport in (TCP, UDP, TCP):
                nursery.start_soon(partial(decode, url, *transport, pictures=MEETING_PICTURES))
            clients = await restream.wait_clients(3)
            assert sorted(client["transport"] for client in clients) == ["tcp", "tcp", "udp"]
            assert {client["user"] for client in clients} == {"recorder"}
            (camera,) = await get_json(f"{restream.web}api/v1/cameras")
            assert (camera["rtsp_clients"], camera["viewers"]) == (3, 0)
            nursery.start_soon(only_who_knows_the_password_plays, url)
            nursery.start_soon(multicast_is_refused_in_words, url)
            for protocol in ("tcp", "udp"):
                nursery.start_soon(gstreamer_plays, url, protocol)
                nursery.start_soon(pictures_are_shown_at_the_cameras_times, url, protocol)
                nursery.start_soon(sound_and_pictures_have_one_time, url, protocol)
        assert restream.camera.connections == 1
        assert "horse" not in "\n".join(restream.process.lines)


async def gstreamer_plays(url: str, protocol: str) -> None:
    elements = f"rtspsrc location={url} protocols={protocol} ! rtph264depay ! h264parse ! fakesink num-buffers=40"
    code, output = await run("gst-launch-1.0", *elements.split())
    assert code == 0, output
    assert "Got EOS" in output


async def pictures_are_shown_at_the_cameras_times(url: str, protocol: str) -> None:
    """From a key frame on, B-frames in their places; nothing is squeezed for who wants nothing of the past."""
    wanted = ("-select_streams", "v", "-show_entries", "frame=pts_time,pict_type", "-of", "json")
    source = ("-rtsp_transport", protocol, "-read_intervals", "%+2", f"{url}?start=key")
    code, output = await run("ffprobe", "-v", "error", *wanted, *source)
    assert code == 0, output
    pictures = json.loads(output)["frames"]
    assert pictures[0]["pict_type"] == "I"
    assert "B" in {picture["pict_type"] for picture in pictures}
    # FFmpeg gives the first packet of any RTSP camera no time.
    times_s = [float(picture["pts_time"]) for picture in pictures[1:]]
    assert times_s == sorted(times_s)
    # From the cache these would be 45 ms.
    assert times_s[9] - times_s[0] > 0.3


async def sound_and_pictures_have_one_time(url: str, protocol: str) -> None:
    """Pictures that are cached come first; then FFmpeg gives sound and pictures that come together the same time."""
    wanted = ("-show_entries", "packet=codec_type,pts_time", "-read_intervals", "%+3", "-of", "json")
    code, output = await run("ffprobe", "-v", "error", "-rtsp_transport", protocol, *wanted, url)
    assert code == 0, output
    last_s: dict[str, float] = {}
    apart_s: list[float] = []
    for packet in json.loads(output)["packets"]:
        if "pts_time" in packet:
            last_s[packet["codec_type"]] = float(packet["pts_time"])
            if len(last_s) == 2:
                apart_s.append(last_s["audio"] - last_s["video"])
    # A busy camera's pictures come later than its sound now and then, never earlier.
    live_s = apart_s[len(apart_s) // 2 :]
    assert abs(min(live_s, key=abs)) < 0.3, live_s


async def only_who_knows_the_password_plays(url: str) -> None:
    for other in (url.replace("correct", "wrong"), url.replace("recorder", "nobody")):
        code, output = await run("ffprobe", "-v", "error", *TCP, other)
        assert code != 0
        assert "401 Unauthorized" in output


async def multicast_is_refused_in_words(url: str) -> None:
    code, output = await run("ffprobe", "-v", "error", "-rtsp_transport", "udp_multicast", url)
    assert code != 0
    assert "461 Unsupported Transport: multicast is not served; ask for RTP/AVP/TCP;unicast or RTP/AVP" in output


GARBAGE = b"\x00\xff$\x09\x00\x04GET / HTTP/1.1\r\n\r\n"


async def make_trouble(rtsp: str) -> NoReturn:
    """200 connections that say nothing or half a request, and others that talk garbage, one after the other."""
    host, _, port = rtsp.removeprefix("rtsp://").rstrip("/").rpartition(":")
    async with AsyncExitStack() as connections:
        for number in range(200):
            stream = await connections.enter_async_context(await trio.open_tcp_stream(host, int(port)))
            await stream.send_all(b"OPTIONS * RT" if number % 2 else b"")
        while True:
            async with await trio.open_tcp_stream(host, int(port)) as stream:
                await stream.send_all(GARBAGE)
                while await stream.receive_some():
                    pass


async def test_a_camera_that_dies_and_returns_is_a_pause_to_who_plays(tmp_path: Path) -> None:
    """A client that is stopped meanwhile (SIGSTOP) holds up nobody either, nor do strangers."""
    require_tool(FFMPEG)
    async with restreaming(tmp_path) as restream, trio.open_nursery() as recording, trio.open_nursery() as nursery:
        url = restream.url.replace("://", "://recorder:correct%20horse@")
        source = ("ffmpeg", "-hide_banner", "-v", "error", *TCP, "-i", url, "-c", "copy")
        outputs: list[str] = []

        async def record() -> None:
            _, output = await run(*source, "-t", "6", "-f", "null", "-")
            outputs.append(output)

        stopped = await trio.lowlevel.open_process([*source, "-f", "null", "-"], stdin=subprocess.DEVNULL)
        try:
            await restream.wait_clients(1)
            stopped.send_signal(signal.SIGSTOP)
            recording.start_soon(record)
            before = [client["address"] for client in await restream.wait_clients(2)]
            await restream.camera.kill()
            await restream.process.wait_line("camera gives no pictures")
            await restream.camera.start()
            await restream.process.wait_line("camera live", nth=2)
            after = [client["address"] for client in await restream.wait_clients(2)]
            assert after == before
            nursery.start_soon(make_trouble, restream.rtsp)
            await decode(url, *TCP, pictures=50)
            strangers = (await get_json(f"{restream.web}api/v1/server"))["rtsp"]["strangers"]
            assert strangers > 100, "the trouble was there all the time"
            nursery.cancel_scope.cancel()
        finally:
            stopped.kill()
            with trio.CancelScope(shield=True):
                await stopped.wait()
    assert outputs == [""], "FFmpeg says what is wrong with times and packets"
