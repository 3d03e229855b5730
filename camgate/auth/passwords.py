"""Checks passwords against argon2id hashes: slow on purpose, so never in the event loop, and a few at once only.

A right login is remembered for a while, under a key that only this process knows: programs send their password with
each request (HTTP Basic), and 50 ms of a processor each would be too much.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

import argon2
import trio
from argon2.exceptions import InvalidHashError, VerificationError

from camgate.auth.errors import TooManyLogins

AT_ONCE = 2
"""Each takes a thread and up to 64 MiB."""
MAX_WAITING = 30
"""More would wait for seconds."""
WAIT_S = 2.0
REMEMBER_S = 300.0
MAX_REMEMBERED = 1000

_hasher = argon2.PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
"""RFC 9106 section 4 wants 64 MiB of machines that do nothing else; 32 MiB and three passes take about 60 ms here."""


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, in PHC format. Takes some 60 ms."""
    return _hasher.hash(password)


class Passwords:
    """Checks logins. Bytes of a password are kept nowhere, only an HMAC of right ones."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        # Whoever asks for a user who does not exist must wait as long.
        self._nobody = hash_password(secrets.token_hex(16))

    def is_remembered(self, password_hash: str | None, password: str, now_s: float) -> bool:
        """Whether this login was right a short while ago; costs microseconds."""
        if password_hash is None:
            return False
        return self._right.get(self._digest(password_hash, password), -1.0) > now_s

    async def verify(self, password_hash: str | None, password: str, clock: Callable[[], float]) -> bool:
        """Whether the password is the one of the hash; None is nobody's hash. Raises TooManyLogins when flooded."""
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise TooManyLogins(WAIT_S)
        hashed = self._nobody if password_hash is None else password_hash
        is_right = await trio.to_thread.run_sync(_verify, hashed, password, limiter=self._limiter)
        if password_hash is None or not is_right:
            return False
        self._right[self._digest(password_hash, password)] = clock() + REMEMBER_S
        if len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)
        return True

    def _digest(self, password_hash: str, password: str) -> bytes:
        # The hash is in it: with another password for the user, the old one is remembered no more.
        message = password_hash.encode() + b"\0" + password.encode(errors="surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password.encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
