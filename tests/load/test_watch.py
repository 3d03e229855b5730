"""The task that looks at the machine, in virtual time."""

import os

import trio
from trio.testing import MockClock

from camgate.config.model import LimitSettings
from camgate.load import process
from camgate.load.sending import SendingMeter
from camgate.load.watch import GIVE_BACK_S, TICK_S, LoadWatch


async def test_sending_that_takes_all_the_time_closes_the_door_and_its_end_opens_it(autojump_clock: MockClock) -> None:
    sending = SendingMeter()
    watch = LoadWatch(LimitSettings(), sending, tuple)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        for _ in range(100):
            sending.note(0.038, 500_000, 0.01)
            await trio.sleep(0.04)
        statistics = watch.statistics()
        assert statistics.admission.at_limit == ("max_load",)
        assert 0.9 < statistics.load.sending_share < 1
        assert statistics.load.memory_bytes > 1_000_000
        await trio.sleep(8)
        assert watch.statistics().admission.at_limit == ()
        nursery.cancel_scope.cancel()


async def test_a_loop_that_lags_closes_the_door(mock_clock: MockClock) -> None:
    watch = LoadWatch(LimitSettings(), SendingMeter(), tuple)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(20):
            mock_clock.jump(TICK_S + 0.2)
            await trio.testing.wait_all_tasks_blocked()
        statistics = watch.statistics()
        assert statistics.admission.at_limit == ("max_lag_s",)
        assert round(statistics.load.lag_s, 3) == 0.2
        nursery.cancel_scope.cancel()


async def test_what_was_freed_is_given_back_now_and_then(autojump_clock: MockClock) -> None:
    watch = LoadWatch(LimitSettings(), SendingMeter(), tuple)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(1)
        held = [os.urandom(2_000) for _ in range(25_000)]
        at_the_end_of_the_heap = held.pop()
        held.clear()
        before = process.memory_bytes()
        await trio.sleep(GIVE_BACK_S)
        assert process.memory_bytes() < before - 30_000_000
        assert at_the_end_of_the_heap
        nursery.cancel_scope.cancel()


async def test_late_queues_are_relieved(autojump_clock: MockClock) -> None:
    class Late:
        name = "front"
        sheds = 0

        def load_bytes_per_s(self, now: float) -> float:
            return 1e9

        def queued_bytes(self) -> int:
            return 10_000_000

        def queue_age_s(self, now: float) -> float:
            return 0.2

        def shed(self) -> int:
            self.sheds += 1
            return 3

    sending, late = SendingMeter(), Late()
    watch = LoadWatch(LimitSettings(), sending, lambda: [late, Late()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(1)
        assert late.sheds == 0, "as long as nothing was sent nobody knows what can be"
        sending.note(0.01, 10_000, 0.1)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert watch.statistics().sheds >= late.sheds > 0
