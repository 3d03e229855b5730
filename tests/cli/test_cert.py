"""`camgate cert`: files that the printed lines make HTTPS of, and refusals in a sentence."""

import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from camgate.serve.tls import load_context
from tests.fakes.command import camgate


def test_what_is_printed_can_be_pasted(tmp_path: Path) -> None:
    made = camgate("cert", "--self-signed", "--name", "cams.lan", "--name", "[fd00::1]", directory=tmp_path)
    assert (made.code, made.err) == (0, "")
    lines = made.out.splitlines()
    pasted = tomllib.loads("\n".join(lines[1:3]))
    load_context(pasted["tls_certificate"], pasted["tls_key"])
    certificate = x509.load_pem_x509_certificate(Path(pasted["tls_certificate"]).read_bytes())
    shown = lines[-1].removeprefix("SHA-256 ")
    assert bytes.fromhex(shown.replace(":", "")) == certificate.fingerprint(hashes.SHA256())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cams.lan"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["fd00::1"]
    assert "PRIVATE" not in made.out


def test_it_starts_the_daemon_that_check_finds_in_order(tmp_path: Path) -> None:
    made = camgate("cert", "--self-signed", directory=tmp_path)
    config = tmp_path / "camgate.toml"
    config.write_text("\n".join(["[server]", *made.out.splitlines()[1:3], '[cameras.a]\nurl = "rtsp://127.0.0.1:9/"']))
    checked = camgate("check", str(config), directory=tmp_path)
    assert (checked.code, checked.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "write --self-signed"),
        (("--self-signed", "--name", "https://x"), "--name is no host name or address"),
        (("--self-signed", "--name", ""), "--name"),
        (("--self-signed", "--days", "0"), "--days"),
        (("--self-signed", "--directory", "taken"), "camgate.crt exists already"),
    ],
)
def test_refusals(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "camgate.crt").touch()
    refused = camgate("cert", *arguments, directory=tmp_path)
    assert refused.code == 2
    assert words in refused.err
    assert "Traceback" not in refused.err
    assert not list(tmp_path.glob("camgate.*"))


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = camgate("cert", "--self-signed", "--directory", "file/below", directory=tmp_path)
    assert refused.code == 1
    assert "cannot write in" in refused.err
