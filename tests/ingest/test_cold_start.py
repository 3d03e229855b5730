"""Two hundred cameras at once, some of them dead in every way: none waits for another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import trio
import trio.testing

from camgate.config.model import CameraSettings
from camgate.ingest.backoff import KNOCK_FAST_S
from camgate.ingest.intake import Intake, open_intake
from camgate.ingest.pace import INTERVAL_S
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import CameraState, Source
from tests.fakes.camera import FakeCamera

ALIVE, DEAD = 150, 50
ALL_HAD_THEIR_TURN_S = (ALIVE + DEAD) * INTERVAL_S
BEHIND_A_SWITCH = 100
"""Their pictures are what that test takes its time for."""
FIRST_PICTURE_S = 0.5
"""From a camera's turn on. What is promised, 200 cameras in 10 s, has room for slower ones."""

WAYS_TO_BE_DEAD = ("black hole", "refuses", "mute", "denies", "slow")


def dead_camera(way: str) -> FakeCamera:
    camera = FakeCamera(username="admin", password="another") if way == "denies" else FakeCamera()
    camera.away = {"black hole": "silent", "refuses": "refused"}.get(way)
    if way == "mute":
        camera.answers["OPTIONS"] = 0
    if way == "slow":
        camera.answers["DESCRIBE"] = 0
    return camera


@dataclass
class Site:
    """Many cameras and their supervisors."""

    cameras: list[FakeCamera]
    sources: list[Source] = field(default_factory=list)
    live_at_s: dict[str, float] = field(default_factory=dict)
    changed: trio.Event = field(default_factory=trio.Event)

    def note(self, source: Source) -> None:
        if source.state is CameraState.LIVE:
            self.live_at_s[source.name] = trio.current_time()
            self.changed.set()
            self.changed = trio.Event()

    async def wait_live(self, count: int) -> None:
        """Wait until so many have been live since `live_at_s` was last cleared."""
        while len(self.live_at_s) < count:
            await self.changed.wait()

    @property
    def dials(self) -> list[float]:
        return sorted(at_s for camera in self.cameras for at_s in camera.dialled_at_s)


@asynccontextmanager
async def running(cameras: list[FakeCamera]) -> AsyncIterator[Site]:
    site = Site(cameras)
    with trio.fail_after(1000):
        async with trio.open_nursery() as outside:
            async with open_intake() as shared, trio.open_nursery() as inside:
                for number, camera in enumerate(cameras):
                    outside.start_soon(camera.run)
                    source = Source(f"cam{number}")
                    site.sources.append(source)
                    source.on_change = lambda source=source: site.note(source)
                    settings = CameraSettings(
                        name=source.name, url=f"rtsp://192.0.2.{number}/", username="admin", password="admin"
                    )
                    intake = Intake(camera.dial, shared.pace, shared.arrivals)
                    inside.start_soon(run_camera, settings, source, intake)
                yield site
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def test_a_cold_start_with_dead_cameras_in_every_fourth_place(autojump_clock: trio.testing.MockClock) -> None:
    cameras = [FakeCamera() for _ in range(ALIVE)]
    order = Random(1)
    for number in range(DEAD):
        cameras.insert(order.randrange(len(cameras)), dead_camera(WAYS_TO_BE_DEAD[number % len(WAYS_TO_BE_DEAD)]))
    async with running(cameras) as site:
        await site.wait_live(ALIVE)
        assert trio.current_time() <= ALL_HAD_THEIR_TURN_S + FIRST_PICTURE_S


async def test_dials_are_staggered(autojump_clock: trio.testing.MockClock) -> None:
    async with running([FakeCamera() for _ in range(ALIVE + DEAD)]) as site:
        await site.wait_live(ALIVE + DEAD)
    busiest = max(sum(at_s <= other < at_s + 0.1 for other in site.dials) for at_s in site.dials)
    assert busiest <= 0.1 / INTERVAL_S + 1
    assert len(site.dials) == ALIVE + DEAD


async def test_all_cameras_return_together_when_their_switch_has_restarted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cameras = [FakeCamera() for _ in range(BEHIND_A_SWITCH)]
    async with running(cameras) as site:
        await site.wait_live(len(cameras))
        await trio.sleep(0.5)
        for camera in cameras:
            camera.away = "silent"
            camera.sends_frames = False
            camera.answers = dict.fromkeys(("TEARDOWN", "GET_PARAMETER"), 0)
        await trio.sleep(15)
        assert all(source.state is CameraState.BACKOFF for source in site.sources)
        site.live_at_s.clear()
        back_s = trio.current_time()
        for camera in cameras:
            camera.away, camera.sends_frames, camera.answers = None, True, {}
        await site.wait_live(len(cameras))
        assert trio.current_time() - back_s <= BEHIND_A_SWITCH * INTERVAL_S + KNOCK_FAST_S + FIRST_PICTURE_S
        sessions = sorted(
            request.at_s for camera in cameras for request in camera.requests if request.method == "DESCRIBE"
        )[len(cameras) :]
        assert max(sum(at_s <= other < at_s + 0.1 for other in sessions) for at_s in sessions) <= 0.1 / INTERVAL_S + 1
