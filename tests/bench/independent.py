"""Run camgate, a yardstick server and two load generators by turns, for the scripts here that compare.

The other tools are programs outside this project, given as paths: `camsim` (RTSP cameras), `loadgen` (WHEP viewers) and
`pionref` (a plain WHEP gateway). Everything is on loopback and free ports.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w

from camgate.bench.clip import ClipSettings, encode_clip
from camgate.bench.server import NO_LIMITS
from tests.fakes.ports import free_port

HOST = "127.0.0.1"
CLIP = ClipSettings()
LOOP_S = 4.0
START_TIMEOUT_S = 15.0
WARM_S = CLIP.gop_s + 1
RUN_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Server:
    """A WHEP server: what it is called, its process, the URL of its viewers with %d for the camera."""

    name: str
    pid: int
    whep: str


_encoded = cache(encode_clip)


def add_tool_arguments(parser: argparse.ArgumentParser) -> None:
    """Ask for the programs' paths."""
    for tool in ("camsim", "loadgen", "pionref"):
        parser.add_argument(f"--{tool}", required=True, metavar="PATH")


@contextmanager
def running_cameras(camsim: str, count: int, folder: Path) -> Iterator[int]:
    """Run cameras that loop the benchmark's own clip, with a mark in each frame; give their RTSP port."""
    clip = _encoded(CLIP)
    assert len(clip.pictures) == LOOP_S * clip.fps
    file = folder / "clip.h264"
    file.write_bytes(b"".join(b"\x00\x00\x00\x01" + nal for picture in clip.pictures for nal in picture.nals))
    port = free_port()
    arguments = ["-n", str(count), "-addr", f"{HOST}:{port}", "-file", str(file), "-mark", "tail"]
    with _running([camsim, *arguments], folder / "camsim.log"):
        _wait_for(port)
        yield port


@contextmanager
def running_camgate(
    camera_port: int, cameras: int, viewers: int, folder: Path, *, checkout: Path | None = None
) -> Iterator[Server]:
    """Run camgate on the cameras, with room for `viewers` and for those of the run before who are about to leave.

    checkout: where the version is that is run, with the packages of this one; None for this one.
    """
    port = free_port()
    config = {
        "server": {"listen": f"{HOST}:{port}", "max_viewers": 2 * viewers},
        "webrtc": {"port": 0, "advertise": [HOST]},
        "logging": {"level": "warning"},
        "limits": _no_limits(checkout),
        "cameras": {
            f"cam{number}": {"url": f"rtsp://{HOST}:{camera_port}/cam{number}", "transport": "tcp"}
            for number in range(cameras)
        },
    }
    file = folder / "camgate.toml"
    file.write_text(tomli_w.dumps(config))
    command = [sys.executable, "-m", "camgate", "run", "--config", str(file)]
    # What is run with `-m` is looked for in the working directory first.
    with _running(command, folder / "camgate.log", checkout) as pid:
        _wait_for(port)
        time.sleep(WARM_S)
        yield Server("camgate", pid, f"http://{HOST}:{port}/whep/cam%d")


def _no_limits(checkout: Path | None) -> dict[str, float]:
    """Return the settings of a version in which nothing is limited: others would know keys that it does not."""
    if checkout is None:
        return NO_LIMITS
    code = "import json; from camgate.bench.server import NO_LIMITS; print(json.dumps(NO_LIMITS))"
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    limits: dict[str, float] = json.loads(done.stdout)
    return limits


@contextmanager
def running_pionref(pionref: str, camera_port: int, cameras: int, folder: Path) -> Iterator[Server]:
    """Run the yardstick; it dials a camera at the first request for it."""
    port = free_port()
    source = f"rtsp://{HOST}:{camera_port}/"
    addresses = ["-listen", f"{HOST}:{port}", "-udp", f"{HOST}:{free_port()}"]
    with _running([pionref, "-src", source, *addresses], folder / "pionref.log") as pid:
        _wait_for(port)
        for number in range(cameras):
            _ask_in_vain(f"http://{HOST}:{port}/whep/cam{number}")
        time.sleep(WARM_S)
        yield Server("pionref", pid, f"http://{HOST}:{port}/whep/cam%d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many viewers, who come at `rate` a second and are measured for so long; `full` of them take everything."""

    viewers: int
    cameras: int = 1
    full: int = 2
    rate: float = 50.0
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave, by either generator; milliseconds where not said otherwise."""

    tool: str
    server: str
    connected: int
    delivered_percent: float
    packets_per_s: float
    expected_per_s: float
    cpu_us_per_packet: float
    delay_p50: float
    delay_p99: float
    key_frame_p95: float
    viewer_kb: float


def run_loadgen(loadgen: str, server: Server, load: Load) -> Outcome:
    """Load a server with the independent generator."""
    found = _json_of(
        [
            *(loadgen, "-url", server.whep, "-pid", str(server.pid), "-n", str(load.viewers)),
            *("-cams", str(load.cameras), "-full", str(load.full), "-rate", str(load.rate), "-dur", str(load.seconds)),
        ]
    )
    if found["connected"] < load.viewers:
        raise SystemExit(f"{found['connected']} of {load.viewers} connected to {server.name}: {found['first_error']}")
    return Outcome(
        tool="loadgen",
        server=server.name,
        connected=found["connected"],
        delivered_percent=found["delivered_pct"],
        packets_per_s=found["pkts_per_s"],
        expected_per_s=found["expected_per_s"],
        cpu_us_per_packet=found["cpu_us_per_pkt"],
        delay_p50=found["lat_ms_p50"],
        delay_p99=found["lat_ms_p99"],
        key_frame_p95=found["first_idr_ms_p95"],
        viewer_kb=found["rss_mb_per_viewer"] * 1000,
    )


def run_bench(server: Server, load: Load) -> Outcome:
    """Load a server with `camgate bench`."""
    found = bench_json(
        *("--whep", server.whep, "--pid", str(server.pid), "--viewers", str(load.viewers)),
        *("--cameras", str(load.cameras), "--full", str(load.full), "--rate", str(load.rate)),
        *("--seconds", str(load.seconds)),
    )
    measured = found["measured"]
    if found["connected"] < load.viewers:
        raise SystemExit(f"{server.name}: {found['conclusion']}")
    return Outcome(
        tool="bench",
        server=server.name,
        connected=found["connected"],
        delivered_percent=found["delivered_percent"],
        packets_per_s=measured["delivered"] / measured["elapsed_s"],
        expected_per_s=measured["expected"] / measured["elapsed_s"],
        cpu_us_per_packet=found["cpu_us_per_packet"],
        delay_p50=measured["delay"]["p50"],
        delay_p99=measured["delay"]["p99"],
        key_frame_p95=found["joined"]["key_frame"]["p95"],
        viewer_kb=found["memory_bytes_per_viewer"] / 1000,
    )


def bench_json(*arguments: str) -> dict[str, Any]:
    """Run `camgate bench` and return its figures."""
    return _json_of([sys.executable, "-m", "camgate", "bench", "--json", *arguments])


def median_and_spread(values: Sequence[float], digits: int = 2) -> str:
    """Write the median, and all values in the order in which they were measured."""
    every = " ".join(f"{value:.{digits}f}" for value in values)
    return f"{statistics.median(values):.{digits}f} ({every})"


def _json_of(command: Sequence[str]) -> dict[str, Any]:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    try:
        found: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise SystemExit(f"{command[0]} printed no figures:\n{ended.stdout}{ended.stderr}") from None
    return found


@contextmanager
def _running(command: Sequence[str], log: Path, folder: Path | None = None) -> Iterator[int]:
    # Its control socket is its own, beside its log.
    environ = os.environ | {"RUNTIME_DIRECTORY": str(log.parent)}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nobody listens at port {port} after {START_TIMEOUT_S:g} s")


def _ask_in_vain(url: str) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(url, b"no offer"), timeout=START_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return
