"""What a camera's certificate is, in words, and whether it is the one that was expected."""

import hashlib
import warnings
from datetime import UTC, datetime

from cryptography import x509

from camgate.wire.rtsp.errors import printable

FINGERPRINT_PREFIX = "sha256:"


def fingerprint(certificate: bytes) -> str:
    """Return `sha256:` and 64 hexadecimal digits, as `tls_fingerprint` has it, of a certificate in DER."""
    return FINGERPRINT_PREFIX + hashlib.sha256(certificate).hexdigest()


def describe_certificate_untrusted(certificate: bytes) -> str:
    """Return subject, issuer, expiry and fingerprint of a certificate in DER; of a malformed one the fingerprint."""
    shown = fingerprint(certificate)
    try:
        with warnings.catch_warnings():
            # Negative serial numbers and the like, which cameras' certificates have, are not to be warned of.
            warnings.simplefilter("ignore")
            parsed = x509.load_der_x509_certificate(certificate)
            subject, issuer = _name(parsed.subject), _name(parsed.issuer)
            expires = parsed.not_valid_after_utc
    except (ValueError, x509.InvalidVersion):
        return f"malformed, fingerprint {shown}"
    signer = "signed by itself" if parsed.subject == parsed.issuer else f"signed by {issuer}"
    verb = "expired" if expires < datetime.now(UTC) else "expires"
    return f"of {subject}, {signer}, {verb} {expires:%Y-%m-%d}, fingerprint {shown}"


def _name(name: x509.Name) -> str:
    return printable(name.rfc4514_string()) or "nobody"
