"""What camgate signs itself, and reads again: sessions, tokens and share links, as JSON Web Tokens (RFC 7519).

One key and one algorithm (HS256). The audience keeps the kinds apart, so that none passes for another.
"""

from collections.abc import Mapping
from typing import Any

import jwt

from camgate.base.errors import RemoteError

ALGORITHM = "HS256"
ISSUER = "camgate"
MAX_CHARS = 8192
"""Longer ones are not even looked at: headers have room for 16 KiB."""
MAX_TIME_S = 2**40
"""Of times in a token: beyond, there is nothing to tell apart."""


class TokenRefused(RemoteError):
    """A token that does not hold; `reason` is for the log and for its owner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Signer:
    """Signs and reads with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, audience: str, claims: Mapping[str, object]) -> str:
        """Return a token; claims should hold `exp`, without which it will not be read again."""
        return jwt.encode({"iss": ISSUER, "aud": audience, **claims}, self._key, algorithm=ALGORITHM)

    def is_ours(self, text: str) -> bool:
        """Whether a text is a token that was signed with our key, whatever it is for and whether its time is over."""
        try:
            jwt.decode(
                text,
                self._key,
                algorithms=[ALGORITHM],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return False
        return True

    def read_untrusted(self, audience: str, text: str, now_s: float) -> dict[str, Any]:
        """Return the claims of a token that we signed for this use, and whose time it is. Raises TokenRefused."""
        if len(text) > MAX_CHARS:
            raise TokenRefused("the token is too long")
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                self._key,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                # Times are checked below, by the clock that we are given.
                options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenRefused("the token is not one that was signed here for this") from None
        check_times(claims, now_s)
        return claims


def check_times(claims: Mapping[str, Any], now_s: float, leeway_s: float = 0.0) -> float:
    """Return when a token ends (Unix time). Raises TokenRefused outside its time; RFC 7519 sections 4.1.4 and 4.1.5."""
    ends_s, begins_s = time_in(claims, "exp", MAX_TIME_S), time_in(claims, "nbf", 0)
    if now_s >= ends_s + leeway_s:
        raise TokenRefused("the token has expired")
    if now_s + leeway_s < begins_s:
        raise TokenRefused("the token is not valid yet")
    return ends_s


def time_in(claims: Mapping[str, Any], name: str, default: float) -> float:
    """Return a time of a token. Raises TokenRefused where it is none, or beyond all times."""
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_TIME_S:
        raise TokenRefused(f"the token's {name} is no time")
    return float(value)
