"""The certificates that camgate shows: do they load, do they hold today and next week, and for which names."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from camgate.config.model import Settings
from camgate.doctor.finding import FAILED, OK, WARNING, Finding, many
from camgate.serve.tls import CertificateUnusable, load_context

RENEW = timedelta(days=14)
"""Authorities that renew by themselves do it a month before the end; who has not by now should look why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate is configured. key: such as `rtsp_server.tls_certificate`. names: that it is needed for."""

    key: str
    certificate: str
    tls_key: str
    names: tuple[str, ...] = ()


def places(settings: Settings) -> list[Place]:
    """Return the configured certificates."""
    server, rtsp = settings.server, settings.rtsp_server
    known = [
        Place("server.tls_certificate", server.tls_certificate, server.tls_key, server.allowed_hosts),
        Place("rtsp_server.tls_certificate", rtsp.tls_certificate, rtsp.tls_key),
    ]
    return [place for place in known if place.certificate]


def look_at_certificates(settings: Settings) -> list[Finding]:
    """Read every configured certificate."""
    return [look_at_certificate(place) for place in places(settings)]


def look_at_certificate(place: Place) -> Finding:
    """Read one certificate and its key."""
    check = f"Certificate, {place.key.partition('.')[0]}"
    try:
        load_context(place.certificate, place.tls_key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first = x509.load_pem_x509_certificates(Path(place.certificate).read_bytes())[0]
    except CertificateUnusable as error:
        what, _, to_do = str(error).rpartition("; ")
        return Finding(check, FAILED, what, to_do)
    except (OSError, ValueError) as error:
        return Finding(check, FAILED, f"{place.certificate} cannot be read: {error}", f"write another {place.key}")
    return judge_certificate(check, first, place.names)


def judge_certificate(
    check: str, certificate: x509.Certificate, names: tuple[str, ...], now: datetime | None = None
) -> Finding:
    """Say whether a certificate holds, and for whom. names: that viewers call this server by, as far as is known."""
    now = now or datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    is_own = certificate.subject == certificate.issuer
    known = names_of(certificate)
    what = f"for {many(known) or 'no name'}, until {ends:%Y-%m-%d}" + (", signed by itself" if is_own else "")
    if now >= ends:
        return Finding(check, FAILED, f"expired on {ends:%Y-%m-%d}", "renew it")
    if now < begins:
        return Finding(check, FAILED, f"begins on {begins:%Y-%m-%d} only", "set this machine's clock, or wait")
    missing = [name for name in names if not any(_covers(pattern, name) for pattern in known)]
    if missing:
        to_do = f"have one made for {many(missing)} too: browsers refuse it under other names"
        return Finding(check, WARNING, f"{what}; not for {many(missing)}", to_do)
    if not known:
        return Finding(check, WARNING, what, "have one made with a subjectAltName: browsers look at nothing else")
    if ends - now < RENEW:
        return Finding(check, WARNING, f"{what}, in {(ends - now).days} days", "renew it")
    if is_own:
        return Finding(check, OK, f"{what}; browsers ask before they trust it")
    return Finding(check, OK, what)


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _covers(pattern: str, name: str) -> bool:
    # RFC 9525 section 6.3: a wildcard stands for the leftmost label only.
    if pattern.startswith("*."):
        return name.partition(".")[2].lower() == pattern[2:].lower()
    return pattern.lower() == name.lower()
