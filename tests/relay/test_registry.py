import pytest
import trio
import trio.testing

from camgate.base.errors import LocalError
from camgate.relay.errors import UnknownCamera
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source


async def test_cameras_by_name() -> None:
    registry = Registry()
    front, yard = Source("front"), Source("yard")
    registry.add(front)
    registry.add(yard)
    assert registry.get("yard") is yard
    assert registry.has("yard")
    assert not registry.has("frnt")
    assert registry.sources() == [front, yard]
    with pytest.raises(UnknownCamera, match="'frnt'"):
        registry.get("frnt")
    with pytest.raises(LocalError, match="'front' is already registered"):
        registry.add(Source("front"))


async def test_a_removed_camera_ends_for_its_readers() -> None:
    registry = Registry()
    source = Source("front")
    registry.add(source)
    with source.stream.subscribe() as reader:
        registry.remove("front")
        with pytest.raises(trio.EndOfChannel):
            await reader.receive()
    assert source.state is CameraState.STOPPED
    assert registry.sources() == []
    with pytest.raises(UnknownCamera):
        registry.remove("front")


async def test_the_revision_rises_with_every_change() -> None:
    registry = Registry()
    revisions = [registry.revision]

    def note() -> None:
        revisions.append(registry.revision)

    source = Source("front")
    registry.add(source)
    note()
    source.set_state(CameraState.LIVE)
    note()
    source.set_state(CameraState.STALLED, "no picture for 5 s")
    note()
    registry.remove("front")
    note()
    assert revisions == sorted(set(revisions))
    source.set_state(CameraState.LIVE)
    assert registry.revision == revisions[-1]


async def test_who_changed_since_a_revision_is_known() -> None:
    registry = Registry()
    front, yard = Source("front"), Source("yard")
    registry.add(front)
    seen = registry.revision
    registry.add(yard)
    assert registry.changed_since(seen) == ["yard"]
    front.set_state(CameraState.LIVE)
    assert registry.changed_since(seen) == ["front", "yard"]
    assert registry.changed_since(registry.revision) == []
    registry.remove("front")
    assert registry.changed_since(seen) == ["yard"]


async def test_many_wait_for_one_change(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry()
    source = Source("front")
    registry.add(source)
    seen = registry.revision
    woken: list[int] = []

    async def wait() -> None:
        woken.append(await registry.wait_changed(seen))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        source.set_state(CameraState.LIVE)
    assert woken == [seen + 1] * 100
