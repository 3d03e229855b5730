"""Passwords: right and wrong ones, remembered ones, and floods."""

import pytest
import trio

from camgate.auth.errors import TooManyLogins
from camgate.auth.passwords import AT_ONCE, MAX_WAITING, REMEMBER_S, Passwords, hash_password
from tests.fakes.accounts import CHEAP

HASH = CHEAP.hash("hush")


async def verify(passwords: Passwords, password_hash: str | None, password: str) -> bool:
    return await passwords.verify(password_hash, password, trio.current_time)


@pytest.mark.parametrize(
    ("password_hash", "password", "is_right"),
    [(HASH, "hush", True), (HASH, "Hush", False), (HASH, "", False), (None, "hush", False), ("$argon2id$", "", False)],
    ids=["right", "wrong", "empty", "nobody", "no-hash"],
)
async def test_right_and_wrong_ones(password_hash: str | None, password: str, is_right: bool) -> None:
    assert await verify(Passwords(), password_hash, password) is is_right


async def test_what_hash_password_makes_is_argon2id_and_right() -> None:
    hashed = hash_password("pass wörd")
    assert hashed.startswith("$argon2id$v=19$m=32768,t=3,p=1$")
    assert await verify(Passwords(), hashed, "pass wörd")


async def test_a_right_one_is_remembered_for_a_while_and_for_its_hash_only() -> None:
    passwords, now_s = Passwords(), trio.current_time()
    await verify(passwords, HASH, "hush")
    await verify(passwords, HASH, "wrong")
    assert passwords.is_remembered(HASH, "hush", now_s)
    assert not passwords.is_remembered(HASH, "wrong", now_s)
    assert not passwords.is_remembered(CHEAP.hash("hush"), "hush", now_s)
    assert not passwords.is_remembered(None, "hush", now_s)
    assert not passwords.is_remembered(HASH, "hush", trio.current_time() + REMEMBER_S)
    assert b"hush" not in b"".join(passwords._right)


async def test_a_flood_is_refused_and_not_kept() -> None:
    passwords = Passwords()
    refused, answered = [], []

    async def guess() -> None:
        try:
            answered.append(await verify(passwords, HASH, "guess"))
        except TooManyLogins:
            refused.append(True)

    async with trio.open_nursery() as nursery:
        for _ in range(MAX_WAITING * 3):
            nursery.start_soon(guess)
    assert len(answered) <= MAX_WAITING + AT_ONCE
    assert len(refused) + len(answered) == MAX_WAITING * 3
    assert not any(answered)
