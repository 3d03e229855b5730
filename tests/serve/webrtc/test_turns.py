"""Live frames first, then one heavy step a pass, whoever waited longest before the others."""

import pytest
import trio
import trio.lowlevel
import trio.testing

from camgate.serve.webrtc.turns import PATIENCE_S, Turns


class Passes:
    """Counts passes of the scheduler, and notes in which of them each step went."""

    def __init__(self, turns: Turns) -> None:
        self.count = 0
        self.steps: list[tuple[int, int]] = []
        self._turns = turns

    async def run(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            self.count += 1

    async def step(self, number: int) -> None:
        await self._turns.take()
        self.steps.append((number, self.count))


async def test_one_step_goes_in_each_pass_in_order() -> None:
    turns = Turns()
    passes = Passes(turns)
    async with trio.open_nursery() as nursery:
        with turns.live():
            for number in range(20):
                nursery.start_soon(passes.step, number)
                await trio.testing.wait_all_tasks_blocked()  # else Trio starts them in any order
            assert turns.waiting == 20
        nursery.start_soon(passes.run)
        while len(passes.steps) < 20:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert [number for number, _ in passes.steps] == list(range(20))
    # In a pass the counter and a step go in any order, so that two neighbours may see the same number.
    counts = [count for _, count in passes.steps]
    assert counts[-1] >= 17
    assert max(map(counts.count, counts)) <= 2


async def test_steps_wait_while_a_frame_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns()
    passes = Passes(turns)
    async with trio.open_nursery() as nursery:
        with turns.live(), turns.live():
            for number in range(3):
                nursery.start_soon(passes.step, number)
            await trio.sleep(PATIENCE_S / 2)
            assert passes.steps == []
        await trio.sleep(PATIENCE_S / 4)
        assert len(passes.steps) == 3


async def test_frames_without_end_leave_some_steps(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns()
    passes = Passes(turns)
    async with trio.open_nursery() as nursery:
        with turns.live():
            for number in range(5):
                nursery.start_soon(passes.step, number)
            await trio.sleep(2.5 * PATIENCE_S)
            assert len(passes.steps) == 2
            await trio.sleep(3 * PATIENCE_S)
            assert len(passes.steps) == 5


async def test_who_gives_up_holds_up_nobody(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns()
    with turns.live(), trio.move_on_after(PATIENCE_S / 2) as given_up:
        await turns.take()
    assert given_up.cancelled_caught
    with trio.fail_after(PATIENCE_S):
        await turns.take()
    assert turns.waiting == 0
    assert turns.wait_s(trio.current_time()) == 0


async def test_the_wait_is_that_of_the_first_in_the_row(autojump_clock: trio.testing.MockClock) -> None:
    turns = Turns()
    async with trio.open_nursery() as nursery:
        with turns.live():
            nursery.start_soon(turns.take)
            await trio.sleep(PATIENCE_S / 2)
            nursery.start_soon(turns.take)
            await trio.sleep(PATIENCE_S / 4)
            assert turns.waiting == 2
            assert turns.wait_s(trio.current_time()) == pytest.approx(0.75 * PATIENCE_S)
            await trio.sleep(PATIENCE_S / 2)
            assert turns.waiting == 1
            assert turns.wait_s(trio.current_time()) == pytest.approx(0.75 * PATIENCE_S)
