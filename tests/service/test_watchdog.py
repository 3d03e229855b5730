"""The watchdog is fed as long as the event loop turns and all cameras are looked after, and not a moment longer."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import CameraSettings
from camgate.ingest.cameras import Cameras
from camgate.ingest.intake import open_intake
from camgate.ingest.vitals import SLACK_S
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState
from camgate.service.notify import Notifier
from camgate.service.watchdog import STATUS_S, keep_informed, status_line, watchdog_period_s
from tests.fakes.camera import FakeCamera
from tests.fakes.service_manager import ServiceManager

PERIOD_S = 15.0
VIRTUAL_LIMIT_S = 20_000
HOST = "192.0.2.{}"


class HungCamera(FakeCamera):
    """Hangs its supervisor while `holds`: the dial ends neither by its timeout nor otherwise."""

    holds = False

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        if self.holds:
            await trio.sleep_forever()
        return await super().dial(host, port, timeout_s)


class Supervised:
    """Real supervisors of cameras, by name, and what the service manager hears of them."""

    def __init__(self, cameras: Cameras, registry: Registry) -> None:
        self.cameras = cameras
        self.registry = registry

    def status(self) -> str:
        return status_line((source.state for source in self.registry.sources()), 0)


@asynccontextmanager
async def supervised(manager: ServiceManager, **fakes: FakeCamera) -> AsyncIterator[Supervised]:
    hosts = {HOST.format(number): fake for number, fake in enumerate(fakes.values(), start=1)}

    async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
        return await hosts[host].dial(host, port, timeout_s)

    with trio.fail_after(VIRTUAL_LIMIT_S), closing(Notifier(manager.address)) as notifier:
        async with trio.open_nursery() as outside:
            for fake in fakes.values():
                outside.start_soon(fake.run)
            async with open_intake(dial) as intake, trio.open_nursery() as inside:  # type: ignore[arg-type]
                registry = Registry()
                supervised = Supervised(Cameras(registry, intake), registry)
                inside.start_soon(supervised.cameras.run)
                for host, name in zip(hosts, fakes, strict=True):
                    on_demand = name.startswith("demand")
                    supervised.cameras.add(CameraSettings(name=name, url=f"rtsp://{host}/a", on_demand=on_demand))
                inform = partial(keep_informed, period_s=PERIOD_S)
                inside.start_soon(inform, notifier, supervised.status, supervised.cameras.ailing)
                yield supervised
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def heard_within(manager: ServiceManager, seconds: float) -> list[str]:
    """Return what the service manager hears from now on; the kernel keeps no more than a few messages for it."""
    manager.heard()
    messages: list[str] = []
    end_s = trio.current_time() + seconds
    while (now := trio.current_time()) < end_s:
        await trio.sleep(min(PERIOD_S, end_s - now))
        messages += manager.heard()
    return messages


def feedings(messages: list[str]) -> int:
    return messages.count("WATCHDOG=1")


async def test_it_is_fed_whatever_cameras_do(manager: ServiceManager, autojump_clock: MockClock) -> None:
    fakes = {name: FakeCamera() for name in ("live", "refused", "silent", "mute", "busy", "stalled", "demand")}
    fakes["refused"].away, fakes["silent"].away = "refused", "silent"
    fakes["mute"].answers["OPTIONS"], fakes["busy"].answers["DESCRIBE"] = 0, 503
    async with supervised(manager, **fakes) as site:
        await trio.sleep(PERIOD_S / 2)
        fakes["stalled"].sends_frames = False
        with site.registry.get("demand").want():
            messages = await heard_within(manager, 10 * SLACK_S)
        messages += await heard_within(manager, 10 * SLACK_S)
        states = {source.name: source.state for source in site.registry.sources()}
        assert feedings(messages) == 20 * SLACK_S // PERIOD_S
    assert states["live"] is CameraState.LIVE
    assert states["demand"] is CameraState.IDLE
    assert states["refused"] is states["silent"] is CameraState.BACKOFF


async def test_a_supervisor_that_hangs_stops_the_feeding(
    manager: ServiceManager, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    yard = HungCamera()
    async with supervised(manager, front=FakeCamera(), yard=yard) as site:
        await trio.sleep(PERIOD_S / 2)
        assert site.registry.get("yard").state is CameraState.LIVE
        assert feedings(await heard_within(manager, 2 * SLACK_S)) == 2 * SLACK_S // PERIOD_S
        yard.holds = True
        yard.hang_up()
        await trio.sleep(2 * SLACK_S)
        messages = await heard_within(manager, 5 * SLACK_S)
        assert feedings(messages) == 0
        assert site.registry.get("front").state is CameraState.LIVE
        assert site.cameras.ailing(trio.current_time()) == "the supervisor of yard hangs"
    assert "the supervisor of yard hangs" in caplog.text


async def test_a_supervisor_that_has_ended_stops_the_feeding(
    manager: ServiceManager, autojump_clock: MockClock
) -> None:
    async with supervised(manager, front=FakeCamera()) as site:
        await trio.sleep(PERIOD_S / 2)
        # As by an error of ours: it was told to end, and the camera is still there.
        site.cameras._feeds["front"].main.session.stop()  # type: ignore[union-attr]
        assert feedings(await heard_within(manager, 4 * PERIOD_S)) == 0


async def test_a_camera_that_is_removed_is_missed_by_nobody(manager: ServiceManager, autojump_clock: MockClock) -> None:
    async with supervised(manager, front=FakeCamera(), yard=FakeCamera()) as site:
        await trio.sleep(PERIOD_S / 2)
        site.cameras.remove("yard")
        assert feedings(await heard_within(manager, 10 * SLACK_S)) == 10 * SLACK_S // PERIOD_S


async def test_an_event_loop_that_takes_no_turns_does_not_feed(manager: ServiceManager, mock_clock: MockClock) -> None:
    async with supervised(manager, front=FakeCamera()):
        await trio.testing.wait_all_tasks_blocked()
        assert feedings(manager.heard()) == 1
        # What takes no turn for so long that all timeouts are over is not the supervisors' fault, once it is over.
        mock_clock.jump(10 * PERIOD_S)
        assert manager.heard() == []
        await trio.testing.wait_all_tasks_blocked()
        assert feedings(manager.heard()) == 1


async def test_the_status_is_told_when_it_changes(manager: ServiceManager, autojump_clock: MockClock) -> None:
    front = FakeCamera()
    async with supervised(manager, front=front, demand=FakeCamera()):
        await trio.sleep(2 * STATUS_S)
        assert manager.heard()[-1] == "STATUS=1 of 2 cameras live, 1 idle, 0 viewers"
        front.away = "refused"
        front.hang_up()
        messages = await heard_within(manager, 10 * STATUS_S)
        statuses = [message for message in messages if message.startswith("STATUS=")]
        assert statuses == ["STATUS=0 of 2 cameras live, 1 idle, 0 viewers"]


def test_the_status_in_words() -> None:
    assert status_line([CameraState.LIVE, CameraState.STALLED], 1) == "1 of 2 cameras live, 1 viewer"
    assert status_line([], 0) == "0 of 0 cameras live, 0 viewers"


@pytest.mark.parametrize(
    ("environ", "period_s"),
    [
        ({}, float("inf")),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, float("inf")),
        ({"WATCHDOG_USEC": "0"}, float("inf")),
        ({"WATCHDOG_USEC": "soon"}, float("inf")),
    ],
)
def test_how_often(environ: dict[str, str], period_s: float) -> None:
    assert watchdog_period_s(environ) == period_s
