"""Grants: which camera and which action each covers."""

import pytest

from camgate.auth.identity import EVERYBODY, Action, Grant, Identity, Way


@pytest.mark.parametrize(
    ("patterns", "camera", "groups", "is_covered"),
    [
        (("*",), "front", (), True),
        (("front",), "front", (), True),
        (("front",), "frontdoor", (), False),
        (("front*",), "frontdoor", (), True),
        (("Front",), "front", (), False),
        (("group:outside",), "front", ("outside",), True),
        (("group:out*",), "front", ("inside", "outside"), True),
        (("group:outside",), "outside", (), False),
        (("outside",), "front", ("outside",), False),
        (("group:*",), "front", (), False),
        ((), "front", ("outside",), False),
    ],
)
def test_patterns_are_for_names_or_for_groups(
    patterns: tuple[str, ...], camera: str, groups: tuple[str, ...], is_covered: bool
) -> None:
    assert Grant(Action.VIEW, patterns).covers(Action.VIEW, camera, groups) is is_covered


@pytest.mark.parametrize("action", Action)
def test_admin_holds_all_other_actions_and_nothing_else_does(action: Action) -> None:
    assert Grant(Action.ADMIN).covers(action, "front")
    others = [Grant(other) for other in Action if other not in (action, Action.ADMIN)]
    assert not any(other.covers(action, "front") for other in others)


def test_everywhere_needs_a_grant_for_cameras_that_do_not_exist_yet() -> None:
    some = Identity(name="anna", way=Way.PASSWORD, grants=(Grant(Action.ADMIN, ("front", "back*")),))
    assert some.may_somewhere(Action.VIEW)
    assert not some.may_everywhere(Action.VIEW)
    assert EVERYBODY.may_everywhere(Action.ADMIN)


def test_an_identity_ends_at_its_time() -> None:
    token = Identity(name="t", way=Way.TOKEN, grants=(), expires_at=1000.0)
    assert not token.has_ended(999.9)
    assert token.has_ended(1000.0)
    assert not EVERYBODY.has_ended(1e12)
