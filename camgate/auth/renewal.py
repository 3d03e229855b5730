"""What becomes of what somebody holds when the settings are other ones: pure decisions, for `Access.apply`."""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from camgate.auth.identity import Action, Identity, Way
from camgate.auth.leases import Lease
from camgate.auth.users import fingerprint, grants_of_roles, grants_of_user
from camgate.config.model import AuthSettings

TAKEN_AWAY = "the permission was taken away"
CHANGED = "what you may see has changed"
"""The reason for what is about all that one may see, when that is something else now."""


def why_over(
    lease: Lease,
    settings: AuthSettings,
    shares: Container[str],
    cameras: Mapping[str, tuple[str, ...]],
    holds: Callable[[Identity], bool] = lambda _link: True,
) -> str | None:
    """Why somebody may not go on holding what they hold; None where they may.

    cameras: the groups of each. holds: whether the time of a share link is not over, nor what it stands on revoked.
    """
    now = renewed(lease.identity, settings, shares)
    if now is None:
        return TAKEN_AWAY
    links = (renewed(link, settings, shares) for link in now.links if holds(link))
    now = replace(now, links=tuple(link for link in links if link is not None))
    if lease.camera is not None:
        return None if now.may(Action.VIEW, lease.camera, cameras.get(lease.camera, ())) else TAKEN_AWAY
    if not now.may_somewhere(Action.VIEW):
        return TAKEN_AWAY
    return None if now.bounds == lease.identity.bounds else CHANGED


def renewed(identity: Identity, settings: AuthSettings, shares: Container[str]) -> Identity | None:
    """Return who somebody is by other settings; None where they are nobody any more."""
    named: dict[str, list[str]] = {}
    for key in identity.stands_on:
        kind, _, name = key.partition(":")
        named.setdefault(kind, []).append(name)
    users = named.get("user", [])
    if not settings.users.keys() >= set(users) or not settings.issuers.keys() >= set(named.get("issuer", ())):
        return None
    passwords = {fingerprint(settings.users[user].password_hash) for user in users}
    if not passwords >= set(named.get("password", ())) or any(each not in shares for each in named.get("share", ())):
        return None
    if identity.way is Way.ISSUER:
        return replace(identity, grants=grants_of_roles(settings, named.get("role", ())))
    if not users:
        return identity
    grants = grants_of_user(settings, users[0]) or ()
    if identity.way in (Way.TOKEN, Way.SHARE):
        return replace(identity, within=grants)
    return replace(identity, grants=grants)
