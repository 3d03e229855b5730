"""Who asks, by what they show: the one place that knows all ways to log in, and ends what no longer holds.

    request -> Credentials -> Access.identify -> Identity, or nobody, or why not

Times of sessions and tokens are Unix times; the throttle's are monotonic.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import trio

from camgate.auth.callback import Asker, Callback
from camgate.auth.errors import LoginRefused, LoginsDown, SharingIsOff
from camgate.auth.fetch import Fetcher
from camgate.auth.identity import EVERYBODY, Action, Identity, Way
from camgate.auth.issuers import Issuers
from camgate.auth.keys import load_or_make_key
from camgate.auth.leases import Lease, Leases
from camgate.auth.passwords import Passwords
from camgate.auth.renewal import CHANGED, TAKEN_AWAY, why_over
from camgate.auth.revoked import MAX_IDS, MAX_SESSIONS, REVOKED_FILE, Revoked
from camgate.auth.shares import SHARES_FILE, Share, Shares, guest_of, identity_of_share
from camgate.auth.signing import Signer, TokenRefused, check_times
from camgate.auth.throttle import Throttle
from camgate.auth.tokens import TOKEN, identity_of_claims
from camgate.auth.users import fingerprint, identity_of_user
from camgate.base.log import get_logger
from camgate.config.model import AuthSettings

log = get_logger("auth")

SESSION, SHARE = "camgate:session", "camgate:share"
"""Audiences: a session's cookie is no token, and the other way round."""
REVOKED = "it was revoked"
UNSHARED = "the share was taken back"
"""Why what somebody was given ends."""
WRONG_LOGIN = "the user name or the password is wrong"
DAY_S = 86_400.0
LOOK_S = 2.0
"""How often the files that commands write are looked at: so long may a token live that was just revoked."""
SESSION_ID_BYTES = 12
MAX_READ_SESSIONS = 4096
"""Sessions whose signatures were checked; a kilobyte each."""
ASK_AGAIN_S = 30.0
"""How often the callback is asked again about those who hold something by it."""
MAX_CALLBACK_SESSIONS = 1000
UNKNOWN_ADDRESS = ""
NO_USERS = AuthSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request shows. address: of the client, without port. At most one of the others counts, in this order.

    shares: cookies of share links, which count beside a session. query: of the request, for the callback.
    """

    address: str = UNKNOWN_ADDRESS
    bearer: str | None = field(default=None, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    shares: tuple[str, ...] = field(default=(), repr=False)
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants to do. camera: None for those with which one may; unless `everywhere`: with camgate itself.

    Only the callback has to know before it says who somebody is.
    """

    action: Action = Action.VIEW
    camera: str | None = None
    everywhere: bool = False


TO_LOOK = Wanted()


class Access:
    """The users, and all that was given to them. Without users everybody is let in.

    state: directory for the key and what is revoked, which exists; None where auth is not on. cameras: all of them, and
    the groups that each is in.
    """

    def __init__(
        self,
        settings: AuthSettings = NO_USERS,
        state: Path | None = None,
        *,
        cameras: Mapping[str, tuple[str, ...]] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = trio.current_time,
    ) -> None:
        self._settings = settings
        self.clock = clock
        """Tells Unix time in seconds."""
        self._monotonic = monotonic
        self._cameras = dict(cameras or {})
        self.leases = Leases(clock, self._why_over)
        self.throttle = Throttle()
        self.logins_refused = 0
        self._open = not settings.is_on
        if self._open:
            return
        assert state is not None
        self._passwords = Passwords((user.password_hash for user in settings.users.values()), clock=monotonic)
        self._read_sessions: dict[str, dict[str, Any]] = {}
        self._signer = Signer(load_or_make_key(state))
        self._revoked = Revoked(state / REVOKED_FILE, clock)
        self._shares = Shares(state / SHARES_FILE, clock)
        self._fetcher = Fetcher()
        self._issuers = Issuers(settings, self._fetcher, clock)
        self._callback = None if settings.callback is None else Callback(settings.callback, self._fetcher)
        # A session by the callback has to be asked about again with its password, which stands nowhere but here.
        self._askers: OrderedDict[str, Asker] = OrderedDict()

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
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.leases.run)
                if not self._open:
                    nursery.start_soon(self._watch_revoked)
                    nursery.start_soon(self._issuers.run)
                if not self._open and self._callback is not None:
                    nursery.start_soon(self._ask_again, self._callback)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close connections to others' servers; `run` does at its end."""
        if not self._open:
            await self._fetcher.aclose()

    async def identify(self, credentials: Credentials, wanted: Wanted = TO_LOOK) -> Identity | None:
        """Return who asks, None for nobody in particular.

        Raises LoginRefused, TooManyLogins, TooManyLoginsAtOnce, LoginsDown.
        """
        if self._open:
            return EVERYBODY
        if credentials.bearer is not None:
            return await self._of_token(credentials.bearer, credentials, wanted)
        if credentials.login is not None:
            name, password = credentials.login
            if self._callback is not None and name not in self._settings.users:
                asker = self._asker(credentials, user=name, password=password)
                return await self._of_guessable(self._callback, asker, wanted)
            return await self.sign_in(name, password, credentials.address, Way.PASSWORD)
        links = self.links(credentials.shares)
        if credentials.session is not None:
            identity = await self._of_session(credentials.session, wanted)
            if identity is not None:
                return replace(identity, links=links) if links else identity
        if links:
            return guest_of(links)
        if self._callback is not None:
            return await self._of_callback(self._callback, self._asker(credentials), wanted)
        return None

    async def admit_player(self, name: str, password: str, address: str, camera: str) -> Identity | None:
        """Return who wants to play a camera by RTSP, with a token or the callback's login; None where they may not.

        Raises LoginsDown.
        """
        if self._open:
            return None
        credentials = Credentials(address=address)
        try:
            if password.count(".") == 2:
                identity = await self._of_token(password, credentials, Wanted(camera=camera))
            elif self._callback is not None:
                asker = Asker(user=name, password=password, address=address, protocol="rtsp")
                identity = await self._of_guessable(self._callback, asker, Wanted(camera=camera))
            else:
                return None
        except LoginRefused:
            return None
        return identity if identity.may(Action.VIEW, camera, self._cameras.get(camera, ())) else None

    async def sign_in(self, name: str, password: str, address: str, way: Way = Way.SESSION) -> Identity:
        """Check a user's password. Raises LoginRefused, TooManyLogins, TooManyLoginsAtOnce, LoginsDown."""
        user = self._settings.users.get(name) if not self._open else None
        if user is None and not self._open and self._callback is not None:
            asker = Asker(user=name, password=password, address=address)
            return await self._of_guessable(self._callback, asker, TO_LOOK)
        password_hash = user.password_hash if user else None
        is_right = self._passwords.is_remembered(name, password, password_hash)
        if not is_right:
            # Now, and again at its turn: or as many could be tried at once as there is room to wait.
            check = partial(self._check_throttle, address, name)
            check()
            is_right = await self._passwords.is_right(name, password, password_hash, check)
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

    def _check_throttle(self, address: str, account: str) -> None:
        self.throttle.check(address, account, self._monotonic())

    def start_session(self, identity: Identity, password: str = "", address: str = "") -> tuple[str, float]:
        """Return the session of somebody who has just signed in, and when it ends (Unix time)."""
        session_id = secrets.token_urlsafe(SESSION_ID_BYTES)
        if identity.way is Way.CALLBACK:
            self._askers[session_id] = Asker(user=identity.name, password=password, address=address)
            if len(self._askers) > MAX_CALLBACK_SESSIONS:
                self._askers.popitem(last=False)
        return self._session(identity, session_id)

    def renew_session(self, identity: Identity) -> tuple[str, float] | None:
        """Return a session that is half over with all of its time before it, and when that ends; None for any other.

        What is held by the session ends no earlier, also what was begun with a cookie of before.
        """
        if identity.way is not Way.SESSION or identity.expires_at is None:
            return None
        session_id, ends_s = identity.names_of("id")[0], identity.expires_at
        is_half_over = ends_s - self.clock() <= self.session_s / 2
        renewed = self._session(identity, session_id) if is_half_over else None
        self.leases.prolong(session_id, ends_s if renewed is None else renewed[1])
        return renewed

    async def end_session(self, session: str) -> None:
        """Sign out: neither the session nor a copy of its cookie holds any more, and what was given by it ends.

        Raises TooManyRevoked.
        """
        try:
            claims = self._signer.read_untrusted(SESSION, session, self.clock())
        except TokenRefused:
            return
        # A copy may have been renewed until now, and this one may be of a time when sessions were longer.
        until_s = max(float(claims["exp"]), self.clock() + self.session_s)
        await self._revoke(str(claims.get("jti")), until_s, "signed out", MAX_SESSIONS)

    async def revoke_token(self, token_id: str, until_s: float) -> None:
        """End a token by its id, and what was given by it. Raises TooManyRevoked."""
        await self._revoke(token_id, until_s, "the token was revoked")

    @property
    def shares(self) -> Shares:
        """The share links. Raises SharingIsOff where everybody is let in anyway."""
        if self._open:
            raise SharingIsOff
        return self._shares

    async def make_share(self, camera: str, maker: Identity, ends_s: float, label: str) -> tuple[Share, str]:
        """Make a share link; returns it and its secret, kept nowhere. Raises TooManyShares, SharingIsOff."""
        return await self.shares.change(lambda shares: shares.make(camera, maker, ends_s, label))

    async def open_share(self, secret: str, is_on: Callable[[str], bool] = lambda _camera: True) -> tuple[Share, str]:
        """Use a share link up; returns it, and the cookie for the browser that did.

        is_on: whether a camera is not switched off. Raises ShareGone, SharedCameraOff, SharingIsOff.
        """
        share = await self.shares.change(lambda shares: shares.open(secret, is_on))
        claims = {"share": share.share_id, "browser": share.browser, "exp": int(share.ends_s)}
        return share, self._signer.sign(SHARE, claims)

    async def end_share(self, camera: str, share_id: str) -> None:
        """Take a share link back, and end what was given by it. Raises UnknownShare, SharingIsOff."""
        await self.shares.change(lambda shares: shares.end(camera, share_id))
        self.leases.end_all(lambda identity: f"share:{share_id}" in identity.stands_on, UNSHARED)
        self.leases.end_over_links(UNSHARED)

    async def keep_shares_of(self, cameras: Container[str]) -> None:
        """Take back the share links of all cameras but these, which are configured, be they switched on or off."""
        if self._open or all(share.camera in cameras for share in self._shares.all()):
            return
        await self._shares.change(lambda shares: shares.keep_of_cameras(cameras))
        self.leases.end_all(self._is_unshared, UNSHARED)
        self.leases.end_over_links(UNSHARED)

    def apply(self, settings: AuthSettings, cameras: Mapping[str, tuple[str, ...]] | None = None) -> int:
        """Take other users, roles and cameras, and end what was given to those who may no more; returns how many.

        cameras: as at the start; None where they are as they were. From no users to some or back needs a restart, as
        the listeners' rules hang on it; other issuers and another callback do too.
        """
        self._settings = settings
        gone: set[str] = set()
        are_regrouped = False
        if cameras is not None:
            gone = self._cameras.keys() - cameras.keys()
            are_regrouped = any(self._cameras.get(name, groups) != groups for name, groups in cameras.items())
            self._cameras = dict(cameras)
        if self._open:
            return 0
        self._issuers.apply(settings)
        self._passwords.replace(user.password_hash for user in settings.users.values())
        ended = 0
        for lease in self.leases.held():
            reason = TAKEN_AWAY if lease.camera in gone else self._why_over(lease)
            if reason is None and are_regrouped and lease.camera is None and lease.identity.goes_by_groups:
                reason = CHANGED
            if reason is not None:
                self.leases.end(lease, reason)
                ended += 1
        return ended

    def _why_over(self, lease: Lease) -> str | None:
        if self._open:
            return None
        if self._is_revoked(lease.identity):
            return REVOKED
        return why_over(lease, self._settings, self._shares, self._cameras, self._holds)

    async def _of_session(self, session: str, wanted: Wanted) -> Identity | None:
        # A cookie that no longer holds is what browsers send when its time is over: nobody in particular.
        try:
            claims = self._claims_of_session(session)
        except TokenRefused:
            return None
        session_id, name = str(claims.get("jti")), str(claims.get("sub"))
        if claims.get("callback"):
            asker = self._askers.get(session_id)
            if self._callback is None or asker is None:
                return None
            try:
                identity = await self._of_callback(self._callback, asker, wanted)
            except LoginsDown as error:
                error.is_signed_in = True
                raise
            if identity is not None:
                identity = replace(identity, way=Way.SESSION, expires_at=float(claims["exp"]))
        else:
            user = self._settings.users.get(name)
            if user is None or claims.get("pwd") != fingerprint(user.password_hash):
                return None
            identity = identity_of_user(self._settings, name, Way.SESSION, float(claims["exp"]))
        if session_id in self._revoked:  # or was so while the callback was asked
            return None
        return identity and replace(identity, stands_on=(*identity.stands_on, f"id:{session_id}"))

    def _session(self, identity: Identity, session_id: str) -> tuple[str, float]:
        now_s, name = self.clock(), identity.name
        ends_s = now_s + self.session_s
        claims: dict[str, object] = {"sub": name, "jti": session_id, "iat": int(now_s), "exp": int(ends_s)}
        if session_id in self._askers:
            claims["callback"] = True
        else:
            claims["pwd"] = fingerprint(self._settings.users[name].password_hash)
        return self._signer.sign(SESSION, claims), ends_s

    def _claims_of_session(self, session: str) -> dict[str, Any]:
        """Return what a session says. Its signature is checked once, since its cookie comes with every request."""
        claims = self._read_sessions.get(session)
        if claims is not None:
            check_times(claims, self.clock())
            return claims
        claims = self._signer.read_untrusted(SESSION, session, self.clock())
        if len(self._read_sessions) >= MAX_READ_SESSIONS:
            del self._read_sessions[next(iter(self._read_sessions))]
        self._read_sessions[session] = claims
        return claims

    def links(self, cookies: Iterable[str]) -> tuple[Identity, ...]:
        """Return who a browser is by those share links of its that still hold."""
        found = map(self._of_share, cookies)
        return tuple(link for link in found if link is not None)

    def _holds(self, link: Identity) -> bool:
        return not link.has_ended(self.clock()) and not self._is_revoked(link)

    def _of_share(self, cookie: str) -> Identity | None:
        try:
            claims = self._signer.read_untrusted(SHARE, cookie, self.clock())
        except TokenRefused:
            return None
        share = self._shares.opened(claims.get("share"), claims.get("browser"))
        identity = None if share is None else identity_of_share(self._settings, share)
        return None if identity is None or self._is_revoked(identity) else identity

    async def _of_token(self, token: str, credentials: Credentials, wanted: Wanted) -> Identity:
        try:
            if self._issuers.know(token):
                identity = await self._issuers.identify(token)
            elif self._callback is not None and not self._signer.is_ours(token):
                asker = self._asker(credentials, token=token)
                return await self._of_guessable(self._callback, asker, wanted)
            else:
                claims = self._signer.read_untrusted(TOKEN, token, self.clock())
                identity = identity_of_claims(self._settings, claims, self.clock())
            if self._is_revoked(identity):
                raise TokenRefused("the token was revoked")
            return identity
        except TokenRefused as error:
            self.logins_refused += 1
            log.warning("token refused", reason=error.reason, address=credentials.address)
            raise LoginRefused(error.reason) from None

    async def _of_guessable(self, callback: Callback, asker: Asker, wanted: Wanted) -> Identity:
        account = asker.user or asker.address
        self._check_throttle(asker.address, account)
        identity = await self._of_callback(callback, asker, wanted)
        is_right = identity is not None and (bool(identity.grants) or await self._may_anything(callback, asker))
        # Again: or as many could be tried at once as the callback is asked about at once.
        self._check_throttle(asker.address, account)
        if identity is None or not is_right:
            self.throttle.failed(asker.address, account, self._monotonic())
            self.logins_refused += 1
            log.warning("login refused by the callback", address=asker.address)
            raise LoginRefused(WRONG_LOGIN if asker.user else "the token is wrong")
        if identity.grants:
            self.throttle.succeeded(asker.address, account)
        return identity

    async def _may_anything(self, callback: Callback, asker: Asker) -> bool:
        """Whether a login is good for anything; many callbacks answer a wrong one as they do what is not permitted."""
        cameras = tuple(self._cameras)
        for action in (Action.VIEW, Action.PLAYBACK, Action.ADMIN):
            if (await callback.identify(asker, action, cameras))[0].grants:
                return True
        return bool((await callback.identify(asker, Action.ADMIN, ()))[0].grants)

    async def _of_callback(self, callback: Callback, asker: Asker, wanted: Wanted) -> Identity | None:
        if wanted.everywhere:
            cameras: tuple[str, ...] = ()
        else:
            cameras = tuple(self._cameras) if wanted.camera is None else (wanted.camera,)
        identity, wants_login = await callback.identify(asker, wanted.action, cameras)
        return None if wants_login else identity

    def _asker(self, credentials: Credentials, **shown: str) -> Asker:
        return Asker(address=credentials.address, query=credentials.query, **shown)

    async def _revoke(self, token_id: str, until_s: float, reason: str, most: int = MAX_IDS) -> None:
        await self._revoked.end(token_id, until_s, most)
        self._askers.pop(token_id, None)
        self.leases.end_all(lambda identity: f"id:{token_id}" in identity.stands_on, reason)
        self.leases.end_over_links(UNSHARED)

    async def _watch_revoked(self) -> None:
        seen: tuple[int, int] | None = None
        while True:
            await trio.sleep(LOOK_S)
            self._revoked.refresh()
            self._shares.refresh()
            # By versions: a change of ours reads the files as well, and what others wrote into them.
            if (now := (self._revoked.version, self._shares.version)) != seen:
                seen = now
                self.leases.end_all(self._is_revoked, REVOKED)
                self.leases.end_all(self._is_unshared, UNSHARED)
                self.leases.end_over_links(UNSHARED)

    async def _ask_again(self, callback: Callback) -> None:
        while True:
            await trio.sleep(ASK_AGAIN_S)
            for lease in self.leases.held():
                if not await callback.still_allows(lease.identity, lease.camera):
                    self.leases.end(lease, TAKEN_AWAY)

    def _is_unshared(self, identity: Identity) -> bool:
        return any(share_id not in self._shares for share_id in identity.names_of("share"))

    def _is_revoked(self, identity: Identity) -> bool:
        return any(token_id in self._revoked for token_id in identity.names_of("id"))
