"""A camera made of gst-rtsp-server in a process of its own: started, killed and started again by tests.

async with gst_camera("--username=admin", "--password=secret") as camera:
    ...  # camera.url, await camera.kill(), await camera.start()
"""

import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from camgate.base.place import place
from tests.fakes.tools import GST_RTSP_SERVER, SYSTEM_PYTHON, require_tool

SCRIPT = Path(__file__).parent.parent / "interop" / "servers" / "gst_server.py"
START_TIMEOUT_S = 30
"""GStreamer looks through its plugins at its first start on a machine."""


class GstCamera:
    """One gst-rtsp-server process at a time, always on the same port.

    connections: TCP connections accepted so far; refusals: answers 401 so far; both over all starts.
    """

    def __init__(self, arguments: tuple[str, ...], mount: str = "/cam", host: str = "127.0.0.1") -> None:
        self._arguments = (f"--address={host}", *arguments)
        self.host = host
        self.scheme = "rtsps" if any("--certificate" in argument for argument in arguments) else "rtsp"
        self.mount = mount
        self._process: trio.Process | None = None
        self._wanted = trio.Event()
        self._ready = trio.Event()
        self._ended = trio.Event()
        self.port = 0
        self.connections = 0
        self.refusals = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{place(self.host, self.port)}{self.mount}"

    async def start(self) -> None:
        """Run the server, and return once it accepts connections."""
        self._ready = trio.Event()
        self._wanted.set()
        with trio.fail_after(START_TIMEOUT_S):
            await self._ready.wait()

    async def kill(self) -> None:
        """End the server as a power cut does, and return once its sockets are gone."""
        assert self._process is not None
        self._process.kill()
        await self._ended.wait()

    def freeze(self) -> None:
        """Stop the server without closing its sockets, as a hung camera does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def serve(self) -> None:
        """Run a server process for each `start`; cancel to end the last one."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            self._ended = trio.Event()
            await self._run_process()
            self._ended.set()

    async def _run_process(self) -> None:
        command = [SYSTEM_PYTHON, str(SCRIPT), f"--port={self.port}", f"--mount={self.mount}", *self._arguments]
        process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        try:
            async with process.stdin, process.stdout:
                await self._follow(process.stdout)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
        if not self._ready.is_set():
            raise RuntimeError(f"{SCRIPT.name} ended with status {process.returncode} before it was ready")

    async def _follow(self, output: trio.abc.ReceiveStream) -> None:
        pending = b""
        async for chunk in output:
            *lines, pending = (pending + chunk).split(b"\n")
            for event in map(json.loads, lines):
                self._count(event)

    def _count(self, event: dict[str, object]) -> None:
        match event:
            case {"event": "ready", "port": int(port)}:
                self.port = port
                self._ready.set()
            case {"event": "connected"}:
                self.connections += 1
            case {"event": "response", "status": 401}:
                self.refusals += 1


@asynccontextmanager
async def gst_camera(*arguments: str, mount: str = "/cam", host: str = "127.0.0.1") -> AsyncIterator[GstCamera]:
    """Run a camera with the script's `arguments` for the time of the block; needs the GStreamer packages."""
    require_tool(GST_RTSP_SERVER)
    camera = GstCamera(arguments, mount, host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.serve)
        await camera.start()
        yield camera
        nursery.cancel_scope.cancel()
