"""Passwords: right ones, wrong ones, nobody's; what a flood of them may take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from camgate.auth import passwords as module
from camgate.auth.errors import TooManyLoginsAtOnce
from camgate.auth.passwords import (
    MAX_PASSWORD_BYTES,
    MAX_REMEMBERED,
    MAX_WAITING,
    REMEMBERED_S,
    Passwords,
)
from camgate.config.password_hash import HashCost, hash_password

PASSWORD = "correct horse"
HASH = hash_password(PASSWORD)


class CountedChecks:
    """Stands between `Passwords` and argon2, and counts what is really hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[str] = []
        self._real = module._fits
        monkeypatch.setattr(module, "_fits", self)

    def __call__(self, password_hash: str, password: bytes) -> bool:
        self.hashes.append(password_hash)
        assert len(password) <= MAX_PASSWORD_BYTES
        return self._real(password_hash, password)


@asynccontextmanager
async def all_threads_taken(passwords: Passwords) -> AsyncIterator[trio.Event]:
    """No password is checked until the event is set."""
    limiter, release = passwords._turns, trio.Event()

    async def take(task_status: trio.TaskStatus[None]) -> None:
        async with limiter:
            task_status.started()
            await release.wait()

    async with trio.open_nursery() as nursery:
        for _ in range(int(limiter.total_tokens)):
            await nursery.start(take)
        yield release


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> CountedChecks:
    return CountedChecks(monkeypatch)


async def test_right_and_wrong() -> None:
    passwords = Passwords([HASH])
    assert await passwords.is_right("anna", PASSWORD, HASH)
    assert not await passwords.is_right("anna", "wrong", HASH)
    assert not await passwords.is_right("anna", "", HASH)
    assert not await passwords.is_right("anna", "x" * (MAX_PASSWORD_BYTES + 1), HASH)
    assert not await passwords.is_right("nobody", PASSWORD, None)


async def test_a_password_that_begins_as_a_longest_one_is_not_that_one() -> None:
    longest = "x" * MAX_PASSWORD_BYTES
    kept = hash_password(longest)
    passwords = Passwords([kept])
    assert await passwords.is_right("anna", longest, kept)
    assert not await passwords.is_right("anna", longest + "y", kept)


async def test_who_was_right_is_remembered_for_a_while(checks: CountedChecks) -> None:
    now_s = 0.0
    passwords = Passwords([HASH], clock=lambda: now_s)
    assert await passwords.is_right("anna", PASSWORD, HASH)
    now_s = REMEMBERED_S - 1
    assert passwords.is_remembered("anna", PASSWORD, HASH)
    assert await passwords.is_right("anna", PASSWORD, HASH)
    assert len(checks.hashes) == 1
    now_s = REMEMBERED_S
    assert not passwords.is_remembered("anna", PASSWORD, HASH)
    assert await passwords.is_right("anna", PASSWORD, HASH)
    assert len(checks.hashes) == 2


async def test_who_was_wrong_is_not_remembered(checks: CountedChecks) -> None:
    passwords = Passwords([HASH])
    for _ in range(2):
        assert not await passwords.is_right("anna", "wrong", HASH)
    assert len(checks.hashes) == 2


async def test_a_login_is_remembered_for_that_name_and_hash_only() -> None:
    other = hash_password("other")
    passwords = Passwords([HASH])
    assert await passwords.is_right("anna", PASSWORD, HASH)
    assert not passwords.is_remembered("ann", "a" + PASSWORD, HASH)
    assert not passwords.is_remembered("bert", PASSWORD, HASH)
    assert not await passwords.is_right("anna", PASSWORD, other)
    assert not await passwords.is_right("anna", PASSWORD, None)


async def test_other_users_make_it_forget() -> None:
    passwords = Passwords([HASH])
    assert await passwords.is_right("anna", PASSWORD, HASH)
    passwords.replace([HASH])
    assert not passwords.is_remembered("anna", PASSWORD, HASH)


async def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_fits", lambda *_: True)
    passwords = Passwords([HASH])
    for number in range(MAX_REMEMBERED + 1):
        assert await passwords.is_right("anna", str(number), HASH)
    assert not passwords.is_remembered("anna", "0", HASH)
    assert passwords.is_remembered("anna", "1", HASH)
    assert passwords.is_remembered("anna", str(MAX_REMEMBERED), HASH)


async def test_a_user_who_is_not_there_costs_what_one_of_the_users_does(checks: CountedChecks) -> None:
    costs = [HashCost(8192, 1, 1), HashCost(16384, 1, 1)]
    passwords = Passwords([cost.decoy() for cost in costs])
    for name in map(str, range(20)):
        for _ in range(2):
            assert not await passwords.is_right(name, PASSWORD, None)
    tried = [HashCost.of(each) for each in checks.hashes]
    assert set(tried) == set(costs), "both kinds stand for somebody"
    assert tried[::2] == tried[1::2], "the same name costs the same each time"


async def test_without_users_a_login_costs_what_a_new_hash_does(checks: CountedChecks) -> None:
    assert not await Passwords().is_right("anna", PASSWORD, None)
    assert [HashCost.of(each) for each in checks.hashes] == [HashCost()]


async def test_the_same_login_sixteen_times_at_once_is_hashed_once(checks: CountedChecks) -> None:
    passwords = Passwords([HASH])
    answers: list[bool] = []

    async def log_in(password: str) -> None:
        answers.append(await passwords.is_right("anna", password, HASH))

    async with trio.open_nursery() as nursery:
        for _ in range(16):
            nursery.start_soon(log_in, PASSWORD)
    assert answers == [True] * 16
    assert len(checks.hashes) == 1


async def test_whoever_waits_for_a_check_that_is_cancelled_makes_it(checks: CountedChecks) -> None:
    passwords = Passwords([HASH])
    answers: list[bool] = []

    async def log_in() -> None:
        answers.append(await passwords.is_right("anna", PASSWORD, HASH))

    async with trio.open_nursery() as nursery, all_threads_taken(passwords) as release:
        with trio.CancelScope() as leaving:
            async with trio.open_nursery() as first:
                first.start_soon(log_in)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(log_in)
                await trio.testing.wait_all_tasks_blocked()
                leaving.cancel()
        await trio.testing.wait_all_tasks_blocked()
        release.set()
    assert answers == [True]


async def test_a_flood_is_refused_and_those_who_are_known_get_by() -> None:
    passwords = Passwords([HASH])
    assert await passwords.is_right("anna", PASSWORD, HASH)
    async with trio.open_nursery() as nursery, all_threads_taken(passwords) as release:
        for number in range(MAX_WAITING):
            nursery.start_soon(passwords.is_right, "anna", str(number), HASH)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TooManyLoginsAtOnce, match="try again in 5 s") as refused:
            await passwords.is_right("anna", "one more", HASH)
        assert refused.value.status == 503
        assert await passwords.is_right("anna", PASSWORD, HASH)
        nursery.cancel_scope.cancel()
        release.set()
    assert not await passwords.is_right("anna", "and later again", HASH)


async def test_the_loop_turns_while_passwords_are_checked() -> None:
    passwords = Passwords([HASH])
    turns = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(passwords.is_right, "anna", "wrong", HASH)
        await trio.testing.wait_all_tasks_blocked(0.001)
        while passwords._checks:
            await trio.lowlevel.checkpoint()
            turns += 1
    assert turns > 10
