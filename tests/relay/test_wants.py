import pytest
import trio
import trio.testing

from camgate.relay.source import Source
from camgate.relay.stream import Stream
from camgate.relay.wants import Wants


async def test_leases_add_up_whatever_order_they_end_in() -> None:
    wants = Wants()
    first, second = wants.hold(), wants.hold()
    with first:
        second.__enter__()
        assert wants.count == 2
    assert wants.count == 1
    second.__exit__(None, None, None)
    assert wants.count == 0


async def test_a_lease_ends_with_its_holder(autojump_clock: trio.testing.MockClock) -> None:
    wants = Wants()
    with trio.move_on_after(1), wants.hold():
        await trio.sleep_forever()
    assert wants.count == 0


async def test_subscriptions_of_all_streams_of_a_camera_count() -> None:
    source = Source("front")
    audio = Stream("front", source.wants)
    with source.stream.subscribe(), audio.subscribe(), source.want():
        assert source.wants.count == 3
    assert source.wants.count == 0


async def test_waiting_for_the_first_and_for_the_end_of_the_last(autojump_clock: trio.testing.MockClock) -> None:
    wants, log = Wants(), list[tuple[str, float]]()

    async def watch() -> None:
        await wants.wait_wanted()
        log.append(("wanted", trio.current_time()))
        await wants.wait_unwanted()
        log.append(("unwanted", trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.sleep(1)
        with wants.hold():
            await trio.sleep(1)
            with wants.hold():
                await trio.sleep(1)
            await trio.sleep(1)
    assert log == [("wanted", 1), ("unwanted", 4)]


@pytest.mark.parametrize(("wanted_after_s", "held_s"), [(None, 0), (1, 0), (1, 9), (5, 0), (5, 9)])
async def test_what_is_unwanted_for_so_long(
    autojump_clock: trio.testing.MockClock, wanted_after_s: float | None, held_s: float
) -> None:
    wants = Wants()

    async def want() -> None:
        if wanted_after_s is not None:
            # In the very step in which the time is over, before or after that is noticed.
            await trio.sleep(wanted_after_s)
            with wants.hold():
                if held_s:
                    await trio.sleep(held_s)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(want)
        stayed = await wants.stays_unwanted(5)
        assert trio.current_time() <= 5
        assert stayed == (wants._times_first == 0)
        assert not (stayed and wants.count)
        if wanted_after_s != 5:
            assert stayed == (wanted_after_s is None)


async def test_who_wants_something_for_no_time_is_noticed(autojump_clock: trio.testing.MockClock) -> None:
    wants = Wants()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wants.wait_wanted)
            await trio.testing.wait_all_tasks_blocked()
            with wants.hold():
                pass
