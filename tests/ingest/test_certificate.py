"""Certificates in words."""

import re
from pathlib import Path

from camgate.ingest.certificate import describe_certificate_untrusted, fingerprint
from tests.fakes.certificates import make_certificate


def test_a_certificate_in_words(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, name="front door", issuer="Camera Works")
    words = describe_certificate_untrusted(certificate.der)
    pattern = (
        r"of CN=front door, signed by CN=Camera Works, expires 20\d\d-\d\d-\d\d, fingerprint (sha256:[0-9a-f]{64})"
    )
    match = re.fullmatch(pattern, words)
    assert match
    assert match[1] == certificate.fingerprint == fingerprint(certificate.der)


def test_what_the_camera_wrote_cannot_break_the_line(tmp_path: Path) -> None:
    words = describe_certificate_untrusted(
        make_certificate(tmp_path, name="a" * 64).der.replace(b"a" * 64, b"\n\x1b" * 32)
    )
    assert words.isprintable()
    assert "\\" in words or "?" in words
