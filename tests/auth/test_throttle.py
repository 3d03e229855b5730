"""Guessing is slowed down by network and by account, and locks nobody out."""

from collections import Counter
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.auth.errors import LoginRefused, TooManyLogins
from camgate.auth.passwords import MAX_THREADS, MAX_WAITING
from camgate.auth.throttle import (
    ACCOUNT_FREE_FAILURES,
    FORGET_S,
    FREE_FAILURES,
    MAX_DELAY_S,
    MAX_ENTRIES,
    Throttle,
)
from tests.fakes.accounts import access_for


def wait_s(throttle: Throttle, address: str, account: str, now_s: float) -> float:
    try:
        throttle.check(address, account, now_s)
    except TooManyLogins as error:
        return error.retry_after_s
    return 0.0


def test_the_delay_grows_up_to_its_bound() -> None:
    throttle = Throttle()
    delays = []
    for _ in range(30):
        throttle.failed("192.0.2.1", "anna", 0.0)
        delays.append(wait_s(throttle, "192.0.2.1", "ben", 0.0))
    assert delays[: FREE_FAILURES - 1] == [0.0] * (FREE_FAILURES - 1)
    assert delays[FREE_FAILURES - 1 : FREE_FAILURES + 3] == [2.0, 4.0, 8.0, 16.0]
    assert delays[-1] == MAX_DELAY_S
    assert wait_s(throttle, "192.0.2.1", "ben", MAX_DELAY_S) == 0.0


def test_other_networks_are_not_slowed_down() -> None:
    throttle = Throttle()
    for _ in range(10):
        throttle.failed("192.0.2.1", "anna", 0.0)
    assert wait_s(throttle, "192.0.2.2", "anna", 0.0) == 0.0


def test_an_account_that_is_tried_from_everywhere_is_slowed_down_but_not_for_its_user() -> None:
    throttle = Throttle()
    throttle.succeeded("198.51.100.7", "anna")
    for number in range(ACCOUNT_FREE_FAILURES):
        throttle.failed(f"192.0.2.{number}", "anna", 0.0)
    assert wait_s(throttle, "203.0.113.9", "anna", 0.0) == 2.0
    assert wait_s(throttle, "198.51.100.7", "anna", 0.0) == 0.0
    assert wait_s(throttle, "203.0.113.9", "ben", 0.0) == 0.0


def test_a_right_login_is_a_new_start() -> None:
    throttle = Throttle()
    for _ in range(FREE_FAILURES):
        throttle.failed("192.0.2.1", "anna", 0.0)
    throttle.succeeded("192.0.2.1", "anna")
    assert wait_s(throttle, "192.0.2.1", "anna", 0.0) == 0.0


def test_failures_are_forgotten() -> None:
    throttle = Throttle()
    for _ in range(FREE_FAILURES):
        throttle.failed("192.0.2.1", "anna", 0.0)
    later_s = FORGET_S + 1
    throttle.failed("192.0.2.1", "anna", later_s)
    assert wait_s(throttle, "192.0.2.1", "anna", later_s) == 0.0


@pytest.mark.parametrize("what", ["network", "account"])
def test_a_flood_of_names_and_addresses_is_bounded(what: str) -> None:
    throttle = Throttle()
    for number in range(MAX_ENTRIES + 100):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" if what == "network" else "192.0.2.1"
        throttle.failed(address, f"user{number}", 0.0)
    assert len(throttle._networks) <= MAX_ENTRIES
    assert len(throttle._accounts) <= MAX_ENTRIES


async def test_guesses_that_are_sent_at_once_are_no_more_than_those_sent_one_by_one(tmp_path: Path) -> None:
    access = access_for({"anna": "admin"}, tmp_path)
    outcomes = Counter[type[Exception] | None]()

    async def guess(password: str) -> None:
        try:
            await access.sign_in("anna", password, "192.0.2.7")
            outcomes[None] += 1
        except (LoginRefused, TooManyLogins) as error:
            outcomes[type(error)] += 1

    async with trio.open_nursery() as nursery:
        for number in range(MAX_WAITING - 1):
            nursery.start_soon(guess, f"guess {number}")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(guess, "anna"[::-1])
    assert outcomes[LoginRefused] + outcomes[None] < FREE_FAILURES + MAX_THREADS
    assert outcomes[TooManyLogins] > MAX_WAITING / 2
