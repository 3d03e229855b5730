"""How soon viewers have pictures again from a camera that was killed, frozen or cut off, and what others notice of it.

Run: python -m tests.bench.bench_recovery [--rounds 5]

The cameras are gst-rtsp-server's, each in a process of its own; the ingest runs in this one. For each outage it prints
how long after the camera's return its first key frame was drawn, and how long after that (the camera's encoder and
pipeline included) the frame was with a reader: the latter is ours to answer for. Beside it plays another camera; its
longest distance of pictures in the whole time is printed, and each picture that it missed is counted.
"""

import argparse
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import trio

from camgate.config.model import CameraSettings
from camgate.ingest.intake import Intake, open_intake
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import Source
from camgate.wire.codec.frame import Frame
from tests.fakes.cable import Cable
from tests.fakes.decode import BlocksDecoder
from tests.fakes.gst import GstCamera, gst_camera

AWAY_S = 8.0
STEADY_S = 12.0
"""Pictures for 10 s earn a camera that breaks off one more try at once."""
PATIENCE_S = 60.0


class Watched:
    """One camera, and all frames that a reader got of it."""

    def __init__(self, name: str, url: str) -> None:
        self.settings = CameraSettings(name=name, url=url, audio=False)
        self.source = Source(name)
        self.frames: list[Frame] = []
        self._arrived = trio.Event()

    async def run(self, intake: Intake) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(run_camera, self.settings, self.source, intake))
            with self.source.stream.subscribe() as subscription:
                while True:
                    self.frames.append(await subscription.receive())
                    self._arrived.set()
                    self._arrived = trio.Event()

    async def next_frame(self) -> tuple[Frame, float]:
        """Return the next frame, and the Unix time at which it came."""
        seen = len(self.frames)
        with trio.fail_after(PATIENCE_S):
            while len(self.frames) == seen:
                await self._arrived.wait()
        return self.frames[seen], time.time()


@asynccontextmanager
async def outage(leave: Callable[[], object], come_back: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    result = leave()
    if isinstance(result, Awaitable):
        await result
    await trio.sleep(AWAY_S)
    await come_back()
    yield


async def measure(
    name: str, watched: Watched, leave: Callable[[], object], come_back: Callable[[], Awaitable[object]], rounds: int
) -> None:
    drawn_after, ours = [], []
    for _ in range(rounds):
        await watched.next_frame()
        await trio.sleep(STEADY_S)
        async with outage(leave, come_back):
            back_s = time.time()
            frame, came_s = await watched.next_frame()
        blocks = BlocksDecoder().decode(frame)[0]
        assert frame.is_key
        assert blocks is not None
        since_drawn_s = ((int(came_s * 1000) - blocks.time_ms) & 0xFFFFFFFF) / 1000
        ours.append(since_drawn_s)
        drawn_after.append(came_s - since_drawn_s - back_s)
    camera, at_reader = ("  ".join(f"{1000 * value:5.0f}" for value in values) for values in (drawn_after, ours))
    print(f"{name:<28} key frame drawn after, ms: {camera}    then at the reader after, ms: {at_reader}", flush=True)


async def at_once(action: Callable[[], object]) -> None:
    action()
    await trio.lowlevel.checkpoint()


async def run(rounds: int) -> None:
    async with gst_camera() as camera, gst_camera("--camera=2") as other, trio.open_nursery() as nursery:
        cable = Cable(camera.port)
        await nursery.start(partial(cable.run))
        behind = f"rtsp://127.0.0.1:{cable.port}{camera.mount}"
        async with open_intake() as intake, trio.open_nursery() as inside:
            beside = Watched("beside", other.url)
            inside.start_soon(beside.run, intake)
            await measure_all(camera, cable, behind, intake, rounds)
            report_beside(beside)
            inside.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


async def measure_all(camera: GstCamera, cable: Cable, behind: str, intake: Intake, rounds: int) -> None:
    cases: list[tuple[str, str, Callable[[], object], Callable[[], Awaitable[object]]]] = [
        ("killed, started again", camera.url, camera.kill, camera.start),
        ("frozen (SIGSTOP)", camera.url, camera.freeze, partial(at_once, camera.thaw)),
        ("half-open connection", behind, cable.cut, partial(at_once, cable.mend)),
    ]
    for name, url, leave, come_back in cases:
        async with trio.open_nursery() as nursery:
            watched = Watched("watched", url)
            nursery.start_soon(watched.run, intake)
            await measure(name, watched, leave, come_back, rounds)
            nursery.cancel_scope.cancel()


def report_beside(beside: Watched) -> None:
    numbers = [blocks.frame for blocks in BlocksDecoder().decode_all(beside.frames) if blocks is not None]
    missed = sum(later - earlier - 1 for earlier, later in pairwise(numbers))
    longest_s = max(later.arrival_s - earlier.arrival_s for earlier, later in pairwise(beside.frames))
    seen = f"{len(numbers)} pictures, {missed} missed, {1000 * longest_s:.0f} ms apart at most"
    print(f"the camera beside them       {seen}")


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon pictures come back.")
    parser.add_argument("--rounds", type=int, default=5)
    logging.disable(logging.WARNING)
    trio.run(run, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
