"""Tokens that camgate gives away itself: what stands in them, and who one is by one.

A token that names a user stands and falls with that user, and allows no more than the user may.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.auth.signing import Signer, TokenRefused, check_times
from camgate.auth.users import grants_of_user
from camgate.config.model import AuthSettings

TOKEN = "camgate:token"
"""A session's cookie is no token, and the other way round."""
MAX_LIFE_S = 3650 * 86_400.0
MAX_GRANTS, MAX_PATTERN_CHARS = 1000, 128
MAX_NAME_CHARS = 128

ALL = (Grant(Action.ADMIN),)
"""Of what a token with a user and without grants allows, within what that user may."""

_TOKEN_ID = re.compile(r"[0-9a-f]{16}")
_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token is to allow. grants: None for all that the user may. user: whom it is given for, if anybody."""

    grants: tuple[Grant, ...] | None
    ends_s: float
    user: str | None = None
    name: str = "token"


def seconds_of(text: str) -> float | None:
    """Return how long `90s`, `30m`, `12h` or `7d` is; None where it is no such thing, nothing, or over ten years."""
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0.0
    return seconds if 0 < seconds <= MAX_LIFE_S else None


def make_token(signer: Signer, token: NewToken, now_s: float) -> tuple[str, str]:
    """Return a new token, and its id."""
    token_id = secrets.token_hex(8)
    claims: dict[str, object] = {
        "sub": token.user or token.name,
        "jti": token_id,
        "iat": int(now_s),
        "exp": int(token.ends_s),
    }
    if token.user is not None:
        claims["user"] = token.user
    if token.grants is not None:
        claims["grants"] = {grant.action.value: list(grant.patterns) for grant in token.grants}
    return signer.sign(TOKEN, claims), token_id


def is_token_id(text: str) -> bool:
    """Whether this looks like the id of a token that `make_token` made."""
    return _TOKEN_ID.fullmatch(text) is not None


def id_of_untrusted(text: str) -> str | None:
    """Return the id of a token without asking who signed it; None where there is none."""
    try:
        token_id = jwt.decode(text, options={"verify_signature": False}).get("jti")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return token_id if isinstance(token_id, str) else None


def identity_of_claims(settings: AuthSettings, claims: Mapping[str, Any], now_s: float) -> Identity:
    """Return who one is by a token that we signed. Raises TokenRefused."""
    ends_s = check_times(claims, now_s)
    token_id = claims.get("jti")
    if not isinstance(token_id, str):
        raise TokenRefused("the token has no id")
    key = f"id:{token_id}"
    user = claims.get("user")
    within = grants_of_user(settings, user) if isinstance(user, str) else None
    if user is not None and within is None:
        raise TokenRefused("the user whom the token was given for is not there any more")
    # Without grants of its own it allows what its user may.
    grants = ALL if user is not None and "grants" not in claims else _grants(claims)
    return Identity(
        name=str(claims.get("sub"))[:MAX_NAME_CHARS],
        way=Way.TOKEN,
        grants=grants,
        within=within,
        account=key if user is None else f"user:{user}",
        stands_on=(key,) if user is None else (key, f"user:{user}"),
        expires_at=ends_s,
    )


def _grants(claims: Mapping[str, Any]) -> tuple[Grant, ...]:
    grants = claims.get("grants")
    if not isinstance(grants, dict):
        raise TokenRefused("the token grants nothing")
    found = []
    for action in Action:
        patterns = grants.get(action.value, [])
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise TokenRefused("what the token grants is no lists of cameras")
        if len(patterns) > MAX_GRANTS or any(len(pattern) > MAX_PATTERN_CHARS for pattern in patterns):
            raise TokenRefused("what the token grants is too long")
        if patterns:
            found.append(Grant(action, tuple(patterns)))
    return tuple(found)
