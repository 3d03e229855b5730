"""What sockets are told of cameras, in virtual time."""

import json
import math
from collections import Counter
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.serve.http.feed import FIGURES_INTERVAL_S, OVERVIEW_INTERVAL_S, STATES_INTERVAL_S, CameraFeed, Cursor
from tests.fakes.engine import FakeEngine


async def hear(cursor: Cursor) -> list[dict[str, Any]]:
    return [json.loads(message) for message in await cursor.next()]


async def test_the_list_comes_first_and_then_what_has_visibly_changed(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        (message,) = await hear(cursor)
        assert message["type"] == "cameras"
        assert [camera["name"] for camera in message["cameras"]] == ["front", "yard"]
        await trio.sleep(1)
        engine.facts["front"].update(bitrate_bps=2_000_100, fps=24.9, uptime_s=99.0)
        engine.facts["yard"].update(viewers=1)
        (message,) = await hear(cursor)
        assert (message["type"], message["camera"]["name"], message["camera"]["viewers"]) == ("camera", "yard", 1)
        assert trio.current_time() == OVERVIEW_INTERVAL_S
        engine.facts["front"].update(bitrate_bps=3_000_000)
        (message,) = await hear(cursor)
        assert message["camera"]["bitrate_bps"] == 3_000_000
        assert trio.current_time() == 2 * OVERVIEW_INTERVAL_S


async def test_a_page_of_one_camera_hears_of_it_each_second_and_of_no_other(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen(frozenset({"yard"})) as cursor:
        (message,) = await hear(cursor)
        assert [camera["name"] for camera in message["cameras"]] == ["yard"]
        engine.described = 0
        for second in range(1, 4):
            engine.facts["yard"].update(uptime_s=60.0 + second)
            engine.change("front", state=f"state {second}")
            (message,) = await hear(cursor)
            assert (message["camera"]["name"], message["camera"]["uptime_s"]) == ("yard", 60.0 + second)
            assert trio.current_time() == second * FIGURES_INTERVAL_S
        assert engine.described == 3
        await trio.sleep(0.5)
        engine.change("yard", state="stalled")
        (message,) = await hear(cursor)
        assert message["camera"]["state"] == "stalled"
        assert trio.current_time() == 3 * FIGURES_INTERVAL_S + 0.5


async def test_a_wall_and_a_page_hear_each_what_it_wants(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as wall, feed.listen(frozenset({"yard"})) as page:
        await hear(wall)
        assert [camera["name"] for camera in (await hear(page))[0]["cameras"]] == ["yard"]
        engine.change("front", state="stalled")
        assert [message["camera"]["name"] for message in await hear(wall)] == ["front"]
        assert [message["camera"]["name"] for message in await hear(page)] == ["yard"]
        assert trio.current_time() == FIGURES_INTERVAL_S


async def test_a_page_that_comes_to_a_wall_does_not_wait_for_what_the_wall_waits_for(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as wall:
        await hear(wall)
        await trio.sleep(0.5)
        with feed.listen(frozenset({"yard"})) as page:
            await hear(page)
            assert [message["camera"]["name"] for message in await hear(page)] == ["yard"]
            assert trio.current_time() == 0.5 + FIGURES_INTERVAL_S


async def test_a_page_may_wait_for_a_camera_that_does_not_exist_yet(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen(frozenset({"garage"})) as cursor:
        assert await hear(cursor) == [{"type": "cameras", "cameras": []}]
        engine.change("garage")
        (message,) = await hear(cursor)
        assert (message["type"], message["camera"]["name"]) == ("camera", "garage")
        engine.remove("garage")
        assert await hear(cursor) == [{"type": "camera-removed", "name": "garage"}]


async def test_states_come_at_once_and_figures_do_not(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        engine.facts["front"].update(bitrate_bps=1)
        engine.change("yard", healthy=False, health_reason="no key frame for 90 s", bitrate_bps=2)
        (message,) = await hear(cursor)
        assert trio.current_time() == 0
        assert (message["type"], message["camera"]["name"]) == ("camera", "yard")
        (message,) = await hear(cursor)
        assert (message["camera"]["name"], message["camera"]["bitrate_bps"]) == ("front", 1)


async def test_a_burst_of_changes_costs_few_passes(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    engine = FakeEngine(*(f"c{number}" for number in range(50)))
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor:
        await hear(cursor)
        engine.described = 0
        heard = 0
        for number in range(50):
            engine.change(f"c{number}", state="backoff")
            await trio.sleep(STATES_INTERVAL_S / 10)
        while heard < 50:
            heard += len(await hear(cursor))
        assert engine.described == 50, "only what has changed is described"


async def test_a_slow_socket_skips_what_is_out_of_date(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen() as cursor, feed.listen(frozenset({"front"})) as page:
        await hear(cursor)
        await hear(page)
        for state in ("stalled", "backoff", "connecting"):
            engine.change("front", state=state)
            await trio.sleep(10)
        await trio.sleep(FIGURES_INTERVAL_S / 2)
        engine.remove("yard")
        await trio.sleep(STATES_INTERVAL_S)
        removed, front = await hear(cursor)
        assert removed == {"type": "camera-removed", "name": "yard"}
        assert front["camera"]["state"] == "connecting"
        assert [message["camera"]["state"] for message in await hear(page)] == ["connecting"]


async def test_nothing_is_asked_while_nobody_listens(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    with feed.listen(), feed.listen(frozenset({"front"})):
        pass
    await trio.sleep(5)
    engine.described = 0
    await trio.sleep(100)
    assert engine.described == 0
    engine.change("front", state="stopped", uptime_s=7.0)
    for names in (None, frozenset({"front"})):
        with feed.listen(names) as cursor:
            (message,) = await hear(cursor)
            assert (message["cameras"][0]["state"], message["cameras"][0]["uptime_s"]) == ("stopped", 7.0)
            await wait_all_tasks_blocked()


async def test_the_list_keeps_the_order_of_the_configuration(engine: FakeEngine, nursery: trio.Nursery) -> None:
    feed = CameraFeed(engine)
    with feed.listen(frozenset({"yard"})), feed.listen() as cursor:
        (message,) = await hear(cursor)
        assert [camera["name"] for camera in message["cameras"]] == ["front", "yard"]


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
        engine.change("front", fps=12.0)
        (message,) = await hear(cursor)
        assert message["camera"]["fps"] == 12


class CountingSight:
    """Cameras that may be heard of, and how often each was asked for."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.asked: Counter[object] = Counter()

    def __contains__(self, name: object) -> bool:
        self.asked[name] += 1
        return name in self.names


async def test_however_many_sockets_share_a_sight_it_is_asked_once_a_camera(
    engine: FakeEngine, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    feed, sight = CameraFeed(engine), CountingSight("front", "garage")
    nursery.start_soon(feed.run)
    with ExitStack() as stack:
        cursors = [stack.enter_context(feed.listen(sight=sight)) for _ in range(20)]
        for cursor in cursors:
            assert [camera["name"] for camera in (await hear(cursor))[0]["cameras"]] == ["front"]
        for state in ("stalled", "backoff", "live"):
            engine.change("front", state=state)
            engine.change("yard", state=state)
            for cursor in cursors:
                assert [message["camera"]["state"] for message in await hear(cursor)] == [state]
        assert sight.asked == {"front": 1, "yard": 1}
        engine.change("garage")
        for cursor in cursors:
            assert [message["camera"]["name"] for message in await hear(cursor)] == ["garage"]
        assert max(sight.asked.values()) == 2


@pytest.mark.parametrize("seed", range(5))
async def test_fast_and_slow_sockets_end_up_with_what_each_may_hear_of(
    seed: int, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    random, engine = Random(seed), FakeEngine("c0", "c1", "c2")
    feed = CameraFeed(engine)
    nursery.start_soon(feed.run)
    sights = [None, CountingSight("c0", "c2", "c4"), CountingSight("c1")]
    known: list[dict[str, str]] = [{} for _ in range(9)]

    async def listen(number: int) -> None:
        with feed.listen(sight=sights[number % 3]) as cursor:
            while True:
                for message in await hear(cursor):
                    if message["type"] == "camera-removed":
                        del known[number][message["name"]]
                    for camera in message.get("cameras", [message["camera"]] if "camera" in message else []):
                        known[number][camera["name"]] = camera["state"]
                await trio.sleep(number // 3 * 0.4)

    for number in range(len(known)):
        nursery.start_soon(listen, number)
    for turn in range(200):
        name = f"c{random.randrange(5)}"
        if name in engine.facts and random.random() < 0.3:
            engine.remove(name)
        else:
            engine.change(name, state=f"{turn}")
        await trio.sleep(random.choice((0, 0.01, 0.2)))
    await trio.sleep(5)
    states = {name: facts["state"] for name, facts in engine.facts.items()}
    for number, heard in enumerate(known):
        sight = sights[number % 3]
        assert heard == {name: state for name, state in states.items() if sight is None or name in sight.names}
