"""Who asks, by what they show: the one place that knows all ways to log in, and ends what no longer holds.

    request -> Credentials -> Access.identify -> Identity, or nobody, or why not

Times of sessions and tokens are Unix times; the throttle's are monotonic.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from camgate.auth.errors import LoginRefused
from camgate.auth.identity import EVERYBODY, Action, Grant, Identity, Way
from camgate.auth.keys import load_or_make_key
from camgate.auth.leases import Leases
from camgate.auth.passwords import Passwords
from camgate.auth.revoked import Revoked
from camgate.auth.signing import Signer, TokenRefused, check_times
from camgate.auth.throttle import Throttle
from camgate.auth.users import fingerprint, identity_of_user
from camgate.base.log import get_logger
from camgate.config.model import AuthSettings

log = get_logger("auth")

SESSION, TOKEN = "camgate:session", "camgate:token"
"""Audiences: a session's cookie is no token, and the other way round."""
TAKEN_AWAY, REVOKED = "the permission was taken away", "it was revoked"
"""Why what somebody was given ends."""
WRONG_LOGIN = "the user name or the password is wrong"
REVOKED_FILE = "revoked.json"
DAY_S = 86_400.0
LOOK_S = 2.0
"""How often the file of revoked ids is looked at: so long may a token live that was just revoked."""
SESSION_ID_BYTES = 12
MAX_READ_SESSIONS = 4096
"""Sessions whose signatures were checked; a kilobyte each."""
UNKNOWN_ADDRESS = ""
NO_USERS = AuthSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request shows. address: of the client, without port. At most one of the others counts, in this order."""

    address: str = UNKNOWN_ADDRESS
    bearer: str | None = None
    login: tuple[str, str] | None = None
    session: str | None = None


class Access:
    """The users, and all that was given to them. Without users everybody is let in.

    state: directory for the key and what is revoked, which exists; None where there are no users.
    """

    def __init__(
        self,
        settings: AuthSettings = NO_USERS,
        state: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = trio.current_time,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self.leases = Leases(clock, self._why_over)
        self.throttle = Throttle()
        self.logins_refused = 0
        if not settings.users:
            self._open = True
            return
        assert state is not None
        self._open = False
        self._passwords = Passwords((user.password_hash for user in settings.users.values()), clock=monotonic)
        self._read_sessions: dict[str, dict[str, Any]] = {}
        self._signer = Signer(load_or_make_key(state))
        self._revoked = Revoked(state / REVOKED_FILE, clock)

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in."""
        return self._open

    @property
    def settings(self) -> AuthSettings:
        """The users and roles of now."""
        return self._settings

    @property
    def session_s(self) -> float:
        """How long a browser stays signed in, in seconds."""
        return self._settings.session_days * DAY_S

    async def run(self) -> None:
        """End what is over, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.leases.run)
            if not self._open:
                nursery.start_soon(self._watch_revoked)

    async def identify(self, credentials: Credentials) -> Identity | None:
        """Return who asks, None for nobody in particular. Raises LoginRefused, TooManyLogins, TooManyLoginsAtOnce."""
        if self._open:
            return EVERYBODY
        if credentials.bearer is not None:
            return self._of_token(credentials.bearer)
        if credentials.login is not None:
            return await self.sign_in(*credentials.login, credentials.address, Way.PASSWORD)
        if credentials.session is not None:
            return self._of_session(credentials.session)
        return None

    async def sign_in(self, name: str, password: str, address: str, way: Way = Way.SESSION) -> Identity:
        """Check a user's password. Raises LoginRefused, TooManyLogins, TooManyLoginsAtOnce."""
        user = self._settings.users.get(name) if not self._open else None
        password_hash = user.password_hash if user else None
        now_s = self._monotonic()
        is_right = self._passwords.is_remembered(name, password, password_hash)
        if not is_right:
            self.throttle.check(address, name, now_s)
            is_right = await self._passwords.is_right(name, password, password_hash)
            if is_right:
                self.throttle.succeeded(address, name)
            else:
                self.throttle.failed(address, name, self._monotonic())
        identity = identity_of_user(self._settings, name, way) if is_right else None
        if identity is None:
            self.logins_refused += 1
            log.warning("login refused: wrong user name or password", address=address)
            raise LoginRefused(WRONG_LOGIN)
        return identity

    def start_session(self, identity: Identity) -> tuple[str, float]:
        """Return a signed-in user's session, and when it ends (Unix time)."""
        return self._session(identity.name, secrets.token_urlsafe(SESSION_ID_BYTES))

    def renew_session(self, identity: Identity) -> tuple[str, float] | None:
        """Return a session that is half over with all of its time before it, and when that ends; None for any other."""
        if identity.way is not Way.SESSION or identity.expires_at is None:
            return None
        if identity.expires_at - self._clock() > self.session_s / 2:
            return None
        session_id = next(key for key in identity.stands_on if key.startswith("id:")).removeprefix("id:")
        return self._session(identity.name, session_id)

    def end_session(self, session: str) -> None:
        """Sign out: neither the session nor a copy of its cookie holds any more, and what was given by it ends."""
        try:
            claims = self._signer.read_untrusted(SESSION, session, self._clock())
        except TokenRefused:
            return
        # A copy may have been renewed until now.
        self._revoke(str(claims.get("jti")), self._clock() + self.session_s, "signed out")

    def revoke_token(self, token_id: str, until_s: float) -> None:
        """End a token by its id, and what was given by it."""
        self._revoke(token_id, until_s, "the token was revoked")

    def apply(self, settings: AuthSettings) -> int:
        """Take other users and roles, and end what was given to those who may no more; returns how many that were.

        From none to some or back needs a restart, as the listeners' rules hang on it.
        """
        self._settings = settings
        if not self._open:
            self._passwords.replace(user.password_hash for user in settings.users.values())
        return self.leases.end_all(lambda identity: not self._still_holds(identity), TAKEN_AWAY)

    def _why_over(self, identity: Identity) -> str | None:
        if self._open:
            return None
        if self._is_revoked(identity):
            return REVOKED
        return None if self._still_holds(identity) else TAKEN_AWAY

    def _still_holds(self, identity: Identity) -> bool:
        names = [key.removeprefix("user:") for key in identity.stands_on if key.startswith("user:")]
        if identity.way is Way.TOKEN:
            return all(name in self._settings.users for name in names)
        now = identity_of_user(self._settings, names[0], identity.way) if names else None
        return now is not None and now.grants == identity.grants and set(now.stands_on) <= set(identity.stands_on)

    def _of_session(self, session: str) -> Identity | None:
        # A cookie that no longer holds is what browsers send when its time is over: nobody in particular.
        try:
            claims = self._claims_of_session(session)
        except TokenRefused:
            return None
        user = self._settings.users.get(str(claims.get("sub")))
        if (
            user is None
            or claims.get("pwd") != fingerprint(user.password_hash)
            or str(claims.get("jti")) in self._revoked
        ):
            return None
        identity = identity_of_user(self._settings, user.name, Way.SESSION, float(claims["exp"]))
        return identity and _standing_on(identity, f"id:{claims['jti']}")

    def _session(self, name: str, session_id: str) -> tuple[str, float]:
        now_s = self._clock()
        ends_s = now_s + self.session_s
        claims = {
            "sub": name,
            "jti": session_id,
            "iat": int(now_s),
            "exp": int(ends_s),
            "pwd": fingerprint(self._settings.users[name].password_hash),
        }
        return self._signer.sign(SESSION, claims), ends_s

    def _claims_of_session(self, session: str) -> dict[str, Any]:
        """Return what a session says. Its signature is checked once, since its cookie comes with every request."""
        claims = self._read_sessions.get(session)
        if claims is not None:
            check_times(claims, self._clock())
            return claims
        claims = self._signer.read_untrusted(SESSION, session, self._clock())
        if len(self._read_sessions) >= MAX_READ_SESSIONS:
            del self._read_sessions[next(iter(self._read_sessions))]
        self._read_sessions[session] = claims
        return claims

    def _of_token(self, token: str) -> Identity:
        try:
            claims = self._signer.read_untrusted(TOKEN, token, self._clock())
            return self._identity_of_token(claims)
        except TokenRefused as error:
            self.logins_refused += 1
            log.warning("token refused", reason=error.reason)
            raise LoginRefused(error.reason) from None

    def _identity_of_token(self, claims: dict[str, Any]) -> Identity:
        token_id = str(claims.get("jti"))
        if token_id in self._revoked:
            raise TokenRefused("the token was revoked")
        ends_s = check_times(claims, self._clock())
        name = str(claims.get("sub") or "token")
        stands_on = [f"id:{token_id}"]
        if "user" in claims:
            if claims["user"] not in self._settings.users:
                raise TokenRefused("the user whom the token was given for is not there any more")
            stands_on.append(f"user:{claims['user']}")
        return Identity(
            name=name,
            way=Way.TOKEN,
            grants=grants_of_claims(claims),
            account=f"id:{token_id}",
            stands_on=tuple(stands_on),
            expires_at=ends_s,
        )

    def _revoke(self, token_id: str, until_s: float, reason: str) -> None:
        self._revoked.add(token_id, until_s)
        self.leases.end_all(lambda identity: f"id:{token_id}" in identity.stands_on, reason)

    async def _watch_revoked(self) -> None:
        while True:
            await trio.sleep(LOOK_S)
            if self._revoked.refresh():
                self.leases.end_all(self._is_revoked, REVOKED)

    def _is_revoked(self, identity: Identity) -> bool:
        return any(key.removeprefix("id:") in self._revoked for key in identity.stands_on if key.startswith("id:"))


def grants_of_claims(claims: dict[str, Any]) -> tuple[Grant, ...]:
    """Return what a token's claim `grants` allows: `{"view": ["front*"]}`. Raises TokenRefused."""
    grants = claims.get("grants")
    if not isinstance(grants, dict):
        raise TokenRefused("the token grants nothing")
    found = []
    for action in Action:
        patterns = grants.get(action.value, [])
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise TokenRefused("what the token grants is no lists of cameras")
        if patterns:
            found.append(Grant(action, tuple(patterns)))
    return tuple(found)


def _standing_on(identity: Identity, key: str) -> Identity:
    return Identity(
        name=identity.name,
        way=identity.way,
        grants=identity.grants,
        account=identity.account,
        stands_on=(*identity.stands_on, key),
        expires_at=identity.expires_at,
    )
