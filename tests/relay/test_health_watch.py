import logging

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import HealthSettings
from camgate.relay.health_watch import watch_health
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from tests.fakes.frames import make_frame

RULES = HealthSettings(period_s=10, misses=2)


async def test_a_verdict_is_told_at_once_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    registry, source = Registry(), Source("front")
    registry.add(source)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_health, registry, lambda: RULES)
        source.set_state(CameraState.BACKOFF, "no route to host")
        revision = registry.revision
        await trio.sleep(19)
        assert source.statistics().healthy
        assert registry.revision == revision
        assert await registry.wait_changed(revision)
        assert trio.current_time() == 20
        assert (source.statistics().healthy, source.statistics().health_reason) == (False, "no route to host")
        await trio.sleep(100)
        source.set_state(CameraState.LIVE)
        await trio.sleep(10)
        assert source.statistics().healthy
        nursery.cancel_scope.cancel()
    lines = ['camera is unhealthy camera=front reason="no route to host"', "camera is healthy again camera=front"]
    assert [record.getMessage() for record in caplog.records] == lines


async def test_cameras_come_and_go(autojump_clock: MockClock) -> None:
    registry = Registry()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_health, registry, lambda: RULES)
        for number in range(50):
            registry.add(Source(f"cam{number}"))
        await trio.sleep(15)
        registry.remove("cam7")
        slow = Source("slow", expected_fps=25)
        registry.add(slow)
        slow.set_state(CameraState.LIVE)
        for _ in range(60):
            slow.publish(make_frame(0, key=True, arrival_s=trio.current_time()))
            await trio.sleep(1)
        assert slow.health.reason == "1 frames a second instead of 25"
        assert not registry.get("cam49").health.healthy
        nursery.cancel_scope.cancel()
