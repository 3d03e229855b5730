"""Cameras that come, go and change beside others, in virtual time: only what has changed is connected to anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from camgate.config.diff import compare
from camgate.config.model import CameraSettings, Settings
from camgate.ingest.cameras import Cameras
from camgate.ingest.intake import open_intake
from camgate.ingest.session import GOODBYE_SILENCE_S
from camgate.relay.errors import CameraOffline
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.relay.subscription import Subscription
from tests.fakes.camera import FakeCamera

LIVE, IDLE = CameraState.LIVE, CameraState.IDLE
VIRTUAL_LIMIT_S = 1000
FRONT = CameraSettings(name="front", url="rtsp://192.0.2.1/a")
YARD = CameraSettings(name="yard", url="rtsp://192.0.2.2/a")


async def read_to_the_end(reader: Subscription) -> None:
    while True:
        await reader.receive()


class Site:
    """Cameras by host, and those of them that a config names."""

    def __init__(self, cameras: Cameras, registry: Registry, hosts: dict[str, FakeCamera]) -> None:
        self.cameras = cameras
        self.registry = registry
        self.hosts = hosts
        self.settings = Settings(cameras={})

    def configure(self, *cameras: CameraSettings) -> None:
        """Take a config with these cameras."""
        wanted = Settings(cameras={camera.name: camera for camera in cameras})
        self.cameras.apply(compare(self.settings, wanted))
        self.settings = wanted

    def connections(self, host: str) -> int:
        """How often a camera was dialled since the start."""
        return len(self.hosts[host].dialled)

    async def wait(self, name: str, state: CameraState) -> Source:
        """Return a camera once it is in a state."""
        source = self.registry.get(name)
        while source.state is not state:
            await source.changes.wait_changed(source.changes.revision)
        return source


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as site:
        yield site


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    hosts = {f"192.0.2.{number}": FakeCamera() for number in range(1, 5)}

    async def dial(host: str, port: int, timeout_s: float) -> object:
        return await hosts[host].dial(host, port, timeout_s)

    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as outside:
            for camera in hosts.values():
                outside.start_soon(camera.run)
            async with open_intake(dial) as intake, trio.open_nursery() as inside:  # type: ignore[arg-type]
                registry = Registry()
                cameras = Cameras(registry, intake)
                inside.start_soon(cameras.run)
                yield Site(cameras, registry, hosts)
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def test_another_url_ends_one_session_before_the_next_and_keeps_readers(
    site: Site, autojump_clock: MockClock
) -> None:
    site.configure(FRONT, YARD)
    front, yard = await site.wait("front", LIVE), await site.wait("yard", LIVE)
    with front.stream.subscribe() as reader:
        site.configure(replace(FRONT, url="rtsp://192.0.2.3/b"), YARD)
        assert front.state is CameraState.CONNECTING
        assert front.stream.gop() == ()
        assert site.registry.get("front") is front
        await site.wait("front", LIVE)
        assert site.hosts["192.0.2.1"].open_connections == 0
        assert site.hosts["192.0.2.1"].requests[-1].method == "TEARDOWN"
        times = [(await reader.receive()).rtp_time for _ in range(40)]
        assert times == sorted(set(times))
        assert not reader.closed
    assert (site.connections("192.0.2.2"), yard.sessions, yard.reconnects) == (1, 1, 0)
    assert (front.sessions, front.reconnects) == (2, 0)


async def test_what_only_camgate_knows_of_a_camera_connects_to_nothing(site: Site, autojump_clock: MockClock) -> None:
    site.configure(FRONT)
    front = await site.wait("front", LIVE)
    revision = site.registry.revision
    site.configure(replace(FRONT, title="Front door", groups=("outside",), expected_fps=5.0, max_viewers=3))
    assert (front.title, front.expected_fps, front.state) == ("Front door", 5.0, LIVE)
    assert site.registry.changed_since(revision) == ["front"]
    site.configure(FRONT)
    assert (front.title, front.expected_fps) == ("front", None)
    await trio.sleep(30)
    assert (site.connections("192.0.2.1"), front.sessions) == (1, 1)


async def test_a_camera_by_another_name_is_dialled_once_the_old_one_has_hung_up(
    site: Site, autojump_clock: MockClock
) -> None:
    site.configure(FRONT)
    front = await site.wait("front", LIVE)
    camera = site.hosts["192.0.2.1"]
    camera.answers["TEARDOWN"], camera.lingers_s = 0, 9.0
    with front.stream.subscribe() as reader:
        site.configure(replace(FRONT, name="gate"))
        with pytest.raises(trio.EndOfChannel):
            await read_to_the_end(reader)
    await site.wait("gate", LIVE)
    (goodbye,) = (request for request in camera.requests if request.method == "TEARDOWN")
    assert camera.dialled_at_s[1] - goodbye.at_s >= GOODBYE_SILENCE_S
    assert [source.name for source in site.registry.sources()] == ["gate"]


async def test_a_config_is_taken_while_the_one_before_still_hangs_up(site: Site, autojump_clock: MockClock) -> None:
    site.configure(FRONT, YARD)
    front = await site.wait("front", LIVE)
    site.hosts["192.0.2.1"].answers["TEARDOWN"] = 0
    for host in ("192.0.2.3", "192.0.2.4", "192.0.2.1", "192.0.2.4"):
        site.configure(replace(FRONT, url=f"rtsp://{host}/b"), YARD)
    await site.wait("front", LIVE)
    assert [site.connections(f"192.0.2.{number}") for number in (1, 2, 3, 4)] == [1, 1, 0, 1]
    assert front.sessions == 2
    site.configure(YARD)
    site.configure(YARD, FRONT)
    site.configure(FRONT, YARD)
    assert [source.name for source in site.registry.sources()] == ["front", "yard"]
    assert (await site.wait("front", LIVE)) is not front
    assert site.hosts["192.0.2.1"].open_connections == 1


@pytest.mark.parametrize("away", ["silent", "refused", None])
async def test_a_camera_that_is_being_dialled_is_dialled_elsewhere_at_once(
    site: Site, away: str | None, autojump_clock: MockClock
) -> None:
    old = site.hosts["192.0.2.1"]
    old.away, old.answers["OPTIONS"] = away, 0
    site.configure(FRONT)
    await trio.sleep(2)
    front = site.registry.get("front")
    assert front.state is not LIVE
    began_s = trio.current_time()
    site.configure(replace(FRONT, url="rtsp://192.0.2.3/b"))
    await site.wait("front", LIVE)
    assert trio.current_time() - began_s < 1
    assert old.open_connections == 0
    assert front.last_error is None


async def test_a_right_password_is_tried_at_once(site: Site, autojump_clock: MockClock) -> None:
    site.hosts["192.0.2.1"].credentials = "admin:right"
    wrong = replace(FRONT, username="admin", password="wrong")
    site.configure(wrong)
    front = await site.wait("front", CameraState.BACKOFF)
    assert front.needs_attention is not None
    began_s = trio.current_time()
    site.configure(replace(wrong, password="right"))
    await site.wait("front", LIVE)
    assert trio.current_time() - began_s < 1
    assert (front.last_error, front.needs_attention) == (None, None)


async def test_who_waits_for_a_camera_goes_on_waiting_while_it_changes_and_no_longer_when_it_is_gone(
    site: Site, autojump_clock: MockClock
) -> None:
    site.hosts["192.0.2.1"].away = "silent"
    site.configure(FRONT)
    front = site.registry.get("front")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(front.wait_live)
        await trio.sleep(1)
        site.configure(replace(FRONT, url="rtsp://192.0.2.3/b"))
    assert front.state is LIVE
    site.hosts["192.0.2.4"].away = "silent"
    site.configure(replace(FRONT, url="rtsp://192.0.2.4/b"))

    async def expect_offline() -> None:
        with pytest.raises(CameraOffline):
            await front.wait_live()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_offline)
        await trio.sleep(1)
        site.configure()
    assert front.state is CameraState.STOPPED


async def test_a_camera_becomes_one_on_demand_and_back(site: Site, autojump_clock: MockClock) -> None:
    site.configure(FRONT)
    front = await site.wait("front", LIVE)
    site.configure(replace(FRONT, on_demand=True, linger_s=2.0))
    await site.wait("front", IDLE)
    assert site.hosts["192.0.2.1"].open_connections == 0
    with front.stream.subscribe():
        await site.wait("front", LIVE)
        # In the middle of a session that somebody has asked for.
        site.configure(replace(FRONT, on_demand=True, linger_s=3.0))
        await trio.sleep(1)
        await site.wait("front", LIVE)
    await site.wait("front", IDLE)
    site.configure(FRONT)
    await site.wait("front", LIVE)
    assert front.demand is None
    assert site.hosts["192.0.2.1"].open_connections == 1


async def test_sub_streams_come_change_and_go_beside_their_camera(site: Site, autojump_clock: MockClock) -> None:
    site.configure(FRONT)
    front = await site.wait("front", LIVE)
    sub = CameraSettings(name="front/sub", url="rtsp://192.0.2.3/sub", on_demand=True)
    site.configure(replace(FRONT, sub=sub))
    assert front.sub is not None
    first = front.sub
    with first.stream.subscribe() as reader:
        while first.state is not LIVE:
            await first.changes.wait_changed(first.changes.revision)
        site.configure(replace(FRONT, sub=replace(sub, url="rtsp://192.0.2.4/sub")))
        while first.state is not LIVE:
            await first.changes.wait_changed(first.changes.revision)
        assert front.sub is first
        assert site.hosts["192.0.2.3"].open_connections == 0
        assert site.hosts["192.0.2.4"].open_connections == 1
        site.configure(FRONT)
        assert front.sub is None
        with pytest.raises(trio.EndOfChannel):
            await read_to_the_end(reader)
    await trio.sleep(5)
    assert site.hosts["192.0.2.4"].open_connections == 0
    assert (front.sessions, front.state) == (1, LIVE)


async def test_all_cameras_are_hung_up_and_stopped_in_the_end(autojump_clock: MockClock) -> None:
    async with open_site() as site:
        site.configure(FRONT, YARD)
        sources = [await site.wait(name, LIVE) for name in ("front", "yard")]
    assert [source.state for source in sources] == [CameraState.STOPPED] * 2
    for host in ("192.0.2.1", "192.0.2.2"):
        assert site.hosts[host].requests[-1].method == "TEARDOWN"
