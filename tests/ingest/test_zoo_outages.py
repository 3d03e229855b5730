"""The zoo, part three: cameras that go away in every manner, and when their viewers have pictures again.

Beside each plays a good camera, whose viewer must not miss a single picture.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock as Clock

from camgate.base.backoff import JITTER
from camgate.ingest.backoff import KNOCK_FAST_FOR_S, KNOCK_SLOW_S, UNSTEADY_CAP_S
from camgate.relay.source import CameraState
from tests.fakes.film import Film, Packet, fragments, numbers_of
from tests.fakes.liar import Liar, script
from tests.fakes.zoo import Show, shown_together

RECOVERY_S = 0.3
"""From the next key frame of a camera that is back to its viewers."""


class Outage:
    """What is watched while a camera goes away and comes back."""

    def __init__(self, camera: Liar, show: Show) -> None:
        self.camera = camera
        self.show = show
        self.back_s = float("nan")
        self._seen = 0

    def over(self) -> None:
        """The camera is back from now on."""
        self.back_s = trio.current_time()
        self._seen = len(self.show.frames)

    async def wait_pictures(self) -> float:
        """Return how long after its return the camera's first picture came, which must be a key frame."""
        await self.show.wait_frames(self._seen + 1)
        first = self.show.frames[self._seen]
        assert first.is_key
        await trio.sleep(2)
        pictures = [number for frame in self.show.frames[self._seen :] for number in numbers_of(frame.nals)]
        assert pictures == list(range(pictures[0], pictures[0] + len(pictures)))
        assert len(pictures) > 40
        assert self.show.source.state is CameraState.LIVE
        times = [frame.rtp_time for frame in self.show.frames]
        assert times == sorted(set(times))
        return first.arrival_s - self.back_s


@asynccontextmanager
async def watching(camera: Liar, *, for_s: float = 15.0) -> AsyncIterator[Outage]:
    """Watch a camera, and a good one beside it, which must not miss a picture in the whole time of the block."""
    good = Liar(script(), Film(fps=10, gop=10))
    async with shown_together(camera, good) as (show, beside):
        await trio.sleep(for_s)
        yield Outage(camera, show)
        beside.assert_whole(good.filmed - 1)


@pytest.mark.parametrize("away", ["refused", "silent"])
@pytest.mark.parametrize("for_s", [3.0, 20.0, 80.0])
async def test_a_camera_that_is_killed(away: str, for_s: float, autojump_clock: Clock) -> None:
    camera = Liar(script(), Film(fps=25, gop=25))
    async with watching(camera) as outage:
        camera.away = away
        camera.hang_up()
        await trio.sleep(for_s)
        assert outage.show.source.state is not CameraState.LIVE
        camera.away = None
        outage.over()
        assert await outage.wait_pictures() <= (RECOVERY_S if for_s < KNOCK_FAST_FOR_S else KNOCK_SLOW_S + RECOVERY_S)


@pytest.mark.parametrize("for_s", [7.0, 10.1, 21.0, 33.3])
async def test_a_camera_that_freezes(for_s: float, autojump_clock: Clock) -> None:
    """As by SIGSTOP: its kernel accepts connections, nobody answers; when it goes on, it goes on with all of them."""
    camera = Liar(script())
    async with watching(camera) as outage:
        camera.freeze()
        await trio.sleep(for_s)
        assert outage.show.source.last_error is not None
        camera.thaw()
        outage.over()
        assert await outage.wait_pictures() <= RECOVERY_S


async def test_a_camera_whose_connection_is_half_open(autojump_clock: Clock) -> None:
    """It has lost its power: the connection stands, nothing comes, and nobody answers a new one."""
    camera = Liar(script())
    async with watching(camera) as outage:
        camera.freeze()
        camera.away = "silent"
        await trio.sleep(30)
        assert "away (silent)" in str(outage.show.source.last_error)
        camera.hang_up()
        camera.thaw()
        camera.away = None
        outage.over()
        assert await outage.wait_pictures() <= RECOVERY_S


async def test_a_camera_that_answers_a_byte_at_a_time(autojump_clock: Clock) -> None:
    camera = Liar(script())
    async with watching(camera) as outage:
        camera.trickle_s = 0.5
        camera.hang_up()
        await trio.sleep(60)
        assert "no answer to OPTIONS within 5 s" in str(outage.show.source.last_error)
        camera.trickle_s = 0.0
        outage.over()
        assert await outage.wait_pictures() <= 6.0 + RECOVERY_S


async def test_a_camera_whose_pictures_never_end(autojump_clock: Clock) -> None:
    """Its packets come all the time, but none ends a picture."""

    def endless(nals: list[bytes]) -> list[Packet]:
        middle = fragments(nals[-1].ljust(3000, b"\x55"))[1]
        return [Packet(middle)]

    camera = Liar(script())
    whole = camera.film
    async with watching(camera) as outage:
        camera.film = replace(whole, pack=endless, clock=lambda second: 0.0)
        camera.hang_up()
        await trio.sleep(30)
        assert "no picture for 5 s" in str(outage.show.words)
        camera.film = whole
        camera.hang_up()
        outage.over()
        assert await outage.wait_pictures() <= 35


@pytest.mark.parametrize("period_s", [0.5, 2.0, 8.0])
async def test_a_camera_that_flaps(period_s: float, autojump_clock: Clock) -> None:
    camera = Liar(script())
    async with watching(camera) as outage:
        for _ in range(8):
            await trio.sleep(period_s)
            camera.hang_up()
        outage.over()
        assert await outage.wait_pictures() <= UNSTEADY_CAP_S * (1 + JITTER) + RECOVERY_S
