"""Share links: one camera, for a span of time, for the first browser that opens it.

A link holds a secret; kept is only its hash. Opening a link turns it into a cookie for the browser that did; from then
on the secret is worth nothing. All of it is in one small file, so that links outlive a restart, used ones too. The
daemon and `camgate share` both write it.
"""

import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from camgate.auth.identity import CALLBACK, Action, Grant, Identity, Way
from camgate.auth.kept import Kept
from camgate.auth.users import grants_of_user
from camgate.base.files import locked, stamp_of, write_private
from camgate.base.log import get_logger
from camgate.config.model import AuthSettings
from camgate.relay.errors import ViewerError

log = get_logger("auth")

SHARES_FILE = "shares.json"
MAX_SHARES = 1000
MIN_SPAN_S, MAX_SPAN_S = 10.0, 90 * 86_400.0
UNASKED_SPAN_S = 86_400.0
"""How long a link holds at most whose maker the callback knows: it cannot be asked about them without their login."""
UNASKED = "It ends a day after it was made at the latest, as the server that let you in is not asked about it again."
MAX_LABEL_CHARS = 100
SECRET_BYTES = 24
ID_CHARS = 12


class ShareGone(ViewerError):
    """A link that leads nowhere (any more)."""

    status = HTTPStatus.GONE
    title = "Share gone"

    def __init__(self, what: str) -> None:
        """what: what has become of it, a sentence."""
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} Ask whoever sent it to you for a new one."


class SharedCameraOff(ViewerError):
    """A link is opened while its camera is switched off; it is not used up."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Shared camera switched off"

    def __str__(self) -> str:
        return "The camera of this link is switched off at present; open the link again once it is on."


class UnknownShare(ViewerError):
    """There is no share of this id on this camera."""

    status = HTTPStatus.NOT_FOUND
    title = "Unknown share"

    def __str__(self) -> str:
        return "This camera has no such share any more; GET the shares of the camera for those that it has."


class TooManyShares(ViewerError):
    """There are as many links as there may be."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many shares"

    def __str__(self) -> str:
        return f"There are {MAX_SHARES} share links already; end some that are needed no more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One link. Times are Unix times.

    secret_hash: of the link's secret. by: who made it. user: whose right it stands on, with that user's grants; None
    where that is somebody without an entry in the config. stands_on: what else it ends with.
    opened_s: when it was opened; None for not yet. browser: the one that did.
    """

    share_id: str
    secret_hash: str
    camera: str
    made_s: float
    ends_s: float
    by: str
    label: str = ""
    user: str | None = None
    stands_on: tuple[str, ...] = ()
    opened_s: float | None = None
    browser: str = ""

    def facts(self) -> dict[str, object]:
        """Describe it, ready for JSON; nothing by which it could be opened."""
        return {
            "id": self.share_id,
            "camera": self.camera,
            "label": self.label,
            "made_by": self.by,
            "made_at": self.made_s,
            "until": self.ends_s,
            "opened_at": self.opened_s,
        }


class Shares(Kept[Share]):
    """All links whose time is not over."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """clock: tells Unix time in seconds."""
        super().__init__(file)
        self._clock = clock
        self.refresh()

    def refresh(self) -> bool:
        """Read the file if another process has changed it; returns whether it has."""
        stamp = stamp_of(self._file)
        if stamp is None or stamp == self._stamp:
            return False
        self._stamp = stamp
        shares = _read(self._file)
        if shares is not None:
            self._put({share.share_id: share for share in shares})
        return shares is not None

    @contextmanager
    def _changed(self) -> Iterator[None]:
        """Change what another process may have just changed, and write it unless the block raises."""
        with locked(self._file):
            self.refresh()
            self._drop_old()
            yield
            self._write()

    def make(self, camera: str, maker: Identity, ends_s: float, label: str) -> tuple[Share, str]:
        """Make a link; returns it and its secret, which is kept nowhere. Raises TooManyShares."""
        ends_s = min(ends_s, longest_until(maker, self._clock())[0])
        secret = secrets.token_urlsafe(SECRET_BYTES)
        users = maker.names_of("user")
        kept = ("id:",) if maker.way is Way.TOKEN else ()
        share = Share(
            share_id=secrets.token_hex(ID_CHARS // 2),
            secret_hash=_hash(secret),
            camera=camera,
            made_s=self._clock(),
            ends_s=ends_s,
            by=maker.name,
            label=label,
            user=users[0] if users else None,
            stands_on=tuple(key for key in maker.stands_on if key.startswith(kept)) if kept else (),
        )
        with self._changed():
            if len(self._kept) >= MAX_SHARES:
                raise TooManyShares
            self._kept[share.share_id] = share
        return share, secret

    def open(self, secret: str, is_on: Callable[[str], bool] = lambda _camera: True) -> Share:
        """Use a link up, for the browser that gets its cookie now. Raises ShareGone, and SharedCameraOff by `is_on`."""
        with self._changed():
            share = self._find(secret)
            if share is None or self._clock() >= share.ends_s:
                raise ShareGone("This link leads nowhere: its time is over, or it was taken back.")
            if share.opened_s is not None:
                raise ShareGone("This link was opened before, and works in that browser only.")
            if not is_on(share.camera):
                raise SharedCameraOff
            share = replace(share, opened_s=self._clock(), browser=secrets.token_hex(8))
            self._kept[share.share_id] = share
        return share

    def opened(self, share_id: object, browser: object) -> Share | None:
        """Return the link that a browser has opened, if it still holds."""
        share = self._kept.get(share_id) if isinstance(share_id, str) else None
        if share is None or share.opened_s is None or share.browser != browser or self._clock() >= share.ends_s:
            return None
        return share

    def of_camera(self, camera: str) -> list[Share]:
        """Return a camera's links, the oldest first."""
        return [share for share in self.all() if share.camera == camera]

    def all(self) -> list[Share]:
        """Return all links, the oldest first."""
        self.refresh()
        now_s = self._clock()
        return [share for share in self._kept.values() if share.ends_s > now_s]

    def end(self, camera: str | None, share_id: str) -> None:
        """Take a link back. camera: whose it is; None for any. Raises UnknownShare."""
        with self._changed():
            share = self._kept.get(share_id)
            if share is None or camera not in (None, share.camera):
                raise UnknownShare
            del self._kept[share_id]

    def keep_of_cameras(self, names: Container[str]) -> None:
        """Take back the links of all cameras but these: another of the same name is not the one that was shared."""
        with self._changed():
            self._put({key: share for key, share in self._kept.items() if share.camera in names})

    def __contains__(self, share_id: object) -> bool:
        return share_id in self._kept

    def _find(self, secret: str) -> Share | None:
        wanted = _hash(secret)
        found = None
        for share in self._kept.values():
            if hmac.compare_digest(share.secret_hash, wanted):
                found = share
        return found

    def _drop_old(self) -> None:
        now_s = self._clock()
        self._put({key: share for key, share in self._kept.items() if share.ends_s > now_s})

    def _write(self) -> None:
        try:
            write_private(self._file, json.dumps([asdict(share) for share in self._kept.values()]).encode())
            self._stamp = stamp_of(self._file)
        except OSError as error:
            log.error("cannot write the share links", file=str(self._file), error=error.strerror or str(error))


def longest_until(maker: Identity, now_s: float) -> tuple[float, str]:
    """Return until when somebody can share at most, and why, as a sentence: nobody gives away more than they have."""
    if CALLBACK in maker.stands_on:
        return now_s + UNASKED_SPAN_S, UNASKED
    if maker.expires_at is not None and maker.way is not Way.SESSION:
        return maker.expires_at, "It ends with the token that it was made with."
    return math.inf, ""


def identity_of_share(settings: AuthSettings, share: Share) -> Identity | None:
    """Return who one is by an opened link; None where whoever made it may not see the camera any more."""
    within = None
    stands_on = [f"share:{share.share_id}", *share.stands_on]
    if share.user is not None:
        within = grants_of_user(settings, share.user)
        if within is None:
            return None
        stands_on.append(f"user:{share.user}")
    return Identity(
        name=f"share of {share.by}",
        way=Way.SHARE,
        # Names of cameras hold nothing that a pattern would take for more than itself.
        grants=(Grant(Action.VIEW, (share.camera,)),),
        within=within,
        account=f"share:{share.share_id}",
        stands_on=tuple(stands_on),
        expires_at=share.ends_s,
    )


def guest_of(links: Sequence[Identity]) -> Identity:
    """Return who one is by several links, and by nothing else."""
    first = links[0]
    if len(links) == 1:
        return first
    ends_s = max(link.expires_at or math.inf for link in links)
    return replace(first, grants=(), within=None, stands_on=(), expires_at=ends_s, links=tuple(links))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _read(file: Path) -> list[Share] | None:
    try:
        entries = json.loads(file.read_bytes())
        return [_share(entry) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.error("cannot read the share links; they lead nowhere", file=str(file), error=type(error).__name__)
        return None


def _share(entry: Mapping[str, Any]) -> Share:
    known = {field.name for field in fields(Share)}
    values = {name: value for name, value in entry.items() if name in known}
    return Share(**{**values, "stands_on": tuple(entry["stands_on"])})
