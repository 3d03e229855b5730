"""Basic and Digest authentication (RFC 7617, RFC 7616, and RFC 2069 as most cameras still speak it), both roles.

Text is latin-1 as in `message`: `as_header_text` turns a user name or password into the bytes of a charset, one
character a byte, and a realm or nonce goes back as the very bytes that came.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from camgate.wire.rtsp.errors import AuthenticationProblem
from camgate.wire.rtsp.policies import CredentialCharset

_ITEM = re.compile(
    r"(?P<name>[A-Za-z0-9_*-]+)\s*=\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|(?P<plain>[^\s,"]*))'
    r"|(?P<scheme>[A-Za-z0-9_*-]+)"
)

_HASHES = {"SHA-256": "sha256", "MD5": "md5"}
"""Digest algorithms and hashlib's names for them, from best to worst; Basic comes after them."""


def as_header_text(text: str, charset: CredentialCharset = CredentialCharset.UTF_8) -> str:
    """Return `text` with one character for each byte that it has in `charset`; UTF-8 where it does not fit that."""
    try:
        return text.encode(charset.value).decode("latin-1")
    except UnicodeEncodeError:
        return text.encode().decode("latin-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One challenge of a WWW-Authenticate header.

    scheme: in lower case: `basic`, `digest`, or what else the server wrote.
    algorithm: as the server spelled it; empty where it named none, which means MD5.
    qop: the protections offered, in lower case; empty means the form of RFC 2069.
    """

    scheme: str
    realm: str = ""
    nonce: str = ""
    opaque: str | None = None
    algorithm: str = ""
    qop: frozenset[str] = frozenset()
    is_stale: bool = False

    def __str__(self) -> str:
        """Return the header value that makes this challenge."""
        text = f"{self.scheme.title()} realm={_quote(self.realm)}"
        if self.scheme == "digest":
            text += f", nonce={_quote(self.nonce)}"
            text += f", opaque={_quote(self.opaque)}" if self.opaque is not None else ""
            text += f', qop="{", ".join(sorted(self.qop))}"' if self.qop else ""
            text += f", algorithm={self.algorithm}" if self.algorithm else ""
            text += ", stale=true" if self.is_stale else ""
        return text


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """What an `Authorization: Basic` header holds."""

    username: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        """Return the header value."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode("latin-1")).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestCredentials:
    """What an `Authorization: Digest` header holds; `response` proves the password for one method and URI.

    algorithm: as the challenge spelled it, empty for none. cnonce, nonce_count (8 hexadecimal digits) and qop are
    empty in the form of RFC 2069.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = ""
    opaque: str | None = None
    algorithm: str = ""
    qop: str = ""
    nonce_count: str = ""
    cnonce: str = ""

    def __str__(self) -> str:
        """Return the header value."""
        quoted = {"username": self.username, "realm": self.realm, "nonce": self.nonce, "uri": self.uri}
        quoted["response"] = self.response
        if self.opaque is not None:
            quoted["opaque"] = self.opaque
        if self.cnonce:
            quoted["cnonce"] = self.cnonce
        # RFC 7616 §3.4: algorithm, qop and nc are not quoted. live555 servers stop to read at the first value without
        # quotes, so these stand last.
        plain = {"algorithm": self.algorithm, "qop": self.qop, "nc": self.nonce_count}
        items = [f"{name}={_quote(value)}" for name, value in quoted.items()]
        items += [f"{name}={value}" for name, value in plain.items() if value]
        return "Digest " + ", ".join(items)


Credentials = BasicCredentials | DigestCredentials


Ha1s = Mapping[str, str]
"""What a server keeps of a password: its H(A1) of RFC 7616 §3.4.2 by algorithm (`SHA-256`, `MD5`), for one realm."""


def hash_a1(username: str, realm: str, password: str, algorithm: str) -> str:
    """Return the hash that stands for a password in Digest, without the `-sess` step; `algorithm` is a known one."""
    hash_name, _ = _split_algorithm(algorithm)
    assert hash_name is not None
    return _digest(hash_name, username, realm, password)


def hash_all_a1(username: str, realm: str, password: str) -> dict[str, str]:
    """Return `Ha1s` with every algorithm."""
    return {algorithm: hash_a1(username, realm, password, algorithm) for algorithm in _HASHES}


def digest_response(credentials: DigestCredentials, *, method: str, password: str) -> str | None:
    """Return what `response` of these credentials must be, None for an unknown algorithm (RFC 7616 §3.4.1)."""
    c = credentials
    if _split_algorithm(c.algorithm)[0] is None:
        return None
    return _respond(c, method, hash_a1(c.username, c.realm, password, c.algorithm))


def _respond(credentials: DigestCredentials, method: str, ha1: str) -> str:
    c = credentials
    hash_name, is_session = _split_algorithm(c.algorithm)
    assert hash_name is not None
    if is_session:
        ha1 = _digest(hash_name, ha1, c.nonce, c.cnonce)
    ha2 = _digest(hash_name, method, c.uri)
    if c.qop:
        return _digest(hash_name, ha1, c.nonce, c.nonce_count, c.cnonce, c.qop, ha2)
    # RFC 2069 §2.1.2, kept by RFC 2617 §3.2.2.1 for servers that send no qop.
    return _digest(hash_name, ha1, c.nonce, ha2)


def _digest(hash_name: str, *parts: str) -> str:
    return hashlib.new(hash_name, ":".join(parts).encode("latin-1"), usedforsecurity=False).hexdigest()


def are_valid(credentials: Credentials, *, method: str, username: str, realm: str, ha1s: Ha1s) -> bool:
    """Check a peer's credentials for a request of `method`; `ha1s` may lack algorithms, which then are refused.

    A server that uses Digest checks besides that `nonce`, `realm` and `uri` are its own and the request's.
    """
    is_kept = True
    if isinstance(credentials, BasicCredentials):
        algorithm, right = next(iter(ha1s.items()))
        given = hash_a1(credentials.username, realm, credentials.password, algorithm)
    else:
        hash_name, _ = _split_algorithm(credentials.algorithm)
        if hash_name is None:
            return False
        ha1 = next((ha1 for algorithm, ha1 in ha1s.items() if _HASHES[algorithm] == hash_name), None)
        # What is not kept takes as long as what is wrong.
        is_kept = ha1 is not None
        right, given = _respond(credentials, method, ha1 or ""), credentials.response.lower()
    expected, found = f"{username}:{right}", f"{credentials.username}:{given}"
    return hmac.compare_digest(expected.encode("latin-1"), found.encode("latin-1")) and is_kept


def parse_challenges_untrusted(values: Iterable[str]) -> list[Challenge]:
    """Parse WWW-Authenticate headers, each of which may hold several challenges. Never fails."""
    return [
        Challenge(
            scheme=scheme,
            realm=parameters.get("realm", ""),
            nonce=parameters.get("nonce", ""),
            opaque=parameters.get("opaque"),
            algorithm=parameters.get("algorithm", "").strip(),
            qop=frozenset(re.findall(r"[\w-]+", parameters.get("qop", "").lower())),
            is_stale=parameters.get("stale", "").strip().lower() == "true",
        )
        for value in values
        for scheme, parameters in _split_schemes(value)
    ]


def parse_authorization_untrusted(value: str) -> Credentials | None:
    """Parse an Authorization header; None where it holds neither Basic nor Digest credentials."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() == "basic":
        return _parse_basic(rest.strip())
    if scheme.lower() != "digest":
        return None
    _, parameters = _split_schemes(rest, "digest")[0]
    return DigestCredentials(
        username=parameters.get("username", ""),
        realm=parameters.get("realm", ""),
        nonce=parameters.get("nonce", ""),
        uri=parameters.get("uri", ""),
        response=parameters.get("response", ""),
        opaque=parameters.get("opaque"),
        algorithm=parameters.get("algorithm", ""),
        qop=parameters.get("qop", ""),
        nonce_count=parameters.get("nc", ""),
        cnonce=parameters.get("cnonce", ""),
    )


class ClientLogin:
    """The client's side of logging in on one connection: which challenge it answers, and with what.

    No credentials leave before the server has asked for them. A server that refuses an answer is asked again only
    where that cannot cost a login attempt of a wrong password: cameras lock accounts.
    """

    def __init__(
        self,
        username: str | None,
        password: str | None,
        *,
        charset: CredentialCharset,
        make_cnonce: Callable[[], str],
    ) -> None:
        self._username = None if username is None else as_header_text(username, charset)
        self._password = as_header_text(password or "", charset)
        self._make_cnonce = make_cnonce
        self._challenge: Challenge | None = None
        self._cnonce = ""
        self._nonce_count = 0
        self._is_confirmed = False

    def confirm(self) -> None:
        """The server accepted an answer: the user name and password are right."""
        self._is_confirmed = True

    def take_challenges(self, challenges: Iterable[Challenge], *, is_refusal: bool) -> AuthenticationProblem | None:
        """Choose among the challenges of a 401; return None when the request may be repeated with `header`.

        is_refusal: the request that drew the 401 did carry our answer to an earlier challenge.
        """
        if self._username is None:
            return AuthenticationProblem.NO_CREDENTIALS
        usable = sorted(filter(_is_usable, challenges), key=_rank)
        if is_refusal and not (usable and self._may_try_again(usable[0])):
            return AuthenticationProblem.REFUSED
        if not usable:
            return AuthenticationProblem.NO_COMMON_SCHEME
        self._challenge = usable[0]
        self._cnonce = self._make_cnonce()
        self._nonce_count = 0
        return None

    def header(self, method: str, uri: str) -> str | None:
        """Return the Authorization header for a request; None as long as the server has not asked for one.

        uri: exactly as it stands in the request line.
        """
        challenge = self._challenge
        if challenge is None or self._username is None:
            return None
        if challenge.scheme == "basic":
            return str(BasicCredentials(self._username, self._password))
        credentials = DigestCredentials(
            username=self._username,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            opaque=challenge.opaque,
            algorithm=challenge.algorithm,
        )
        if challenge.qop:
            # RFC 7616 §3.4: nc counts the requests sent with this nonce, this one included.
            self._nonce_count += 1
            credentials = replace(credentials, qop="auth", nonce_count=f"{self._nonce_count:08x}", cnonce=self._cnonce)
        elif _split_algorithm(challenge.algorithm)[1]:
            credentials = replace(credentials, cnonce=self._cnonce)
        response = digest_response(credentials, method=method, password=self._password)
        assert response is not None
        return str(replace(credentials, response=response))

    def _may_try_again(self, challenge: Challenge) -> bool:
        # RFC 7616 §3.3: stale means that the nonce was too old, while the user name and password were right. Axis M5525
        # sends a fresh nonce without it (SharpRTSP#126): after a success on this connection that means the same.
        is_fresh = self._challenge is not None and challenge.nonce != self._challenge.nonce
        return challenge.is_stale or (self._is_confirmed and is_fresh)


def _is_usable(challenge: Challenge) -> bool:
    if challenge.scheme == "basic":
        return True
    hash_name, _ = _split_algorithm(challenge.algorithm)
    is_qop_known = not challenge.qop or "auth" in challenge.qop
    return challenge.scheme == "digest" and bool(challenge.nonce) and hash_name is not None and is_qop_known


def _rank(challenge: Challenge) -> int:
    hash_name, _ = _split_algorithm(challenge.algorithm)
    return len(_HASHES) if challenge.scheme == "basic" else list(_HASHES.values()).index(hash_name or "")


def _split_algorithm(algorithm: str) -> tuple[str | None, bool]:
    """Return hashlib's name of a Digest algorithm, None if unknown, and whether it is a `-sess` variant."""
    base = algorithm.upper().removesuffix("-SESS") or "MD5"
    return _HASHES.get(base), algorithm.upper().endswith("-SESS")


def _parse_basic(token: str) -> BasicCredentials | None:
    try:
        text = base64.b64decode(token, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return None
    username, _, password = text.partition(":")
    return BasicCredentials(username, password)


def _split_schemes(text: str, scheme: str = "") -> list[tuple[str, dict[str, str]]]:
    """Split `Digest realm="a", nonce="b", Basic realm="c"` into its schemes and their parameters.

    Names are lowered, the first of a name counts, and what fits nowhere is skipped. `scheme` is that of parameters
    before the first scheme; those without one are dropped.
    """
    schemes: list[tuple[str, dict[str, str]]] = [(scheme, {})]
    for item in _ITEM.finditer(text):
        if item["scheme"] is not None:
            schemes.append((item["scheme"].lower(), {}))
        else:
            value = item["plain"] if item["quoted"] is None else re.sub(r"\\(.)", r"\1", item["quoted"])
            schemes[-1][1].setdefault(item["name"].lower(), value)
    return [entry for entry in schemes if entry[0]]


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
