"""Users of the config, and what their roles grant them."""

import hashlib
from collections.abc import Iterable

from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.config.model import AuthSettings, RoleSettings


def grants_of_role(role: RoleSettings) -> tuple[Grant, ...]:
    """Return what a role allows."""
    patterns = {
        Action.VIEW: role.view,
        Action.PLAYBACK: role.playback,
        Action.CONTROL: role.control,
        Action.ADMIN: role.admin,
    }
    return tuple(Grant(action, names) for action, names in patterns.items() if names)


def grants_of_roles(settings: AuthSettings, names: Iterable[str]) -> tuple[Grant, ...]:
    """Return what roles allow together; names that are no role allow nothing."""
    roles = (settings.roles[name] for name in names if name in settings.roles)
    return tuple(grant for role in roles for grant in grants_of_role(role))


def grants_of_user(settings: AuthSettings, name: str) -> tuple[Grant, ...] | None:
    """Return what a user's roles allow; None where there is no such user."""
    user = settings.users.get(name)
    return None if user is None else grants_of_roles(settings, user.roles)


def identity_of_user(settings: AuthSettings, name: str, way: Way, expires_at: float | None = None) -> Identity | None:
    """Return who a user is; None where there is no such user."""
    user, grants = settings.users.get(name), grants_of_user(settings, name)
    if user is None or grants is None:
        return None
    # Whoever has signed in by a password is signed out when it is changed.
    stands_on = (f"user:{name}", f"password:{fingerprint(user.password_hash)}")
    return Identity(
        name=name, way=way, grants=grants, account=f"user:{name}", stands_on=stands_on, expires_at=expires_at
    )


def fingerprint(password_hash: str) -> str:
    """Return what tells that a password is still the same, and nothing about it."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]
