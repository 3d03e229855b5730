"""Whether a password is right, within bounds that a flood of logins cannot break.

A hash is slow and takes memory on purpose. So at most half of the processors check passwords at once, in threads, and
only so many logins wait for them. Whoever sends a name and password with each request (HTTP Basic) is remembered for
some minutes, by a keyed digest of both, never by the password. Owns no task: each check runs in its caller's.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import trio
from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret

from camgate.auth.errors import TooManyLoginsAtOnce
from camgate.config.password_hash import HashCost, password_bytes

MAX_PASSWORD_BYTES = 1024
MAX_THREADS = 4
MAX_WAITING = 64
"""Logins that are checked or wait for it: some four seconds of one thread's work."""
RETRY_S = 5.0

REMEMBERED_S = 300.0
MAX_REMEMBERED = 1024
"""Right logins; some 150 bytes each."""


@dataclass(slots=True, eq=False)
class _Check:
    """A check that is under way; others who ask the same wait for it."""

    done: trio.Event = field(default_factory=trio.Event)
    is_right: bool | None = None
    """None while it is not known, and when whoever made it was cancelled."""


class Passwords:
    """Checks passwords against hashes, and remembers those that were right."""

    def __init__(self, hashes: Iterable[str] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """hashes: those of all users, which a check of nobody's password must not differ from. clock: in seconds."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        processors = len(os.sched_getaffinity(0))
        self._turns = trio.CapacityLimiter(max(1, min(MAX_THREADS, processors // 2)))
        self._threads = trio.CapacityLimiter(self._turns.total_tokens)
        self._checks: dict[bytes, _Check] = {}
        self._remembered: dict[bytes, float] = {}
        self.replace(hashes)

    def replace(self, hashes: Iterable[str]) -> None:
        """Take other users' hashes than before, and forget who was remembered."""
        self._remembered.clear()
        costs = {HashCost.of(each) for each in hashes} or {HashCost()}
        self._decoys = [cost.decoy() for cost in costs]

    async def is_right(
        self, name: str, password: str, password_hash: str | None, may_try: Callable[[], None] = lambda: None
    ) -> bool:
        """Whether this is the password of the hash; of None, who is nobody, it never is, and is as slow to tell.

        may_try: called when it is this login's turn, as others may have failed since it began to wait; raises where it
        may not be tried. Raises TooManyLoginsAtOnce.
        """
        digest = self._digest(name, password, password_hash or "")
        if self._is_remembered(digest):
            return True
        while (check := self._checks.get(digest)) is not None:
            await check.done.wait()
            if check.is_right is not None:
                return check.is_right
        if len(self._checks) >= MAX_WAITING:
            raise TooManyLoginsAtOnce(RETRY_S)
        is_right = await self._check(digest, name, password_bytes(password), password_hash, may_try)
        if is_right:
            self._remember(digest)
        return is_right

    def is_remembered(self, name: str, password: str, password_hash: str | None) -> bool:
        """Whether this login was right some minutes ago, which takes microseconds to tell."""
        return password_hash is not None and self._is_remembered(self._digest(name, password, password_hash))

    async def _check(
        self, digest: bytes, name: str, password: bytes, password_hash: str | None, may_try: Callable[[], None]
    ) -> bool:
        check = self._checks[digest] = _Check()
        # Nobody's password is as long; to hash all of it would keep us busy.
        expected = password_hash if len(password) <= MAX_PASSWORD_BYTES else None
        tried = expected or self._decoy(name)
        try:
            async with self._turns:
                may_try()
                fits = await trio.to_thread.run_sync(_fits, tried, password[:MAX_PASSWORD_BYTES], limiter=self._threads)
            check.is_right = fits and expected is not None
            return check.is_right
        finally:
            del self._checks[digest]
            check.done.set()

    def _decoy(self, name: str) -> str:
        """Return what stands for the hash of a user who is not there, and costs the same each time."""
        return self._decoys[int.from_bytes(self._digest(name)[:4]) % len(self._decoys)]

    def _digest(self, *texts: str) -> bytes:
        parts = [text.encode(errors="surrogatepass") for text in texts]
        framed = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hashlib.blake2b(framed, key=self._key, digest_size=32).digest()

    def _is_remembered(self, digest: bytes) -> bool:
        return self._remembered.get(digest, -1.0) > self._clock()

    def _remember(self, digest: bytes) -> None:
        # Whoever was remembered first goes for others.
        if len(self._remembered) >= MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered.pop(digest, None)
        self._remembered[digest] = self._clock() + REMEMBERED_S


def _fits(password_hash: str, password: bytes) -> bool:
    try:
        return verify_secret(password_hash.encode("ascii"), password, Type.ID)
    except Argon2Error:
        return False
