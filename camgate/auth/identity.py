"""What everything about access is said in: actions, grants, and identities that hold them.

An identity is a plain value. Whoever serves something to one asks `may` first, and holds a lease (`auth.leases`), which
ends it when `expires_at` has come or when what the identity stands on is gone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

GROUP_PREFIX = "group:"
"""A pattern that begins so is for the groups that a camera is in; any other is for its name."""
EVERYTHING = ("*",)
CALLBACK = "callback"
"""What an identity of the callback stands on, and its account begins with."""


class Action(Enum):
    """What somebody may do with a camera; `admin` also with camgate itself."""

    VIEW = "view"
    """Watch and hear it live, see its snapshots and its state."""
    PLAYBACK = "playback"
    """Watch what was recorded of it."""
    CONTROL = "control"
    """Change what it does: move it, start and stop it, cut its viewers."""
    ADMIN = "admin"
    """Change how it is configured. Holds all other actions for the same cameras."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An action on the cameras that any of the patterns covers.

    patterns: `*`, `?` and `[…]` as in file names (fnmatch), for a camera's name, or behind `group:` for its groups.
    Case matters.
    """

    action: Action
    patterns: tuple[str, ...] = EVERYTHING

    def covers(self, action: Action, camera: str, groups: Iterable[str] = ()) -> bool:
        """Whether it lets one do this with this camera, which is in these groups."""
        return self.action in (action, Action.ADMIN) and self._matches(camera, frozenset(groups))

    @property
    def is_for_everything(self) -> bool:
        """Whether it holds for every camera, also those that do not exist yet."""
        return "*" in self.patterns

    def _matches(self, camera: str, groups: frozenset[str]) -> bool:
        for pattern in self.patterns:
            if not pattern.startswith(GROUP_PREFIX):
                if fnmatchcase(camera, pattern):
                    return True
            elif any(fnmatchcase(group, pattern[len(GROUP_PREFIX) :]) for group in groups):
                return True
        return False


class Way(Enum):
    """How somebody showed who they are."""

    OPEN = "open"
    """They did not have to: there are no users."""
    PASSWORD = "password"
    """With each request (HTTP Basic), or at the RTSP server."""
    SESSION = "session"
    """By the cookie that the sign-in page gave them."""
    TOKEN = "token"
    """By a token that camgate signed."""
    ISSUER = "issuer"
    """By a token of an issuer that the config names."""
    CALLBACK = "callback"
    """Somebody else's server said so."""
    SHARE = "share"
    """By a share link."""
    LOCAL = "local"
    """By the control socket, whose file's mode says who may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, and what they may do until when.

    name: for logs and lists; a user's name, a token's subject. account: what limits for one user are counted by.
    stands_on: what this ends with: keys of what may be removed, such as `user:anna`, `token:ID`.
    within: grants of whoever gave this away, as they are now: nobody gives away more than they have. None for no such
    bound. expires_at: Unix time in seconds; None for never.
    links: who they are besides, by share links that they have opened. Each ends by itself, and all with this.
    """

    name: str
    way: Way
    grants: tuple[Grant, ...]
    within: tuple[Grant, ...] | None = None
    account: str = ""
    stands_on: tuple[str, ...] = ()
    expires_at: float | None = None
    links: tuple["Identity", ...] = ()

    def may(self, action: Action, camera: str, groups: Iterable[str] = ()) -> bool:
        """Whether they may do this with this camera, which is in these groups. Does not look at the time."""
        groups = tuple(groups)
        if self._all(lambda grant: grant.covers(action, camera, groups)):
            return True
        return any(link.may(action, camera, groups) for link in self.links)

    def may_everywhere(self, action: Action) -> bool:
        """Whether they may do this with every camera, and so with camgate itself."""
        return self._all(lambda grant: grant.is_for_everything and grant.action in (action, Action.ADMIN))

    def may_somewhere(self, action: Action) -> bool:
        """Whether there can be a camera with which they may do this."""
        if self._all(lambda grant: grant.action in (action, Action.ADMIN)):
            return True
        return any(link.may_somewhere(action) for link in self.links)

    @property
    def bounds(self) -> tuple[object, ...]:
        """What they may, and no more than that: equal for those who may the same."""
        return (self.grants, self.within, *(link.bounds for link in self.links))

    @property
    def goes_by_groups(self) -> bool:
        """Whether what they may do depends on the groups that cameras are in."""
        patterns = (pattern for grant in (*self.grants, *(self.within or ())) for pattern in grant.patterns)
        if any(pattern.startswith(GROUP_PREFIX) for pattern in patterns):
            return True
        return any(link.goes_by_groups for link in self.links)

    def _all(self, is_enough: Callable[[Grant], bool]) -> bool:
        return any(map(is_enough, self.grants)) and (self.within is None or any(map(is_enough, self.within)))

    def names_of(self, kind: str) -> list[str]:
        """Return the names of one kind that it stands on, such as of "share"."""
        return [key.removeprefix(f"{kind}:") for key in self.stands_on if key.startswith(f"{kind}:")]

    def has_ended(self, now_s: float) -> bool:
        """Whether its time is over; `now_s` is Unix time."""
        return self.expires_at is not None and now_s >= self.expires_at

    def next_end_s(self, now_s: float) -> float:
        """When something of this ends next, after `now_s`; infinity for never."""
        ends = (each.expires_at for each in (self, *self.links))
        return min((end_s for end_s in ends if end_s is not None and end_s > now_s), default=math.inf)


EVERYBODY = Identity(name="everybody", way=Way.OPEN, grants=(Grant(Action.ADMIN),))
"""Who everyone is where no users are configured."""


def of_this_machine(name: str) -> Identity:
    """Return who stands on nobody's grants: who may write camgate's own files may do anything with it."""
    return Identity(name=name, way=Way.LOCAL, grants=EVERYBODY.grants)
