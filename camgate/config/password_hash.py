"""How a password of camgate's own users is kept: an argon2id hash (RFC 9106), as `camgate user hash` prints it."""

import base64
import re
import secrets
import unicodedata
from dataclasses import dataclass

from argon2.low_level import Type, hash_secret

MEMORY_KIB = 32 * 1024
PASSES = 2
"""With them a hash takes 65 ms on one of this project's 2.5 GHz cores, and more than OWASP's least (19 MiB, 2)."""

MAX_MEMORY_KIB = 256 * 1024
MAX_PASSES = 32
MAX_LANES = 8
"""What a hash from elsewhere may ask for; more would make each login a denial of service."""

SALT_BYTES = 16
DIGEST_BYTES = 32
MIN_SALT_BYTES = 8
MIN_DIGEST_BYTES = 16

_FORM = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<passes>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]{1,128})\$(?P<digest>[A-Za-z0-9+/]{1,128})"
)


class UnusableHash(ValueError):
    """A text is no hash of a password that we would check passwords against."""


@dataclass(frozen=True, slots=True)
class HashCost:
    """What checking a password against a hash takes."""

    memory_kib: int = MEMORY_KIB
    passes: int = PASSES
    lanes: int = 1

    @classmethod
    def of(cls, password_hash: str) -> "HashCost":
        """Read it from a hash. Raises UnusableHash."""
        match = _FORM.fullmatch(password_hash)
        if match is None:
            raise UnusableHash("is no argon2id hash; copy it whole, or have `camgate user hash` make one")
        cost = cls(int(match["memory"]), int(match["passes"]), int(match["lanes"]))
        if cost.memory_kib > MAX_MEMORY_KIB or cost.passes > MAX_PASSES or cost.lanes > MAX_LANES:
            sentence = f"costs more than {MAX_MEMORY_KIB // 1024} MiB, {MAX_PASSES} passes and {MAX_LANES} lanes"
            raise UnusableHash(f"{sentence}; have `camgate user hash` make one")
        # RFC 9106 section 3.1: at least 8 KiB a lane; argon2 would refuse it at each login.
        if cost.memory_kib < 8 * cost.lanes or not _is_long_enough(match["salt"], match["digest"]):
            raise UnusableHash("is cut off or weaker than RFC 9106 allows; have `camgate user hash` make another")
        return cost

    def decoy(self) -> str:
        """Return a hash that costs as much to check, and that no password has."""
        salt, digest = (_encode(secrets.token_bytes(size)) for size in (SALT_BYTES, DIGEST_BYTES))
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p={self.lanes}${salt}${digest}"


def hash_password(password: str) -> str:
    """Return what to keep of a password; takes as long as a login."""
    salt, cost = secrets.token_bytes(SALT_BYTES), HashCost()
    return hash_secret(
        password_bytes(password), salt, cost.passes, cost.memory_kib, cost.lanes, DIGEST_BYTES, Type.ID
    ).decode("ascii")


def check_password_hash(text: str) -> str:
    """Return a hash that is in order. Raises UnusableHash, which is a ValueError, with the reason as a sentence."""
    HashCost.of(text)
    return text


def password_bytes(password: str) -> bytes:
    """Return what is hashed of a password."""
    # RFC 8265 section 4.2.2: a password is compared in Unicode's form C, since keyboards differ in what they compose.
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")


def _is_long_enough(salt: str, digest: str) -> bool:
    # A length of 1 beyond whole groups of four encodes nothing (RFC 4648 section 4).
    if len(salt) % 4 == 1 or len(digest) % 4 == 1:
        return False
    return len(salt) * 3 // 4 >= MIN_SALT_BYTES and len(digest) * 3 // 4 >= MIN_DIGEST_BYTES


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")
