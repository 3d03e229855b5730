"""Takes tokens that others sign: an identity provider, whose public keys are fetched, kept and looked at again.

    token -> iss says which issuer -> kid says which of its keys -> signature, aud, times -> roles -> Identity

What may sign is pinned by the config: no algorithm whose key is a secret (HS256) is among it, so that a public key
never passes for one, nor `none`. Keys come from the config's address alone, never from what a token names (jku, x5u).
The last good keys are kept while an issuer does not answer.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import trio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from camgate.auth.errors import LoginsDown
from camgate.auth.fetch import Fetcher, Unanswered
from camgate.auth.identity import Identity, Way
from camgate.auth.signing import MAX_CHARS, TokenRefused, check_times, time_in
from camgate.auth.users import grants_of_roles
from camgate.base.log import get_logger
from camgate.config.model import AuthSettings, IssuerSettings

log = get_logger("auth")

REFRESH_S = 600.0
"""How old keys may become before they are fetched again; issuers publish a new one long before they use it."""
RETRY_S = 15.0
"""How soon a fetch may follow another: also whoever sends tokens with unknown keys causes no more."""
TIMEOUT_S = 5.0
LEEWAY_S = 30.0
"""For a token that begins in the future, as its issuer's clock may be ahead of ours. Its end has no leeway: what ends,
ends then."""
MAX_KEYS = 64
MAX_KEY_ID_CHARS = 256
MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""
MAX_NAME_CHARS, MAX_ROLES = 128, 100


_KINDS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
}
"""What keys of each kind, or of each curve, may sign with (RFC 7518 section 3.1, RFC 8037 section 3.1)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of an issuer: its name, if any, what it may have signed with, and itself."""

    key_id: str | None
    algorithms: tuple[str, ...]
    key: Any


class KeysUnusable(Exception):
    """A document that should hold public keys, and does not."""


class Issuers:
    """All issuers of the config. clock: tells Unix time in seconds; the age of keys is monotonic."""

    def __init__(self, settings: AuthSettings, fetcher: Fetcher, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._issuers = {each.issuer: _Issuer(each, fetcher) for each in settings.issuers.values()}

    async def run(self) -> None:
        """Keep everybody's keys fresh, until cancelled."""
        async with trio.open_nursery() as nursery:
            for issuer in self._issuers.values():
                nursery.start_soon(issuer.run)

    def apply(self, settings: AuthSettings) -> None:
        """Take other roles. The issuers stay those of the start, but one that is gone signs nothing any more."""
        self._settings = settings
        self._issuers = {
            name: issuer for name, issuer in self._issuers.items() if issuer.settings.name in settings.issuers
        }

    def know(self, token: str) -> bool:
        """Whether a token claims to be of one of the issuers; believes nothing else of it."""
        return bool(self._issuers) and claimed_issuer_untrusted(token) in self._issuers

    async def identify(self, token: str) -> Identity:
        """Return who one is by a token of one of the issuers. Raises TokenRefused, LoginsDown."""
        issuer = self._issuers.get(claimed_issuer_untrusted(token) or "")
        if issuer is None:
            raise TokenRefused("the token is of nobody who is known here")
        claims = await issuer.claims_untrusted(token, self._clock)
        return identity_of_claims(self._settings, issuer.settings, claims)


class _Issuer:
    """One issuer, and its keys as they were last seen."""

    def __init__(self, settings: IssuerSettings, fetcher: Fetcher) -> None:
        self.settings = settings
        self._fetcher = fetcher
        self._keys: list[PublicKey] | None = None
        self._tried_s = -math.inf
        self._trying = trio.Lock()

    async def run(self) -> None:
        """Look at the keys again and again."""
        while True:
            await self._refresh()
            await trio.sleep(REFRESH_S if self._keys is not None else RETRY_S)

    async def claims_untrusted(self, token: str, clock: Callable[[], float]) -> dict[str, Any]:
        """Return the claims of a token that holds. Raises TokenRefused, LoginsDown."""
        header = _header_untrusted(token)
        algorithm = header.get("alg")
        if algorithm not in self.settings.algorithms:
            raise TokenRefused("the token is signed in a way that the config does not allow (auth.issuers, algorithms)")
        key = self._key(header, algorithm)
        if key is None:
            await self._refresh()
            key = self._key(header, algorithm)
        if self._keys is None:
            raise LoginsDown("who signed the token cannot be asked for their keys", RETRY_S)
        if key is None:
            raise TokenRefused("the token is signed with a key that its issuer does not publish")
        claims = self._verified(token, key, algorithm)
        now_s = clock()
        if "exp" not in claims:
            raise TokenRefused("the token has no end")
        begins_s = max(time_in(claims, "nbf", 0), time_in(claims, "iat", 0))
        if begins_s > now_s + LEEWAY_S:
            raise TokenRefused("the token is not valid yet; compare the clocks of this machine and of its issuer")
        check_times({"exp": claims["exp"]}, now_s)
        return claims

    def _verified(self, token: str, key: PublicKey, algorithm: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                # Times are checked by the clock that we are given.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError:
            raise TokenRefused("the token is for somebody else (aud)") from None
        except jwt.MissingRequiredClaimError:
            raise TokenRefused("the token does not say whom it is for (aud)") from None
        except jwt.InvalidSignatureError:
            raise TokenRefused("the token's signature is wrong") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenRefused("the token cannot be read, or its key is of another kind") from None
        return claims

    def _key(self, header: Mapping[str, Any], algorithm: str) -> PublicKey | None:
        keys = [key for key in self._keys or () if algorithm in key.algorithms]
        if (key_id := header.get("kid")) is not None:
            return next((key for key in keys if key.key_id == key_id), None)
        return keys[0] if len(keys) == 1 else None

    async def _refresh(self) -> None:
        async with self._trying:
            if trio.current_time() - self._tried_s < RETRY_S:
                return
            self._tried_s = trio.current_time()
            try:
                keys = keys_untrusted(await self._document())
            except (Unanswered, KeysUnusable, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                name, kept = self.settings.name, len(self._keys or ())
                log.warning("cannot get the keys of a token issuer", issuer=name, reason=reason, kept=kept)
                return
            if self._keys is None or {key.key_id for key in keys} != {key.key_id for key in self._keys}:
                log.info("keys of a token issuer", issuer=self.settings.name, keys=len(keys))
            self._keys = keys

    async def _document(self) -> bytes:
        if self.settings.jwks_file is not None:
            return await trio.Path(self.settings.jwks_file).read_bytes()
        assert self.settings.jwks_url is not None
        fetched = await self._fetcher.get(self.settings.jwks_url, timeout_s=TIMEOUT_S)
        if fetched.status != 200:
            raise Unanswered(f"it answered with status {fetched.status}")
        return fetched.body


def keys_untrusted(document: bytes) -> list[PublicKey]:
    """Return the public keys of a JWK set that can be used (RFC 7517 section 5). Raises KeysUnusable."""
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysUnusable("what it answered is no JWK set") from None
    if not isinstance(entries, list):
        raise KeysUnusable("what it answered is no JWK set")
    keys = [key for entry in entries[:MAX_KEYS] if (key := _key_untrusted(entry)) is not None]
    if not keys:
        raise KeysUnusable("none of the keys that it answered can be used")
    return keys


def _key_untrusted(entry: object) -> PublicKey | None:
    # A set may hold keys for other things, of kinds that we do not know, and by mistake private ones.
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    kind = entry.get("crv") if entry.get("kty") in ("EC", "OKP") else entry.get("kty")
    kinds = _KINDS.get(kind, ()) if isinstance(kind, str) else ()
    algorithms = tuple(name for name in kinds if name == entry.get("alg", name))
    key_id = entry.get("kid")
    if not algorithms or not isinstance(key_id, str | None):
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return None
    return PublicKey(key_id, algorithms, key)


def _header_untrusted(token: str) -> dict[str, Any]:
    if len(token) > MAX_CHARS:
        raise TokenRefused("the token is too long")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenRefused("the token is no JSON Web Token") from None
    key_id = header.get("kid")
    if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= MAX_KEY_ID_CHARS):
        raise TokenRefused("the token's key has no proper name")
    return header


def claimed_issuer_untrusted(token: str) -> str | None:
    """Return whose a token says that it is; None where it says nothing that one could read."""
    if len(token) > MAX_CHARS:
        return None
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return issuer if isinstance(issuer, str) else None


def identity_of_claims(settings: AuthSettings, issuer: IssuerSettings, claims: Mapping[str, Any]) -> Identity:
    """Return who one is by the claims of an issuer's token. Raises TokenRefused."""
    subject = claims.get(issuer.user_claim)
    if not isinstance(subject, str) or not subject.strip():
        raise TokenRefused(f"the token does not say who one is ({issuer.user_claim})")
    words = roles_in(claims, issuer.roles_claim)
    named = {issuer.roles.get(word) for word in words} if issuer.roles else set(words)
    roles = [role for role in sorted({*issuer.default_roles, *filter(None, named)}) if role in settings.roles]
    name = "".join(character if character.isprintable() else "?" for character in subject[:MAX_NAME_CHARS])
    return Identity(
        name=name,
        way=Way.ISSUER,
        grants=grants_of_roles(settings, roles),
        account=f"issuer:{issuer.name}:{name}",
        stands_on=(f"issuer:{issuer.name}", *(f"role:{role}" for role in roles)),
        expires_at=float(claims["exp"]),
    )


def roles_in(claims: Mapping[str, Any], path: str) -> list[str]:
    """Return the words at a claim, whose name may hold dots, or which dots lead to; none where there are none."""
    value: object = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list):
        return []
    return [word for word in value[:MAX_ROLES] if isinstance(word, str)]
