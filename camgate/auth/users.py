"""Users of the config, and what their roles grant them."""

import hashlib

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


def grants_of_user(settings: AuthSettings, name: str) -> tuple[Grant, ...] | None:
    """Return what a user's roles allow; None where there is no such user."""
    user = settings.users.get(name)
    if user is None:
        return None
    roles = (settings.roles[role] for role in user.roles if role in settings.roles)
    return tuple(grant for role in roles for grant in grants_of_role(role))


def identity_of_user(settings: AuthSettings, name: str, way: Way, expires_at: float | None = None) -> Identity | None:
    """Return who a user is; None where there is no such user."""
    grants = grants_of_user(settings, name)
    if grants is None:
        return None
    stands_on = (f"user:{name}", f"password:{fingerprint(settings.users[name].password_hash)}")
    return Identity(
        name=name, way=way, grants=grants, account=f"user:{name}", stands_on=stands_on, expires_at=expires_at
    )


def fingerprint(password_hash: str) -> str:
    """Return what tells that a password is still the same, and nothing about it."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]
