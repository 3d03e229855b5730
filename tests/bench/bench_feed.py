"""What WebSockets cost that are told of cameras: processor time and bytes a second, in virtual time.

    .venv/bin/python -m tests.bench.bench_feed [--cameras 200]

All cameras are live, with bit rates that vary a little, as they do. The cost of publishing is
measured without listeners and taken off. Walls with roles are those of people who may view a part of the cameras.
"""

import argparse
import time
from contextlib import ExitStack
from random import Random

import trio
from trio.testing import MockClock

from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.config.model import Settings
from camgate.engine import Engine
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.http.feed import CameraFeed, Cursor
from camgate.serve.http.identity import Sights
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import VIDEO_FORMAT

SECONDS = 20
FPS = 5
"""Few frames, so that publishing does not drown the figures."""
NALS = [(bytes(size),) for size in range(7_200, 8_800, 100)]


class Listener:
    """One socket: counts what it would send."""

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0

    async def run(self, cursor: Cursor) -> None:
        while True:
            for message in await cursor.next():
                self.bytes += len(message)
                self.messages += 1


ROLES = ("camera-*[02468]", "camera-*[13579]", "camera-1*", "camera-*5", "camera-?", "camera-??", "camera-2??", "*-9")
"""What may be viewed with each."""


async def measure(cameras: int, overviews: int, pages: int, changes_per_s: int, roles: int) -> tuple[float, int, int]:
    """Return processor seconds, bytes and messages over SECONDS, without what the first lists cost."""
    registry, endpoint, random = Registry(), Endpoint(), Random(1)
    engine = Engine(Settings(cameras={}), registry, endpoint)
    feed, sights = CameraFeed(engine), Sights(engine.groups)
    sources = [Source(f"camera-{number}") for number in range(cameras)]
    for source in sources:
        registry.add(source)
        source.set_format(VIDEO_FORMAT)
        source.set_state(CameraState.LIVE)
    listeners = [Listener() for _ in range(overviews + pages)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        with ExitStack() as stack:
            for number, listener in enumerate(listeners):
                names = None if number < overviews else frozenset({f"camera-{number % cameras}"})
                sight = sights.of(somebody(number % roles)) if roles else None
                nursery.start_soon(listener.run, stack.enter_context(feed.listen(names, sight)))
            await run_cameras(sources, random, 5, 0)
            for listener in listeners:
                listener.bytes = listener.messages = 0
            began_s = time.process_time()
            await run_cameras(sources, random, SECONDS, changes_per_s)
            spent_s = time.process_time() - began_s
            nursery.cancel_scope.cancel()
    return spent_s, sum(each.bytes for each in listeners), sum(each.messages for each in listeners)


def somebody(role: int) -> Identity:
    return Identity(name=f"{role}", way=Way.PASSWORD, grants=(Grant(Action.VIEW, (ROLES[role],)),))


async def run_cameras(sources: list[Source], random: Random, seconds: int, changes_per_s: int) -> None:
    for number in range(seconds * FPS):
        now = trio.current_time()
        for source in sources:
            nals = random.choice(NALS)
            source.publish(Frame(nals, number * 90_000 // FPS, now, number % FPS == 0))
        for turn in range(changes_per_s // FPS):
            source = sources[(number + turn) % len(sources)]
            source.set_state(CameraState.BACKOFF if source.state is CameraState.LIVE else CameraState.LIVE, "away")
            await trio.sleep(1 / FPS / (changes_per_s // FPS + 1))
        await trio.sleep(now + 1 / FPS - trio.current_time())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=200)
    cameras = parser.parse_args().cameras

    def cost(*load: int) -> tuple[float, int, int]:
        return trio.run(measure, cameras, *load, clock=MockClock(autojump_threshold=0))

    for what, load in (
        ("1 wall, steady", (1, 0, 0, 0)),
        ("1 wall, 20 changes a second", (1, 0, 20, 0)),
        ("100 walls, steady", (100, 0, 0, 0)),
        ("1 camera page, steady", (0, 1, 0, 0)),
        ("100 camera pages, steady", (0, 100, 0, 0)),
        ("200 walls, 20 changes a second", (200, 0, 20, 0)),
        ("200 walls of 8 roles, 20 changes a second", (200, 0, 20, 8)),
    ):
        nobody_s = min(cost(0, 0, load[2], 0)[0] for _ in range(3))
        spent_s, size, messages = min(cost(*load) for _ in range(3))
        share = (spent_s - nobody_s) / SECONDS
        print(f"{what}: {share:.2%} of a core, {size / SECONDS / 1000:.1f} kB/s, {messages / SECONDS:.1f} messages/s")


if __name__ == "__main__":
    main()
