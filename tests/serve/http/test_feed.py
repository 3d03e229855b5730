"""What sockets are told of cameras, in virtual time."""

import json
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.serve.http.feed import FIGURES_INTERVAL_S, STATES_INTERVAL_S, CameraFeed, Cursor
from tests.fakes.engine import FakeEngine


async def hear(cursor: Cursor) -> list[dict[str, Any]]:
    return [json.loads(message) for message in await cursor.next()]


async def test_the_list_comes_first_and_then_once_a_second(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        for number in range(4):
            (message,) = await hear(cursor)
            assert message["type"] == "cameras"
            assert trio.current_time() == number * FIGURES_INTERVAL_S


async def test_states_come_at_once_and_figures_do_not(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        engine.change("front", bitrate_bps=1)
        engine.change("yard", state="stalled", bitrate_bps=2)
        (message,) = await hear(cursor)
        assert trio.current_time() == 0
        assert (message["type"], message["camera"]["name"]) == ("camera", "yard")
        (message,) = await hear(cursor)
        assert message["type"] == "cameras"
        assert [camera["bitrate_bps"] for camera in message["cameras"]] == [1, 2]


async def test_a_burst_of_changes_costs_few_passes(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    engine = FakeEngine(*(f"c{number}" for number in range(50)))
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        engine.snapshots = 0
        for number in range(50):
            engine.change(f"c{number}", state="backoff")
            await trio.sleep(STATES_INTERVAL_S / 10)
        heard = 0
        while heard < 50:
            heard += len(await hear(cursor))
        assert engine.snapshots <= 7


async def test_a_slow_socket_skips_what_is_out_of_date(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        for state in ("stalled", "backoff", "connecting"):
            engine.change("front", state=state)
            await trio.sleep(10)
        await trio.sleep(FIGURES_INTERVAL_S / 2)
        engine.remove("yard")
        await trio.sleep(STATES_INTERVAL_S)
        removed, cameras = await hear(cursor)
        assert removed == {"type": "camera-removed", "name": "yard"}
        assert [camera["state"] for camera in cameras["cameras"]] == ["connecting"]


async def test_nothing_is_asked_while_nobody_listens(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen():
        pass
    await trio.sleep(5)
    engine.snapshots = 0
    await trio.sleep(100)
    assert engine.snapshots == 0
    engine.change("front", state="stopped")
    with feed.listen() as cursor:
        (message,) = await hear(cursor)
        assert message["cameras"][0]["state"] == "stopped"
        await wait_all_tasks_blocked()


async def test_a_bug_in_the_figures_is_logged_and_survived(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        engine.change("front", fps=math.nan)
        await trio.sleep(5)
        assert 2 <= caplog.text.count("describing the cameras failed") <= 5
        engine.change("front", fps=25.0)
        assert await hear(cursor)
