"""Leases: end at their time, when what they stand on is gone, and never twice."""

from dataclasses import replace

import trio
import trio.testing

from camgate.auth.identity import Identity, Way
from camgate.auth.leases import Leases


def identity(expires_at: float | None = None, stands_on: tuple[str, ...] = ()) -> Identity:
    return Identity(name="anna", way=Way.TOKEN, grants=(), expires_at=expires_at, stands_on=stands_on)


async def test_each_ends_at_its_own_time(autojump_clock: trio.testing.MockClock) -> None:
    leases = Leases(clock=trio.current_time)
    start_s = trio.current_time()
    ended: list[tuple[str, float]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leases.run)
        await trio.testing.wait_all_tasks_blocked()
        for name, after_s in (("late", 300.0), ("soon", 5.0), ("never", None)):
            expires_at = None if after_s is None else start_s + after_s
            leases.take(identity(expires_at), lambda _, name=name: ended.append((name, trio.current_time() - start_s)))
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    assert [(name, round(at_s, 3)) for name, at_s in ended] == [("soon", 5.0), ("late", 300.0)]
    assert len(leases) == 1


async def test_a_session_that_is_renewed_takes_along_what_is_held_by_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    leases = Leases(clock=trio.current_time)
    start_s = trio.current_time()
    ended: list[tuple[str, float]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leases.run)
        for name, way in (("a", Way.SESSION), ("b", Way.SESSION), ("a", Way.TOKEN)):
            held = replace(identity(start_s + 60, (f"id:{name}",)), way=way)
            who = f"{way.value} {name}"
            leases.take(held, lambda _, who=who: ended.append((who, trio.current_time() - start_s)))
        await trio.sleep(30)
        leases.prolong("a", start_s + 300)
        leases.prolong("a", start_s + 120)  # by a cookie of before
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    assert sorted((name, round(at_s, 3)) for name, at_s in ended) == [
        ("session a", 300.0),
        ("session b", 60.0),
        ("token a", 60.0),
    ]


async def test_what_is_taken_too_late_ends_at_once(autojump_clock: trio.testing.MockClock) -> None:
    leases = Leases(clock=trio.current_time)
    ended: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leases.run)
        await trio.testing.wait_all_tasks_blocked()
        taken_s = trio.current_time()
        leases.take(identity(taken_s - 1), lambda _: ended.append(trio.current_time() - taken_s))
        await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert ended == [0]


async def test_a_clock_that_is_set_forward_ends_what_is_over_within_a_minute(
    autojump_clock: trio.testing.MockClock,
) -> None:
    jump_s = 0.0
    leases = Leases(clock=lambda: trio.current_time() + jump_s)
    ended: list[str] = []
    leases.take(identity(trio.current_time() + 3600), ended.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leases.run)
        await trio.sleep(1)
        jump_s = 3600.0
        await trio.sleep(61)
        nursery.cancel_scope.cancel()
    assert ended == ["the permission has ended"]


def test_those_who_stand_on_what_is_gone_end_and_nobody_else() -> None:
    leases = Leases()
    ended: list[str] = []
    leases.take(identity(stands_on=("user:anna",)), lambda reason: ended.append(f"anna: {reason}"))
    leases.take(identity(stands_on=("user:ben",)), lambda reason: ended.append(f"ben: {reason}"))
    assert leases.end_all(lambda each: "user:anna" in each.stands_on, "the user was removed") == 1
    assert leases.end_all(lambda each: "user:anna" in each.stands_on, "the user was removed") == 0
    assert ended == ["anna: the user was removed"]


def test_what_was_given_back_is_not_ended() -> None:
    leases = Leases()
    ended: list[str] = []
    with leases.holding(identity(), ended.append):
        assert len(leases) == 1
    assert leases.end_all(lambda _: True, "all") == 0
    assert ended == []


def test_what_is_over_before_it_is_held_ends_at_once() -> None:
    gone = {"user:anna"}
    leases = Leases(why_over=lambda each: "the user was removed" if gone & {*each.identity.stands_on} else None)
    ended: list[str] = []
    lease = leases.take(identity(stands_on=("user:anna",)), ended.append)
    assert (ended, len(leases)) == (["the user was removed"], 0)
    leases.give_back(lease)
    leases.take(identity(stands_on=("user:ben",)), ended.append)
    assert (len(ended), len(leases)) == (1, 1)
