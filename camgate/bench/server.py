"""The server that is measured: camgate in a process of its own, on free ports of loopback."""

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import tomli_w
import trio

from camgate.bench.cameras import HOST, camera_name
from camgate.bench.link import Child, open_child
from camgate.bench.signaling import SignalingFailed, request

START_TIMEOUT_S = 30.0
LIVE_TIMEOUT_S = 60.0
NO_LIMITS = {
    "max_load": 2,
    "max_lag_s": 60,
    "max_delay_s": 60,
    "requests_per_s": 0,
    "offers_per_s": 0,
    "max_connections_per_address": 0,
}
"""The benchmark finds out what the machine carries, so the server must not refuse joins before."""
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A running camgate: its process, where its HTTP is, without a slash at the end, and its config file."""

    child: Child
    url: str
    config: Path

    @property
    def whep(self) -> str:
        """The URL for viewers, with %d for the camera's number."""
        return f"{self.url}/whep/{camera_name(0)[:-1]}%d"

    async def get(self, path: str) -> bytes:
        """GET a path. Raises SignalingFailed."""
        return await trio.to_thread.run_sync(request, self.url + path, abandon_on_cancel=True)

    async def cameras(self) -> list[dict[str, Any]]:
        """What the server says of its cameras."""
        cameras: list[dict[str, Any]] = json.loads(await self.get("/api/v1/cameras"))
        return cameras

    async def lag_s(self) -> float:
        """How late the server's tasks have their turn, by its own account."""
        lag_s: float = json.loads(await self.get("/api/v1/server"))["load"]["lag_s"]
        return lag_s

    async def wait_live(self) -> None:
        """Wait until all cameras are. Raises ProcessFailed after LIVE_TIMEOUT_S."""
        with trio.move_on_after(LIVE_TIMEOUT_S):
            while True:
                if all(camera["state"] == "live" for camera in await self.cameras()):
                    return
                await trio.sleep(_POLL_S)
        raise self.child.failed(f"did not get all cameras live within {LIVE_TIMEOUT_S:g} s")


@asynccontextmanager
async def open_server(
    camera_port: int,
    cameras: int,
    max_viewers: int,
    *,
    transport: str = "tcp",
    module: str = "camgate",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[BenchServer]:
    """Run camgate on the built-in cameras for the time of the block. Raises ProcessFailed.

    module: what is run in its place. more: sections of the config beside ours, or in their place.
    """
    port = _free_port()
    with TemporaryDirectory(prefix="camgate-bench-") as folder:
        config = Path(folder, "camgate.toml")
        sections = {**_config(port, camera_port, cameras, max_viewers, transport), **more}
        await trio.Path(config).write_text(tomli_w.dumps(sections))
        async with open_child("server", [module, "run", "--config", str(config)]) as child:
            server = BenchServer(child, f"http://{HOST}:{port}", config)
            await _wait_ready(server)
            yield server


def _config(port: int, camera_port: int, cameras: int, max_viewers: int, transport: str) -> dict[str, Any]:
    names = [camera_name(number) for number in range(cameras)]
    urls = {name: f"rtsp://{HOST}:{camera_port}/{name}" for name in names}
    return {
        "server": {"listen": f"{HOST}:{port}", "max_viewers": max_viewers, "unix_socket": ""},
        "webrtc": {"port": 0, "advertise": [HOST]},
        "logging": {"level": "warning"},
        "limits": NO_LIMITS,
        "cameras": {name: {"url": url, "transport": transport} for name, url in urls.items()},
    }


async def _wait_ready(server: BenchServer) -> None:
    with trio.move_on_after(START_TIMEOUT_S):
        while True:
            if not server.child.is_running:
                raise server.child.failed("ended")
            try:
                await server.get("/readyz")
            except SignalingFailed:
                await trio.sleep(_POLL_S)
            else:
                return
    raise server.child.failed(f"was not ready within {START_TIMEOUT_S:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
