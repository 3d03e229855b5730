"""The server's side of logging in: the challenges of one connection, and what their answers are worth.

Knows one nonce, made for this connection: an answer that was overheard elsewhere is worth nothing here.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from camgate.wire.rtsp.auth import (
    BasicCredentials,
    Challenge,
    Credentials,
    DigestCredentials,
    Ha1s,
    are_valid,
    as_header_text,
    hash_all_a1,
    parse_authorization_untrusted,
)

REALM = "camgate"

ALGORITHMS = ("SHA-256", "MD5")
"""RFC 7616 3.7: strongest first. FFmpeg takes the last challenge that it reads, and knows MD5 only."""

Users = Mapping[str, Ha1s]
"""User names and what is kept of their passwords."""

_NOBODY = dict.fromkeys(ALGORITHMS, "")
"""What an unknown user's answer is checked against, which no answer fits."""


class Login(Enum):
    """What an Authorization header is worth."""

    GRANTED = auto()
    MISSING = auto()
    STALE = auto()
    """The password is right, but for another nonce: asking again need not bother a person."""
    REFUSED = auto()


def hash_password(username: str, password: str) -> Ha1s:
    """Return what a server keeps of a password."""
    return hash_all_a1(as_header_text(username), REALM, as_header_text(password))


def common_algorithms(users: Iterable[Ha1s]) -> tuple[str, ...]:
    """Return the Digest algorithms that every user can answer, the strongest first."""
    kept = list(users)
    return tuple(algorithm for algorithm in ALGORITHMS if all(algorithm in ha1s for ha1s in kept))


class ServerLogin:
    """Challenges and checks. `offers_basic` also takes the password in clear: for use under TLS only.

    offers_digest: whether clients are told that they may prove the password instead; what they prove counts anyway.
    """

    def __init__(self, nonce: str, *, offers_basic: bool = False, offers_digest: bool = True) -> None:
        self._nonce = nonce
        self._offers_basic = offers_basic
        self._offers_digest = offers_digest
        self.username: str | None = None
        """Whose login was granted last."""

    def challenges(self, users: Users, *, is_stale: bool = False) -> list[str]:
        """Return the WWW-Authenticate headers of a 401."""
        # Only what all users can answer: which algorithms are offered must not tell who exists.
        # The form of RFC 2069, without qop, is what all cameras and clients speak; qop=auth is taken when it comes.
        offered = [
            Challenge(scheme="digest", realm=REALM, nonce=self._nonce, algorithm=algorithm, is_stale=is_stale)
            for algorithm in common_algorithms(users.values())
            if self._offers_digest
        ]
        if self._offers_basic:
            offered.append(Challenge(scheme="basic", realm=REALM))
        return [str(challenge) for challenge in offered]

    def check_untrusted(self, header: str | None, *, method: str, url: str, users: Users) -> Login:
        """Judge the Authorization header of a request; `users` are those who may make it.

        Takes the same time for an unknown user as for a wrong password.
        """
        credentials = parse_authorization_untrusted(header) if header is not None else None
        if credentials is None:
            return Login.MISSING
        name = next((name for name in users if as_header_text(name) == credentials.username), None)
        ha1s = _NOBODY if name is None else users[name]
        is_right = are_valid(credentials, method=method, username=credentials.username, realm=REALM, ha1s=ha1s)
        # An answer to no password at all can be made by everybody.
        login = self._judge(credentials, url) if is_right and name is not None else Login.REFUSED
        if login is Login.GRANTED:
            self.username = name
        return login

    def in_clear_untrusted(self, header: str | None) -> tuple[str, str] | None:
        """Return user name and password of an Authorization header that holds them, where they may come so."""
        credentials = parse_authorization_untrusted(header) if header is not None and self._offers_basic else None
        return (credentials.username, credentials.password) if isinstance(credentials, BasicCredentials) else None

    def _judge(self, credentials: Credentials, url: str) -> Login:
        """Judge credentials whose password is right."""
        if isinstance(credentials, BasicCredentials):
            return Login.GRANTED if self._offers_basic else Login.REFUSED
        if not _is_for(credentials, url):
            return Login.REFUSED
        return Login.GRANTED if credentials.nonce == self._nonce else Login.STALE


def _is_for(credentials: DigestCredentials, url: str) -> bool:
    # RFC 7616 3.4.6: the URI of the credentials must name the same resource as the request line; clients differ in
    # whether they repeat it as it stands or leave scheme and host out.
    same_resource = credentials.uri == url or (credentials.uri.startswith("/") and url.endswith(credentials.uri))
    return same_resource and credentials.realm == REALM and (credentials.algorithm.upper() or "MD5") in ALGORITHMS
