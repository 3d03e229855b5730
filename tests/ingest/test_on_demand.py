"""A camera on demand against the scripted camera, in virtual time: when it is dialled, and when it is hung up on."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.supervisor import run_camera
from camgate.relay.demand import DemandState
from camgate.relay.errors import CameraOffline
from camgate.relay.source import CameraState, Source
from tests.fakes.camera import FakeCamera

IDLE, DIALLING, WATCHED, LINGERING = DemandState
LINGER_S = 20.0
PASSWORD = "right"
VIRTUAL_LIMIT_S = 5000


@asynccontextmanager
async def on_demand(
    camera: FakeCamera, *, password: str | None = None, linger_s: float = LINGER_S
) -> AsyncIterator[Source]:
    """Run a camera on demand and its supervisor for the time of the block."""
    username = None if password is None else "admin"
    settings = CameraSettings(
        name="front",
        url="rtsp://192.0.2.7/stream",
        username=username,
        password=password,
        on_demand=True,
        linger_s=linger_s,
    )
    source = Source("front")
    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as outside:
            outside.start_soon(camera.run)
            async with open_intake(camera.dial) as intake, trio.open_nursery() as inside:
                inside.start_soon(partial(run_camera, settings, source, intake, random=Random(1)))
                await trio.testing.wait_all_tasks_blocked()
                yield source
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def watch(source: Source, seconds: float) -> None:
    """Watch as a viewer does: want it, wait for pictures, read them."""
    with source.want():
        await source.wait_live(10)
        with source.stream.subscribe():
            await trio.sleep(seconds)


async def test_a_camera_is_dialled_for_its_first_viewer_only(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        await trio.sleep(3600)
        assert (camera.dialled, source.state, source.demand) == ([], CameraState.IDLE, IDLE)
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(watch, source, 5)
            await trio.sleep(1)
            assert (source.state, source.demand) == (CameraState.LIVE, WATCHED)
            assert source.statistics().demand == "watched"
        assert len(camera.dialled) == 1


async def test_it_is_hung_up_on_after_the_linger_time(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        await watch(source, 5)
        await trio.sleep(LINGER_S - 1)
        assert (source.state, source.demand) == (CameraState.LIVE, LINGERING)
        assert camera.open_connections == 1
        await trio.sleep(2.5)
        assert (source.state, source.demand, source.last_error) == (CameraState.IDLE, IDLE, None)
        assert camera.open_connections == 0
        assert camera.methods[-1] == "TEARDOWN"
        assert source.stream.gop() == (), "the next viewer must not begin with pictures of long ago"
        assert source.stream.format is not None
        await trio.sleep(3600)
        await watch(source, 5)
        assert len(camera.dialled) == 2


async def test_who_comes_while_it_lingers_has_the_picture_at_once(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        for _ in range(5):
            await watch(source, 1)
            await trio.sleep(LINGER_S - 2)
            before_s = trio.current_time()
            with source.want():
                await source.wait_live(0)
                assert source.stream.gop()[0].is_key
            assert trio.current_time() - before_s < 0.1
        await trio.sleep(LINGER_S - 2)
        assert source.demand is LINGERING, "each viewer begins the linger time anew"
        assert len(camera.dialled) == 1


async def test_a_viewer_who_does_not_wait_has_it_dialled_all_the_same(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        with pytest.raises(CameraOffline), source.want():
            await source.wait_live(0)
        await trio.sleep(2)
        assert (source.state, source.demand) == (CameraState.LIVE, LINGERING)


async def test_viewers_keep_a_camera_that_restarts(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source, trio.open_nursery() as nursery:
        nursery.start_soon(watch, source, 60)
        await trio.sleep(15)
        camera.away = "refused"
        camera.hang_up()
        await trio.sleep(LINGER_S + 5)
        assert (source.state, source.demand) == (CameraState.BACKOFF, DIALLING)
        camera.away = None
        await trio.sleep(1)
        assert (source.state, source.demand) == (CameraState.LIVE, WATCHED)
        assert source.wants.count == 2


async def test_a_camera_that_is_lost_while_it_lingers_is_left_in_peace(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        await watch(source, 15)
        camera.hang_up()
        await trio.sleep(2)
        assert source.demand is IDLE
        await trio.sleep(100)
        assert len(camera.dialled) == 1


async def test_nobody_knocks_for_ever_at_a_camera_that_nobody_waits_for(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    camera.away = "refused"
    async with on_demand(camera) as source:
        with pytest.raises(CameraOffline, match=r"192\.0\.2\.7:554 is away"), source.want():
            await source.wait_live(5)
        await trio.sleep(LINGER_S + 1)
        assert (source.state, source.demand) == (CameraState.IDLE, IDLE)
        assert "is away" in str(source.last_error), "the wall says why it could not be shown"
        knocked = len(camera.dialled)
        await trio.sleep(3600)
        assert len(camera.dialled) == knocked


async def test_impatient_viewers_do_not_lock_an_account(autojump_clock: MockClock) -> None:
    camera = FakeCamera(username="admin", password=PASSWORD)
    async with on_demand(camera, password="wrong", linger_s=1) as source:
        for _ in range(300):
            with pytest.raises(CameraOffline), source.want():
                await source.wait_live(0.5)
            await trio.sleep(3)
            assert source.demand is IDLE
        assert "wrong user name or password" in str(source.last_error)
        assert source.needs_attention == "refused"
    times = [login.at_s for login in camera.logins]
    assert len(times) >= 4
    assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(times))


async def test_who_waits_for_a_camera_that_may_not_be_dialled_yet_is_told_why(autojump_clock: MockClock) -> None:
    camera = FakeCamera(username="admin", password=PASSWORD)
    async with on_demand(camera, password="wrong", linger_s=1) as source:
        with pytest.raises(CameraOffline), source.want():
            await source.wait_live(5)
        await trio.sleep(10)
        assert source.state is CameraState.IDLE
        with source.want():
            await trio.sleep(1)
            assert (source.state, source.demand) == (CameraState.BACKOFF, DIALLING)
            with pytest.raises(CameraOffline, match="wrong user name or password") as refused:
                await source.wait_live(5)
            assert 40 <= (refused.value.retry_after_s or 0) <= 60
        assert len(camera.logins) == 1


async def test_logins_that_we_break_off_count_as_failed_ones(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = 0
    async with on_demand(camera, linger_s=1) as source:
        for _ in range(60):
            with pytest.raises(CameraOffline), source.want():
                await source.wait_live(0)
            await trio.sleep(2)
    assert 5 <= len(camera.dialled) <= 10


async def test_a_viewer_is_told_that_the_camera_is_being_connected(autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    camera.sends_key_frames = False
    async with on_demand(camera) as source:
        with pytest.raises(CameraOffline, match="being connected, and has sent no picture yet"), source.want():
            await source.wait_live(5)
        assert source.state is CameraState.CONNECTING


@pytest.mark.parametrize("watched", [False, True])
async def test_shutdown_ends_it_in_any_state(watched: bool, autojump_clock: MockClock) -> None:
    camera = FakeCamera()
    async with on_demand(camera) as source:
        if watched:
            await watch(source, 5)
        started_s = trio.current_time()
    assert trio.current_time() - started_s <= 1
    assert source.state is CameraState.STOPPED
    assert camera.methods[-1:] == (["TEARDOWN"] if watched else [])
