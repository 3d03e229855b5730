import trio
import trio.testing

from camgate.ingest.pace import Pace


async def test_the_first_goes_at_once_and_the_others_follow_one_by_one(autojump_clock: trio.testing.MockClock) -> None:
    pace = Pace(interval_s=0.5)
    times: list[float] = []

    async def dial() -> None:
        await pace.turn()
        times.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(dial)
    assert times == [0.0, 0.5, 1.0, 1.5]
    await trio.sleep(10)
    await dial()
    assert times[-1] == 11.5, "after a pause nobody waits"


async def test_who_gives_up_costs_the_others_no_more_than_its_turn(autojump_clock: trio.testing.MockClock) -> None:
    pace = Pace(interval_s=1.0)
    await pace.turn()
    with trio.move_on_after(0.1):
        await pace.turn()
    await pace.turn()
    assert trio.current_time() == 2.0
