"""What becomes of what somebody holds, when the settings are other ones."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from camgate.auth.access import Access
from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.auth.leases import Lease
from camgate.auth.renewal import CHANGED, TAKEN_AWAY, why_over
from camgate.auth.users import identity_of_user
from camgate.config.model import AuthSettings, IssuerSettings
from tests.fakes.accounts import auth_settings

OLD = replace(
    auth_settings({"anna": "viewer", "ben": "outside"}),
    issuers={"company": IssuerSettings(name="company", issuer="i", audience=("a",))},
)
CAMERAS: dict[str, tuple[str, ...]] = {"front": ("outside",), "yard": ()}
FRONT = (Grant(Action.VIEW, ("front",)),)


def lease(identity: Identity, camera: str | None = "front") -> Lease:
    return Lease(identity, lambda _: None, camera)


def user(name: str, way: Way = Way.SESSION) -> Identity:
    identity = identity_of_user(OLD, name, way)
    assert identity is not None
    return identity


def with_role(name: str, role: str) -> AuthSettings:
    return replace(OLD, users={**OLD.users, name: replace(OLD.users[name], roles=(role,))})


def over(held: Lease, settings: AuthSettings = OLD, cameras: dict[str, tuple[str, ...]] = CAMERAS) -> str | None:
    return why_over(held, settings, {"s1"}, cameras)


def test_where_nothing_has_changed_nothing_ends() -> None:
    for held in (lease(user("anna")), lease(user("ben")), lease(user("anna"), None), lease(user("ben"), None)):
        assert over(held) is None


def test_who_may_still_see_the_camera_goes_on_seeing_it() -> None:
    assert over(lease(user("anna")), with_role("anna", "front")) is None
    assert over(lease(user("anna"), "yard"), with_role("anna", "front")) == TAKEN_AWAY


def test_what_is_about_all_cameras_begins_anew_when_they_are_others() -> None:
    assert over(lease(user("anna"), None), with_role("anna", "front")) == CHANGED
    assert over(lease(user("anna"), None), with_role("anna", "nothing")) == TAKEN_AWAY


def test_a_camera_that_left_its_group_is_seen_no_more() -> None:
    assert over(lease(user("ben")), cameras={"front": ()}) == TAKEN_AWAY


@pytest.mark.parametrize("way", [Way.SESSION, Way.PASSWORD])
def test_another_password_ends_what_the_old_one_gave(way: Way) -> None:
    other = replace(OLD, users={**OLD.users, "anna": replace(OLD.users["anna"], password_hash="other")})
    assert over(lease(user("anna", way)), other) == TAKEN_AWAY


def token(within: tuple[Grant, ...] | None, *stands_on: str, way: Way = Way.TOKEN) -> Identity:
    return Identity(name="t", way=way, grants=FRONT, within=within, stands_on=stands_on)


def test_a_users_token_is_bounded_by_what_the_user_may_now() -> None:
    held = lease(token((Grant(Action.VIEW),), "id:1", "user:anna"))
    assert over(held) is None
    assert over(held, with_role("anna", "yard")) == TAKEN_AWAY
    assert over(held, replace(OLD, users={})) == TAKEN_AWAY
    assert over(lease(token(None, "id:1")), replace(OLD, users={})) is None


def test_a_share_ends_when_it_is_gone() -> None:
    assert over(lease(token(None, "share:s1", way=Way.SHARE))) is None
    assert over(lease(token(None, "share:s2", way=Way.SHARE))) == TAKEN_AWAY


def test_an_issuers_token_has_the_roles_of_now() -> None:
    held = lease(token(None, "issuer:company", "role:front", way=Way.ISSUER))
    assert over(held) is None
    assert over(held, replace(OLD, issuers={})) == TAKEN_AWAY
    assert over(held, replace(OLD, roles={})) == TAKEN_AWAY


def test_who_hears_of_cameras_by_their_groups_begins_anew_when_these_are_others(tmp_path: Path) -> None:
    access = Access(OLD, tmp_path, cameras=CAMERAS, clock=lambda: 0.0, monotonic=lambda: 0.0)
    ended: dict[str, str] = {}
    for name in ("anna", "ben"):
        access.leases.take(user(name), partial(ended.__setitem__, name), None)
    access.apply(OLD, {**CAMERAS, "gate": ("outside",)})
    assert not ended, "one more camera is told of as such"
    access.apply(OLD, {"front": (), "yard": ()})
    assert ended == {"ben": CHANGED}
