"""What is wrong with a certificate and its key, file by file, in words that tell which one and what to do."""

import os
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from camgate.serve.tls import CertificateUnusable, ServerTls, load_context
from tests.fakes.certificates import make_certificate

END = "-----END CERTIFICATE-----\n"
HOOK = Path(__file__).resolve().parents[2] / "etc" / "acme" / "deploy-hook.sh"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with certificates and keys, fitting and not."""
    made = make_certificate(tmp_path, name="both")
    text = made.file.read_text()
    certificate, key = text.split(END)
    other = make_certificate(tmp_path, name="other").file.read_text().split(END)[1]
    parsed = serialization.load_pem_private_key(key.encode(), None)
    locked = parsed.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"hush")
    )
    old_way = parsed.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"hush"),
    )
    (tmp_path / "crt.pem").write_text(certificate + END)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "other-key.pem").write_text(other)
    (tmp_path / "locked.pem").write_bytes(locked)
    (tmp_path / "locked-old.pem").write_bytes(old_way)
    (tmp_path / "torn.pem").write_text(certificate[:300] + "\n" + END)
    (tmp_path / "empty.pem").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(("certificate", "key"), [("both.pem", ""), ("crt.pem", "key.pem"), ("crt.pem", "both.pem")])
def test_a_pair_that_fits(files: Path, certificate: str, key: str) -> None:
    context = load_context(str(files / certificate), key and str(files / key))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("missing.pem", "", "No such file or directory"),
        ("folder", "", "Is a directory"),
        ("crt.pem", "missing.pem", "missing.pem cannot be read: No such file or directory"),
        ("missing.pem", "key.pem", "missing.pem cannot be read: No such file or directory"),
        ("crt.pem", "", "it holds no private key in PEM"),
        ("key.pem", "", "it holds no certificate in PEM"),
        ("crt.pem", "empty.pem", "empty.pem holds no private key in PEM"),
        ("key.pem", "crt.pem", "key.pem holds no certificate in PEM"),
        ("crt.pem", "other-key.pem", "the key is another certificate's"),
        ("crt.pem", "locked.pem", "the key has a password"),
        ("crt.pem", "locked-old.pem", "the key has a password"),
        ("torn.pem", "key.pem", "no certificate and key in PEM that fit"),
    ],
)
def test_a_pair_that_does_not(files: Path, certificate: str, key: str, words: str) -> None:
    with pytest.raises(CertificateUnusable) as refused:
        load_context(str(files / certificate), key and str(files / key))
    said = str(refused.value)
    assert words in said
    assert said.startswith(f"cannot use {files / certificate}")
    assert said.endswith("name a certificate, and its key in tls_key or in the same file, without a password")


@pytest.mark.parametrize("client", ["certbot", "lego"])
def test_the_hook_for_acme_clients_hands_over_what_is_taken_anew(tmp_path: Path, client: str) -> None:
    file = tmp_path / "tls.pem"
    environ = {"PATH": os.defpath, "CAMGATE_TLS_FILE": str(file), "CAMGATE_USER": str(os.geteuid())}

    def renew(number: int) -> None:
        lineage = tmp_path / f"{client}-{number}"
        lineage.mkdir()
        certificate, key = make_certificate(lineage, name="both").file.read_text().split(END)
        (lineage / "fullchain.pem").write_text(certificate + END)
        (lineage / "privkey.pem").write_text(key)
        names = ("LEGO_CERT_PATH", "LEGO_CERT_KEY_PATH")
        files = (str(lineage / "fullchain.pem"), str(lineage / "privkey.pem"))
        given = {"RENEWED_LINEAGE": str(lineage)} if client == "certbot" else dict(zip(names, files, strict=True))
        subprocess.run([HOOK], env=environ | given, check=True)

    renew(1)
    tls = ServerTls(str(file))
    before = tls.context
    tls.refresh()
    assert tls.context is before
    renew(2)
    tls.refresh()
    assert tls.context is not before
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("tls.pem.*"))


@pytest.mark.parametrize(
    ("days", "words"), [((-9, -2), "has expired"), ((2, 9), "does not hold yet"), ((-1, 30), None)]
)
def test_dates_that_browsers_refuse_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, days: tuple[int, int], words: str | None
) -> None:
    ServerTls(str(make_certificate(tmp_path, days=days).file))
    said = [record.message for record in caplog.records if record.name == "camgate.serve.tls"]
    assert [words in line for line in said] == [True] if words else said == []
