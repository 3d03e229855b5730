"""Tokens of others: a real web server that publishes keys and changes them, and every token that must not pass."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from camgate.auth.errors import LoginsDown
from camgate.auth.fetch import MAX_ANSWER_BYTES, Fetcher
from camgate.auth.identity import Action, Identity, Way
from camgate.auth.issuers import REFRESH_S, RETRY_S, TIMEOUT_S, Issuers, KeysUnusable, keys_untrusted
from camgate.auth.signing import TokenRefused
from camgate.config.model import AuthSettings, IssuerSettings
from tests.fakes.accounts import ROLES
from tests.fakes.web_server import Answer, Asked, WebServer, web_server

NOW_S = 1_800_000_000.0
ISSUER, AUDIENCE = "https://id.example.org/", "camgate"

RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_RSA_KEY = rsa.generate_private_key(65537, 1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None, **more: str) -> dict[str, Any]:
    """Return the public half of a key as its issuer publishes it."""
    kinds: list[tuple[Any, Any]] = [
        (rsa.RSAPrivateKey, RSAAlgorithm),
        (ec.EllipticCurvePrivateKey, ECAlgorithm),
        (ed25519.Ed25519PrivateKey, OKPAlgorithm),
    ]
    algorithm = next(algorithm for kind, algorithm in kinds if isinstance(key, kind))
    named = {} if kid is None else {"kid": kid}
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **named, **more}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "a", **claims: Any) -> str:
    """Sign a token that holds, but for the claims that are given; None leaves one out."""
    held = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW_S + 600, "roles": ["front"], **claims}
    headers = {} if kid is None else {"kid": kid}
    present = {name: value for name, value in held.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers=headers)


@dataclass
class Publisher:
    """What the issuer's web server answers."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(RSA_KEY, "a"), jwk(EC_KEY, "e"), jwk(ED_KEY, "d")])
    instead: Answer | None = None
    url: str = ""

    def __call__(self, asked: Asked) -> Answer:
        return self.instead or Answer(200, json.dumps({"keys": self.keys}).encode())


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def web(publisher: Publisher) -> AsyncIterator[WebServer]:
    async with web_server(publisher) as server:
        yield server


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    await fetcher.aclose()


def issuer_settings(**fields: Any) -> IssuerSettings:
    return replace(IssuerSettings(name="company", issuer=ISSUER, audience=(AUDIENCE,)), **fields)


def issuers_for(settings: IssuerSettings, fetcher: Fetcher) -> Issuers:
    auth = AuthSettings(roles=ROLES, issuers={settings.name: settings})
    return Issuers(auth, fetcher, lambda: NOW_S)


@pytest.fixture
def issuers(web: WebServer, fetcher: Fetcher) -> Issuers:
    return issuers_for(issuer_settings(jwks_url=web.url("/jwks")), fetcher)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "a"), (EC_KEY, "ES256", "e"), (ED_KEY, "EdDSA", "d")]
)
async def test_a_token_says_who_one_is_and_until_when(issuers: Issuers, key: Any, algorithm: str, kid: str) -> None:
    text = token(key, algorithm, kid)
    assert issuers.know(text)
    identity = await issuers.identify(text)
    assert (identity.name, identity.way, identity.expires_at) == ("anna", Way.ISSUER, NOW_S + 600)
    assert identity.may(Action.VIEW, "front")
    assert not identity.may(Action.VIEW, "yard")
    assert "issuer:company" in identity.stands_on


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def confused() -> str:
    """Return a token signed by HMAC with the public key as the secret."""
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW_S + 600, "roles": ["admin"]}
    signed = forged({"alg": "HS256", "typ": "JWT", "kid": "a"}, claims).rpartition(".")[0]
    signature = hmac.digest(public, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


GOOD_CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW_S + 600}

REFUSED = {
    "expired": (token(exp=NOW_S), "expired"),
    "no end": (token(exp=None), "no end"),
    "not yet": (token(nbf=NOW_S + 31), "not valid yet"),
    "issued in the future": (token(iat=NOW_S + 3600), "not valid yet"),
    "another audience": (token(aud="other"), "somebody else"),
    "no audience": (token(aud=None), "whom it is for"),
    "an audience that is a number": (token(aud=[7]), ""),
    "another key": (token(OTHER_RSA_KEY), "signature"),
    "a key that is not published": (token(kid="b"), "does not publish"),
    "no key named where there are several": (token(EC_KEY, "ES256", None, sub=None), "does not say who"),
    "the name of another kind of key": (token(EC_KEY, "ES256", "a"), "does not publish"),
    "another algorithm": (token(algorithm="RS384"), "does not allow"),
    "none": (forged({"alg": "none", "kid": "a"}, GOOD_CLAIMS), "does not allow"),
    "None": (forged({"alg": "None", "kid": "a"}, GOOD_CLAIMS), "does not allow"),
    "no algorithm": (forged({"kid": "a"}, GOOD_CLAIMS), ""),
    "HMAC with the public key": (confused(), "does not allow"),
    "no signature": (token().rpartition(".")[0] + ".", "signature"),
    "oversize": (token(more="x" * 9000), "nobody who is known"),
    "a path for a key": (token(kid="../../../../dev/null"), "does not publish"),
    "a query for a key": (token(kid="a' OR '1'='1"), "does not publish"),
    "a key's name without end": (token(kid="a" * 257), "proper name"),
    "a key's name that is a list": (forged({"alg": "RS256", "kid": ["a"]}, GOOD_CLAIMS), ""),
    "a huge end": (token(exp=10**400), "no time"),
    "an end that is text": (token(exp="later"), "no time"),
    "an end that is true": (token(exp=True), "no time"),
    "nobody": (token(sub=None), "does not say who"),
    "a blank name": (token(sub="  "), "does not say who"),
    "a name that is a number": (forged({"alg": "RS256", "kid": "a"}, {**GOOD_CLAIMS, "sub": 5}), ""),
    "its own key": (
        jwt.encode(GOOD_CLAIMS, OTHER_RSA_KEY, "RS256", headers={"kid": "a", "jwk": jwk(OTHER_RSA_KEY, "a")}),
        "signature",
    ),
    "its own address for keys": (
        jwt.encode(GOOD_CLAIMS, OTHER_RSA_KEY, "RS256", headers={"kid": "x", "jku": "http://127.0.0.1:1/"}),
        "does not publish",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_token_that_does_not_hold_is_refused_with_the_reason(issuers: Issuers, what: str) -> None:
    text, reason = REFUSED[what]
    with pytest.raises(TokenRefused) as refused:
        await issuers.identify(text)
    assert reason in str(refused.value)
    assert text not in str(refused.value)


async def test_a_claim_that_stands_there_twice_is_the_same_for_signature_and_meaning(issuers: Issuers) -> None:
    body = json.dumps(GOOD_CLAIMS).removesuffix("}") + f', "exp": {NOW_S - 1}}}'
    parts = [b'{"alg":"RS256","kid":"a"}', body.encode()]
    signed = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(signed.encode(), RSA_KEY)
    with pytest.raises(TokenRefused, match="expired"):
        await issuers.identify(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


async def test_the_clock_of_an_issuer_may_be_a_little_ahead_and_an_end_is_an_end(issuers: Issuers) -> None:
    assert (await issuers.identify(token(nbf=NOW_S + 29, iat=NOW_S + 29))).name == "anna"
    with pytest.raises(TokenRefused, match="expired"):
        await issuers.identify(token(exp=NOW_S - 1))


async def test_keys_that_change_are_found_and_not_asked_for_too_often(
    issuers: Issuers, publisher: Publisher, web: WebServer, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # the sockets are real
    await issuers.identify(token())
    publisher.keys = [jwk(OTHER_RSA_KEY, "b")]
    fresh = token(OTHER_RSA_KEY, kid="b")
    for _ in range(5):
        with pytest.raises(TokenRefused, match="does not publish"):
            await issuers.identify(fresh)
    assert len(web.asked) == 1
    await trio.sleep(RETRY_S)
    await issuers.identify(fresh)
    assert len(web.asked) == 2
    with pytest.raises(TokenRefused, match="does not publish"):
        await issuers.identify(token())  # a key that was taken out signs nothing any more


async def test_keys_are_fetched_again_and_again_and_the_last_good_ones_kept(
    issuers: Issuers, publisher: Publisher, web: WebServer, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with trio.open_nursery() as nursery:
        nursery.start_soon(issuers.run)
        await trio.sleep(1)
        assert len(web.asked) == 1
        publisher.instead = Answer(500)
        await trio.sleep(REFRESH_S)
        assert len(web.asked) == 2
        assert (await issuers.identify(token())).name == "anna"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404),
        Answer(302, headers=(("Location", "/elsewhere"),)),
        Answer(200, b"no JSON"),
        Answer(200, b"[]"),
        Answer(200, b'{"keys":{}}'),
        Answer(200, b'{"keys":[]}'),
        Answer(200, b" " * (MAX_ANSWER_BYTES + 1)),
        Answer(200, b"[" * 100_000),
        Answer(200, b"{}", after_s=TIMEOUT_S + 1),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:12]!r} {answer.after_s:g}",
)
async def test_without_keys_nobody_is_let_in_and_nobody_is_called_a_liar(
    issuers: Issuers,
    publisher: Publisher,
    web: WebServer,
    answer: Answer,
    autojump_clock: trio.testing.MockClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    autojump_clock.autojump_threshold = 0.2
    publisher.instead = answer
    with pytest.raises(LoginsDown):
        await issuers.identify(token())
    assert [asked.target for asked in web.asked] == ["/jwks"]  # no redirection was followed
    publisher.instead = None
    await trio.sleep(RETRY_S)
    assert (await issuers.identify(token())).name == "anna"


async def test_one_who_is_not_there_is_not_waited_for(fetcher: Fetcher) -> None:
    async with web_server(lambda _: Answer()) as gone:
        url = gone.url()
    issuers = issuers_for(issuer_settings(jwks_url=url), fetcher)
    with pytest.raises(LoginsDown):
        await issuers.identify(token())


async def test_keys_may_stand_in_a_file(tmp_path: Path, fetcher: Fetcher) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(RSA_KEY, None)]}))
    issuers = issuers_for(issuer_settings(jwks_file=file), fetcher)
    assert (await issuers.identify(token(kid=None))).name == "anna"


async def roles_of(claims: dict[str, Any], tmp_path: Path, fetcher: Fetcher, **fields: Any) -> Identity:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(RSA_KEY, "a")]}))
    return await issuers_for(issuer_settings(jwks_file=file, **fields), fetcher).identify(token(**claims))


@pytest.mark.parametrize(
    ("fields", "claims", "roles"),
    [
        ({}, {"roles": ["front", "yard", "no-such"]}, {"front", "yard"}),
        ({}, {"roles": "front yard"}, {"front", "yard"}),
        ({}, {"roles": None}, set()),
        ({}, {"roles": {"front": 1}}, set()),
        ({}, {"roles": [1, None, ["front"]]}, set()),
        ({"default_roles": ("yard",)}, {"roles": None}, {"yard"}),
        ({"roles": {"staff": "front"}}, {"roles": ["staff", "admin"]}, {"front"}),
        ({"roles_claim": "realm_access.roles"}, {"realm_access": {"roles": ["yard"]}}, {"yard"}),
        ({"roles_claim": "https://x.org/roles"}, {"https://x.org/roles": ["yard"]}, {"yard"}),
        ({"roles_claim": "a.b.c"}, {"a": {"b": "x"}}, set()),
    ],
)
async def test_roles_are_those_that_the_config_makes_of_the_words(
    tmp_path: Path, fetcher: Fetcher, fields: dict[str, Any], claims: dict[str, Any], roles: set[str]
) -> None:
    identity = await roles_of(claims, tmp_path, fetcher, **fields)
    assert {key.removeprefix("role:") for key in identity.stands_on if key.startswith("role:")} == roles
    assert identity.may(Action.VIEW, "front") is ("front" in roles)


async def test_a_name_is_made_safe_for_logs(tmp_path: Path, fetcher: Fetcher) -> None:
    identity = await roles_of({"sub": "anna\n\x1b[31m" + "x" * 500}, tmp_path, fetcher)
    assert identity.name.isprintable()
    assert len(identity.name) == 128


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {"kty": "EC", "crv": "secp256k1"},
        {"kty": "EC", "crv": {"a": 1}},
        {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
        jwk(RSA_KEY, "a", use="enc"),
        jwk(RSA_KEY, "a", alg="HS256"),
        jwk(RSA_KEY, "a", alg="none"),
        jwk(WEAK_RSA_KEY, "a"),
        {**jwk(RSA_KEY, "a"), "kid": 5},
        RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True),
    ],
    ids=lambda entry: json.dumps(entry)[:40],
)
def test_what_is_no_public_key_for_signatures_is_left_out(entry: object) -> None:
    with pytest.raises(KeysUnusable):
        keys_untrusted(json.dumps({"keys": [entry]}).encode())
    good = keys_untrusted(json.dumps({"keys": [entry, jwk(EC_KEY, "e")]}).encode())
    assert [key.key_id for key in good] == ["e"]


async def test_a_key_signs_only_in_the_way_that_it_is_for(tmp_path: Path, fetcher: Fetcher) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk(RSA_KEY, "a", alg="RS512")]}))
    issuers = issuers_for(issuer_settings(jwks_file=file, algorithms=("RS256", "RS512")), fetcher)
    assert (await issuers.identify(token(algorithm="RS512"))).name == "anna"
    with pytest.raises(TokenRefused, match="does not publish"):
        await issuers.identify(token(algorithm="RS256"))
