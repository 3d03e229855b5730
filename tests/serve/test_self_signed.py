"""Certificates that sign themselves: what TLS clients make of them, and files that are not overwritten."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from camgate.serve.self_signed import FilesExist, found_names, make_self_signed, write_pair
from camgate.serve.tls import load_context

NAMES = ["cams.example.org", "192.0.2.7", "fd00::1"]


def shake_hands(directory: Path, name: str) -> None:
    """Connect as a client does that trusts this certificate alone and wants this name. Raises ssl.SSLError."""
    certificate, key = write_pair(make_self_signed(NAMES, 30), directory, force=True)
    trusting = ssl.create_default_context(cafile=str(certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = load_context(str(certificate), str(key)).wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", NAMES)
def test_clients_that_trust_it_take_it_for_its_names(tmp_path: Path, name: str) -> None:
    shake_hands(tmp_path, name)


def test_clients_refuse_it_for_other_names(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        shake_hands(tmp_path, "other.example.org")


def test_it_holds_from_yesterday_on_for_the_days_that_were_asked_for() -> None:
    made = make_self_signed(NAMES, 30)
    parsed = x509.load_pem_x509_certificate(made.certificate)
    now = datetime.now(UTC)
    assert abs(parsed.not_valid_before_utc - (now - timedelta(days=1))) < timedelta(minutes=5)
    assert abs(parsed.not_valid_after_utc - (now + timedelta(days=30))) < timedelta(minutes=5)
    assert parsed.not_valid_after_utc == made.ends
    constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca


def test_the_key_is_for_its_owner_and_nothing_is_overwritten(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    certificate, key = write_pair(made := make_self_signed(NAMES, 30), directory, force=False)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert certificate.read_bytes() == made.certificate
    certificate.unlink()
    with pytest.raises(FilesExist, match=r"camgate\.key exists already; overwrite with --force"):
        write_pair(make_self_signed(NAMES, 30), directory, force=False)
    assert key.read_bytes() == made.key
    key.chmod(0o644)
    write_pair(newer := make_self_signed(NAMES, 30), directory, force=True)
    assert (key.read_bytes(), stat.S_IMODE(key.stat().st_mode)) == (newer.key, 0o600)
    assert sorted(file.name for file in directory.iterdir()) == ["camgate.crt", "camgate.key"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    (tmp_path / "camgate.key").symlink_to(target)
    with pytest.raises(FilesExist):
        write_pair(make_self_signed(NAMES, 30), tmp_path, force=False)
    write_pair(make_self_signed(NAMES, 30), tmp_path, force=True)
    assert target.read_text() == "mine"


def test_names_that_are_found_fit_into_a_certificate() -> None:
    names = found_names(["192.0.2.1", "fd00::1"])
    assert {"localhost", "127.0.0.1", "::1", "192.0.2.1", "fd00::1"} <= set(names)
    make_self_signed(names, 1)
