"""Whatever others' web servers publish, and whatever claims to be a token of theirs."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import trio
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm

from camgate.auth.fetch import Fetcher
from camgate.auth.issuers import Issuers, KeysUnusable, claimed_issuer_untrusted, keys_untrusted
from camgate.auth.signing import TokenRefused
from camgate.auth.tokens import id_of_untrusted
from camgate.config.model import AuthSettings, IssuerSettings
from tests.fuzz.reach import Reach

PUBLIC = {
    "RSA": {"n": "x" * 342, "e": "AQAB"},
    "EC": {"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
    "OKP": {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def keys(draw: st.DrawFn) -> object:
    kind = draw(st.sampled_from(sorted(PUBLIC)))
    curve = {"EC": "P-256", "OKP": "Ed25519"}.get(kind)
    entry: dict[str, Any] = {"kty": kind, "kid": "a", **PUBLIC[kind], **({"crv": curve} if curve else {})}
    members = st.sampled_from(["kty", "crv", "kid", "alg", "use", "n", "e", "x", "y", "d"])
    entry |= draw(st.dictionaries(members, anything, max_size=2))
    return draw(st.just(entry) | anything)


def test_key_sets() -> None:
    reach = Reach("JWK sets")

    @given(
        st.lists(keys(), max_size=3).map(lambda found: json.dumps({"keys": found}).encode()) | st.binary(max_size=40)
    )
    def fuzz(document: bytes) -> None:
        try:
            found = keys_untrusted(document)
        except KeysUnusable:
            reach.seen(b'"kty"' in document)
        else:
            reach.seen(True)
            assert all(key.algorithms and not {"HS256", "none"} & set(key.algorithms) for key in found)

    fuzz()
    reach.check()


def test_what_tokens_claim() -> None:
    reach = Reach("claims of tokens")
    claims = st.dictionaries(st.sampled_from(["iss", "jti", "sub", "exp"]), anything, max_size=3)
    tokens = claims.map(_token) | st.text(max_size=30) | st.text(".ey", max_size=9)

    @given(tokens)
    def fuzz(text: str) -> None:
        issuer, token_id = claimed_issuer_untrusted(text), id_of_untrusted(text)
        assert issuer is None or isinstance(issuer, str)
        assert token_id is None or isinstance(token_id, str)
        reach.seen(text.count(".") == 2)

    fuzz()
    reach.check()


def test_claims_untrusted(tmp_path: Path) -> None:
    reach = Reach("tokens of issuers")
    key = ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [{**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "a"}]}))
    settings = IssuerSettings(name="x", issuer="i", audience=("a",), jwks_file=file)
    issuers = Issuers(AuthSettings(issuers={"x": settings}), Fetcher(), lambda: 1000.0)
    members = st.sampled_from(["aud", "sub", "exp", "nbf", "iat", "jti", "roles"])
    headers = st.dictionaries(st.sampled_from(["kid", "typ", "crit", "b64", "jku"]), anything, max_size=2)

    @given(st.dictionaries(members, anything, max_size=2), headers)
    def fuzz(claims: dict[str, Any], header: dict[str, Any]) -> None:
        held = {"iss": "i", "aud": "a", "sub": "s", "exp": 2000, **claims}
        signed = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "EdDSA", "kid": "a", **header}, held)
        )
        signature = base64.urlsafe_b64encode(key.sign(signed.encode())).rstrip(b"=").decode()
        try:
            # By way of `claims_untrusted`.
            identity = trio.run(issuers.identify, f"{signed}.{signature}")
        except TokenRefused:
            reach.seen(header == {})
        else:
            reach.seen(True)
            assert identity.expires_at is not None
            assert identity.expires_at > 1000

    fuzz()
    reach.check()


def _token(claims: dict[str, Any]) -> str:
    body = json.dumps(claims).encode()
    return jwt.PyJWS().encode(body, "k" * 32, algorithm="HS256")
