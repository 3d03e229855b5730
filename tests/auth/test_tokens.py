"""Our own tokens: what they allow, when they end, and every text that must not pass for one."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from camgate.auth.access import LOOK_S, SESSION, SHARE, Access, Credentials
from camgate.auth.errors import LoginRefused
from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.auth.revoked import REVOKED_FILE, Revoked
from camgate.auth.signing import ISSUER, Signer
from camgate.auth.tokens import TOKEN, NewToken, id_of_untrusted, make_token, seconds_of
from tests.fakes.accounts import Clock, access_for

KEY = bytes(range(32))
NOW_S = 1_800_000_000.0
FRONT = (Grant(Action.VIEW, ("front",)),)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW_S)


@pytest.fixture
async def access(tmp_path: Path, clock: Clock) -> Access:
    (tmp_path / "auth.key").write_bytes(KEY)
    return access_for({"anna": "operator", "ben": "front"}, tmp_path, clock)


def made(grants: tuple[Grant, ...] | None = FRONT, span_s: float = 600, user: str | None = None) -> str:
    return make_token(Signer(KEY), NewToken(grants=grants, ends_s=NOW_S + span_s, user=user), NOW_S)[0]


async def identity_by(access: Access, token: str) -> Identity:
    identity = await access.identify(Credentials(bearer=token))
    assert identity is not None
    return identity


async def test_a_token_allows_what_it_says_until_it_ends(access: Access, clock: Clock) -> None:
    identity = await identity_by(access, made())
    assert (identity.way, identity.expires_at) == (Way.TOKEN, NOW_S + 600)
    assert identity.may(Action.VIEW, "front")
    assert not identity.may(Action.VIEW, "yard")
    assert not identity.may(Action.CONTROL, "front")
    clock.now_s += 600
    with pytest.raises(LoginRefused, match="expired"):
        await identity_by(access, made())


async def test_a_token_may_be_shown_again_and_again(access: Access) -> None:
    token = made()
    assert await identity_by(access, token) == await identity_by(access, token)


async def test_a_users_token_is_worth_what_the_user_may_and_ends_with_the_user(access: Access) -> None:
    everything = made((Grant(Action.ADMIN),), user="ben")
    own = made(None, user="ben")
    for token in (everything, own):
        identity = await identity_by(access, token)
        assert identity.name == "ben"
        assert identity.may(Action.VIEW, "front")
        assert not identity.may(Action.VIEW, "yard")
        assert not identity.may_everywhere(Action.ADMIN)
    settings = access.settings
    access.apply(replace(settings, users={**settings.users, "ben": replace(settings.users["ben"], roles=("yard",))}))
    identity = await identity_by(access, own)
    assert identity.may(Action.VIEW, "yard")
    assert not identity.may(Action.VIEW, "front")
    access.apply(replace(settings, users={"anna": settings.users["anna"]}))
    with pytest.raises(LoginRefused, match="not there any more"):
        await identity_by(access, own)


def signed(claims: dict[str, Any], key: bytes = KEY, algorithm: str = "HS256") -> str:
    held = {"iss": ISSUER, "aud": TOKEN, "jti": "1", "exp": NOW_S + 60, "grants": {"view": ["front"]}, **claims}
    return jwt.encode({name: value for name, value in held.items() if value is not None}, key, algorithm=algorithm)


def unsigned(header: dict[str, Any]) -> str:
    claims = jwt.decode(signed({}), options={"verify_signature": False})
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


REFUSED = {
    "another key": signed({}, KEY[::-1]),
    "another algorithm": signed({}, KEY * 2, "HS512"),
    "another issuer": signed({"iss": "else"}),
    "no issuer": signed({"iss": None}),
    "another audience": signed({"aud": "camgate"}),
    "a session": signed({"aud": SESSION}),
    "a share": signed({"aud": SHARE}),
    "no end": signed({"exp": None}),
    "an end that is text": signed({"exp": "9999999999"}),
    "an end beyond all times": signed({"exp": 10**300}),
    "an end without end": signed({"exp": float("inf")}),
    "not yet": signed({"nbf": NOW_S + 1}),
    "no id": signed({"jti": None}),
    "an id that is a number": signed({"jti": 7}),
    "no grants": signed({"grants": None}),
    "grants that are text": signed({"grants": "view"}),
    "grants of text": signed({"grants": {"view": "*"}}),
    "a user who is no name": signed({"user": ["anna"]}),
    "a user who is not there": signed({"user": "nobody", "grants": None}),
    "none": unsigned({"alg": "none"}),
    "nOnE": unsigned({"alg": "nOnE"}),
    "no algorithm": unsigned({}),
    "oversize": signed({"more": "x" * 9000}),
    "empty": "",
    "dots": "..",
    "deep": base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.x",
    "a cut one": signed({})[:-1],
    "one and more": signed({}) + "x",
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_token_of_ours_is_refused(access: Access, what: str) -> None:
    with pytest.raises(LoginRefused) as refused:
        await identity_by(access, REFUSED[what])
    assert REFUSED[what] == "" or REFUSED[what] not in str(refused.value)


async def test_a_revoked_token_ends_for_whoever_uses_it(
    access: Access, tmp_path: Path, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    ended: list[str] = []
    text, token_id = make_token(Signer(KEY), NewToken(grants=FRONT, ends_s=NOW_S + 600), NOW_S)
    other = made()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access.run)
        access.leases.take(await identity_by(access, text), lambda _: ended.append("revoked"), "front")
        access.leases.take(await identity_by(access, other), lambda _: ended.append("other"), "front")
        # Another process, as `camgate token revoke` is one.
        assert Revoked(tmp_path / REVOKED_FILE, clock).add(token_id, NOW_S + 600)
        await trio.sleep(LOOK_S + 0.1)
        assert ended == ["revoked"]
        with pytest.raises(LoginRefused, match="revoked"):
            await identity_by(access, text)
        assert await identity_by(access, other)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("text", "span_s"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("12h", 43_200),
        ("7d", 604_800),
        ("3650d", 315_360_000),
        ("3651d", None),
        ("0s", None),
        ("", None),
        ("1", None),
        ("-1s", None),
        ("1.5h", None),
        ("1h ", None),
        ("١h", None),
        ("9999999s", None),
    ],
)
def test_spans_of_time(text: str, span_s: float | None) -> None:
    assert seconds_of(text) == span_s


names = st.text("abc*?", min_size=1, max_size=5)
grants_of_tokens = st.dictionaries(st.sampled_from(Action), st.lists(names, min_size=1, max_size=3), min_size=1).map(
    lambda found: tuple(Grant(action, tuple(patterns)) for action, patterns in found.items())
)


@given(grants=grants_of_tokens, camera=st.text("abc", min_size=1, max_size=3))
def test_a_token_allows_exactly_what_it_was_made_for(grants: tuple[Grant, ...], camera: str) -> None:
    from camgate.auth.tokens import identity_of_claims
    from camgate.config.model import AuthSettings

    text = made(grants)
    identity = identity_of_claims(AuthSettings(), Signer(KEY).read_untrusted(TOKEN, text, NOW_S), NOW_S)
    for action in Action:
        assert identity.may(action, camera) == any(grant.covers(action, camera) for grant in grants)


def test_the_id_of_a_token_can_be_read_without_the_key() -> None:
    text, token_id = make_token(Signer(KEY), NewToken(grants=FRONT, ends_s=NOW_S), NOW_S)
    assert id_of_untrusted(text) == token_id
    assert not token_id.startswith("-")
    for none in ("", "x", "a.b.c", signed({"jti": 5})):
        assert id_of_untrusted(none) is None
