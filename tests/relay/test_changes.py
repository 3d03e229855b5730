import trio
import trio.testing

from camgate.relay.changes import Changes


async def test_a_change_wakes_every_waiter(autojump_clock: trio.testing.MockClock) -> None:
    changes = Changes()
    woken: list[int] = []

    async def wait() -> None:
        woken.append(await changes.wait_changed(0))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert woken == []
        changes.announce()
    assert woken == [1, 1, 1]


async def test_a_change_before_the_wait_is_not_lost() -> None:
    changes = Changes()
    changes.announce()
    changes.announce()
    with trio.testing.assert_checkpoints():
        assert await changes.wait_changed(1) == 2
