"""A certificate that signs itself: encrypts as well as any other; trusted by whoever was shown its fingerprint."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from camgate.base.errors import LocalError

CERTIFICATE_FILE = "camgate.crt"
KEY_FILE = "camgate.key"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CLOCK_SLACK = timedelta(days=1)
"""How far a viewer's clock may be behind."""
MAX_COMMON_NAME_CHARS = 64
"""RFC 5280 appendix A.1."""


class FilesExist(LocalError):
    """There are files where the new ones were to be written."""

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__(*files)
        self.files = files

    def __str__(self) -> str:
        verb = "exists" if len(self.files) == 1 else "exist"
        return f"{' and '.join(map(str, self.files))} {verb} already; overwrite with --force, or choose a --directory"


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes
    fingerprint: str
    """SHA-256 as browsers show it: pairs of digits between colons."""
    ends: datetime


def found_names(local_addresses: Sequence[str]) -> list[str]:
    """Return by what this machine is called: its own name and addresses, and what all machines call themselves."""
    name = socket.gethostname()
    return list(dict.fromkeys([*([name] if _is_dns_name(name) else []), *LOOPBACK, *local_addresses]))


def make_self_signed(names: Sequence[str], days: int) -> SelfSigned:
    """Make a certificate for names and addresses, ECDSA P-256. Raises ValueError for a name that is neither."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:MAX_COMMON_NAME_CHARS])])
    now = datetime.now(UTC).replace(microsecond=0)
    ends = now + timedelta(days=days)
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - CLOCK_SLACK,
        not_valid_after=ends,
    )
    for extension, is_critical in (
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        # Whoever trusts it trusts nothing that is signed with it.
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (key_id, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), False),
    ):
        builder = builder.add_extension(extension, is_critical)
    certificate = builder.sign(key, hashes.SHA256())
    return SelfSigned(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        ends=ends,
    )


def write_pair(made: SelfSigned, directory: Path, *, force: bool) -> tuple[Path, Path]:
    """Write certificate and key, the key for its owner alone; returns where. Raises FilesExist and OSError."""
    files = directory / CERTIFICATE_FILE, directory / KEY_FILE
    if not force and (there := [file for file in files if os.path.lexists(file)]):
        raise FilesExist(there)
    directory.mkdir(parents=True, exist_ok=True)
    for file, content, mode in zip(files, (made.certificate, made.key), (0o644, 0o600), strict=True):
        # A new file in the old one's place: nobody who has that open, or who may read it, comes to this one.
        fresh = file.with_name(f".{file.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
        fresh.replace(file)
    return files


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _is_dns_name(name: str) -> bool:
    return name.isascii() and all(part and part.replace("-", "").replace("_", "").isalnum() for part in name.split("."))
