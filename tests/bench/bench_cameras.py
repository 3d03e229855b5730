"""What many cameras cost that nobody watches, and how long they take from a cold start until all are live.

Run: python -m tests.bench.bench_cameras [--cameras 200] [--seconds 10] [--rtsp-port PORT] [--transport udp]

The cameras are those of `camgate bench`, or, with --rtsp-port, any RTSP server's on this machine at
rtsp://127.0.0.1:PORT/cam0, /cam1 ... The server is camgate in a process of its own. Prints its CPU by /proc, as per
cent of a core and in microseconds a frame, and how often it waited and was woken.
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.link import open_talking_child
from camgate.bench.processes import usage
from camgate.bench.server import BenchServer, open_server

SETTLE_S = 5.0
"""Until the caches hold whole groups of pictures and the garbage collector has seen the start."""
ENCODE_TIMEOUT_S = 120.0


@asynccontextmanager
async def open_cameras(count: int, rtsp_port: int | None) -> AsyncIterator[int]:
    """Run the built-in cameras for the time of the block, unless others are named; gives their port."""
    if rtsp_port is not None:
        yield rtsp_port
        return
    wanted = CamerasSettings(cameras=count, clip=ClipSettings()).as_message()
    async with open_talking_child("cameras", "camgate.bench.cameras", wanted) as cameras:
        clip = await cameras.receive(ENCODE_TIMEOUT_S)
        await cameras.send({"serve": True})
        yield clip["port"]


def wake_ups(pid: int) -> int:
    """Return how often a process has waited for something, which then woke it (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


async def measure(server: BenchServer, seconds: float) -> None:
    pid = server.child.pid
    cameras = await server.cameras()
    frames = sum(camera["frames"] for camera in cameras)
    before, woken, began_s = usage(pid), wake_ups(pid), trio.current_time()
    await trio.sleep(seconds)
    elapsed_s = trio.current_time() - began_s
    cpu_s, woken = usage(pid).cpu_s - before.cpu_s, wake_ups(pid) - woken
    after = await server.cameras()
    frames = sum(camera["frames"] for camera in after) - frames
    count = len(after)
    slowest = min(camera["fps"] for camera in after)
    live = sum(camera["state"] == "live" for camera in after)
    print(f"{live} of {count} cameras live, {frames / elapsed_s / count:.1f} frames/s each, {slowest:.1f} the slowest")
    print(f"CPU {cpu_s / elapsed_s:.1%} of a core: {cpu_s / elapsed_s / count:.3%} a camera, ", end="")
    print(f"{1e6 * cpu_s / max(1, frames):.0f} us a frame; {woken / elapsed_s:.0f} wake-ups/s")
    print(
        f"memory {before.memory_bytes / 1e6:.0f} MB, caches {sum(each['cache_bytes'] for each in after) / 1e6:.0f} MB"
    )


async def main(cameras: int, seconds: float, rtsp_port: int | None, transport: str) -> None:
    async with open_cameras(cameras, rtsp_port) as port:
        began_s = trio.current_time()
        async with open_server(port, cameras, max_viewers=1, transport=transport) as server:
            ready_s = trio.current_time() - began_s
            await server.wait_live()
            print(
                f"{cameras} cameras live {trio.current_time() - began_s:.1f} s after the start of the process, ", end=""
            )
            print(f"which was ready after {ready_s:.1f} s")
            await trio.sleep(SETTLE_S)
            await measure(server, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rtsp-port", type=int)
    parser.add_argument("--transport", choices=("tcp", "udp"), default="tcp")
    arguments = parser.parse_args()
    trio.run(main, arguments.cameras, arguments.seconds, arguments.rtsp_port, arguments.transport)
