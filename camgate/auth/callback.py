"""Asks the operator's own server who may do what, as users of MediaMTX know it (its `authHTTPAddress`).

It is sent a POST with JSON: user, password, token, ip, action, path, protocol, id, query. A status of 20x allows, 401
asks for another login, any other refuses. It is asked for one action on one camera at a time, so an identity of it
holds the grants that were asked for, and no others.

Answers are remembered for a short while; of those who watch it is asked again and again (`still_allows`). While it
does not answer, nobody is let in: never open.
"""

import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import trio

from camgate.auth.errors import LoginsDown
from camgate.auth.fetch import Fetcher, Unanswered
from camgate.auth.identity import CALLBACK, EVERYTHING, Action, Grant, Identity, Way
from camgate.base.log import get_logger
from camgate.config.model import CallbackSettings

log = get_logger("auth")

RETRY_S = 5.0
MAX_REMEMBERED = 10_000
"""Answers; the oldest are forgotten first."""
MAX_AT_ONCE = 16
"""Questions under way; more wait for these."""
MAX_AT_ONCE_EACH = 8
"""Of those, for one request: who may see a wall of hundreds of cameras is asked camera by camera."""
MAX_WAITING = 256
"""Questions that wait; whoever asks beyond is told to come back."""
MAX_NAME_CHARS = 128

ACTIONS = {Action.VIEW: "read", Action.PLAYBACK: "playback", Action.CONTROL: "api", Action.ADMIN: "api"}
"""What ours are called there; `api` is everything that changes something."""


class Verdict(Enum):
    """What it said."""

    ALLOWED = auto()
    LOGIN_WANTED = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Whoever wants something, as they said it themselves; empty where they said nothing."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    address: str = ""
    query: str = field(default="", repr=False)
    protocol: str = "webrtc"

    @property
    def is_nobody(self) -> bool:
        """Whether they showed nothing that says who they are."""
        return not (self.user or self.password or self.token)


class Callback:
    """The operator's server, and what it has said lately."""

    def __init__(self, settings: CallbackSettings, fetcher: Fetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher
        # What is remembered holds no passwords, but their HMAC under a key of this process alone.
        self._key = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()
        self._limiter = trio.CapacityLimiter(MAX_AT_ONCE)
        self._asking: dict[bytes, trio.Event] = {}
        self._askers: OrderedDict[str, Asker] = OrderedDict()

    async def identify(self, asker: Asker, action: Action, cameras: Collection[str]) -> tuple[Identity, bool]:
        """Return who one is, with grants for the cameras for which they may do this; and whether it wants a login.

        No cameras stand for camgate itself. Raises LoginsDown.
        """
        paths = list(cameras) or [""]
        verdicts = await self._ask_all(asker, action, paths)
        allowed = tuple(path for path, verdict in zip(paths, verdicts, strict=True) if verdict is Verdict.ALLOWED)
        grants = (Grant(action, allowed if cameras else EVERYTHING),) if allowed else ()
        key = self._remember_asker(asker) if allowed else CALLBACK
        name = asker.user[:MAX_NAME_CHARS] or ("token" if asker.token else "anybody")
        account = f"{CALLBACK}:{asker.user or asker.address}"
        identity = Identity(name=name, way=Way.CALLBACK, grants=grants, account=account, stands_on=(CALLBACK, key))
        return identity, not allowed and Verdict.LOGIN_WANTED in verdicts

    async def still_allows(self, identity: Identity, camera: str | None) -> bool:
        """Ask anew for what somebody holds: a camera, or something with all that they were granted.

        No answer takes nothing away.
        """
        asker = next((self._askers[key] for key in identity.stands_on if key in self._askers), None)
        if asker is None:
            return True
        try:
            for grant in identity.grants:
                paths = ["" if path == "*" else path for path in grant.patterns]
                if camera is not None:
                    paths = [path for path in paths if path == camera]
                if set(await self._ask_all(asker, grant.action, paths)) - {Verdict.ALLOWED}:
                    return False
        except LoginsDown:
            return True
        return True

    def _remember_asker(self, asker: Asker) -> str:
        shown = json.dumps([asker.user, asker.password, asker.token, asker.address, asker.protocol])
        key = f"{CALLBACK}:{self._digest(shown).hex()[:24]}"
        self._askers[key] = asker
        self._askers.move_to_end(key)
        if len(self._askers) > MAX_REMEMBERED:
            self._askers.popitem(last=False)
        return key

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")

    async def _ask_all(self, asker: Asker, action: Action, paths: Sequence[str]) -> list[Verdict]:
        verdicts: dict[str, Verdict] = {}
        downs: list[LoginsDown] = []
        left = iter(paths)

        async def ask() -> None:
            for path in left:
                try:
                    verdicts[path] = await self._ask(asker, action, path)
                except LoginsDown as down:
                    downs.append(down)
                if downs:
                    return  # what is under way comes to its end, and no more is asked

        async with trio.open_nursery() as nursery:
            for _ in range(min(len(paths), MAX_AT_ONCE_EACH)):
                nursery.start_soon(ask)
        if downs:
            raise downs[0]
        return [verdicts[path] for path in paths]

    async def _ask(self, asker: Asker, action: Action, camera: str) -> Verdict:
        question = {
            "user": asker.user,
            "password": asker.password,
            "token": asker.token,
            "ip": asker.address,
            "action": ACTIONS[action],
            "path": camera,
            "protocol": asker.protocol,
            "query": asker.query,
        }
        digest = self._digest(json.dumps(question))
        while self._settings.cache_s and (under_way := self._asking.get(digest)) is not None:
            await under_way.wait()
        if (known := self._answers.get(digest)) is not None and known[0] > trio.current_time():
            return known[1]
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise LoginsDown("too many others are asked about", RETRY_S)
        self._asking[digest] = trio.Event()
        try:
            async with self._limiter:
                verdict = await self._answer({**question, "id": secrets.token_hex(16)})
        finally:
            if (asked := self._asking.pop(digest, None)) is not None:
                asked.set()
        self._remember(digest, verdict)
        return verdict

    async def _answer(self, question: dict[str, str]) -> Verdict:
        body = json.dumps(question).encode()
        try:
            fetched = await self._fetcher.post(self._settings.url, body, timeout_s=self._settings.timeout_s)
        except Unanswered as error:
            log.error("the callback for logins does not answer; nobody is let in by it", reason=str(error))
            raise LoginsDown("the server that knows who may does not answer", RETRY_S) from None
        if fetched.status // 10 == 20:
            return Verdict.ALLOWED
        if fetched.status >= 500:
            log.error("the callback for logins has failed; nobody is let in by it", status=fetched.status)
            raise LoginsDown("the server that knows who may has failed", RETRY_S)
        return Verdict.LOGIN_WANTED if fetched.status == 401 else Verdict.REFUSED

    def _remember(self, digest: bytes, verdict: Verdict) -> None:
        self._answers[digest] = trio.current_time() + self._settings.cache_s, verdict
        self._answers.move_to_end(digest)
        if len(self._answers) > MAX_REMEMBERED:
            self._answers.popitem(last=False)
