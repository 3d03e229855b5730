"""Certificates, as the doctor judges them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from camgate.config.model import RtspServerSettings, Settings
from camgate.doctor.certificates import Place, judge_certificate, look_at_certificate, look_at_certificates, names_of
from camgate.doctor.finding import FAILED, OK, WARNING, Verdict
from tests.fakes.certificates import make_certificate


@pytest.mark.parametrize(
    ("days", "verdict", "words"),
    [
        ((-1, 60), OK, "for 192.0.2.7, until"),
        ((-1, 10), WARNING, "in 9 days"),
        ((-9, -1), FAILED, "expired on"),
        ((2, 60), FAILED, "begins on"),
    ],
    ids=["good", "ends soon", "expired", "not yet"],
)
def test_dates(tmp_path: Path, days: tuple[int, int], verdict: Verdict, words: str) -> None:
    made = make_certificate(tmp_path, days=days, issuer="authority")
    finding = look_at_certificate(Place("rtsp_server.tls_certificate", str(made.file), ""))
    assert finding.verdict is verdict
    assert words in finding.what
    assert bool(finding.to_do) == (verdict is not OK)


def test_names(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="192.0.2.7", days=(-1, 90)).x509
    assert names_of(certificate) == ["192.0.2.7"]
    now = datetime.now(UTC)
    assert judge_certificate("x", certificate, ("192.0.2.7",), now).verdict is OK
    other = judge_certificate("x", certificate, ("192.0.2.7", "cams.example.org"), now)
    assert (other.verdict, "not for cams.example.org" in other.what) == (WARNING, True)
    assert judge_certificate("x", certificate, (), now + timedelta(days=365)).verdict is FAILED


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "camera.pem").write_text("nonsense")
    missing = Settings(cameras={}, rtsp_server=RtspServerSettings(tls_certificate=str(tmp_path / "none.pem")))
    wrong = Settings(cameras={}, rtsp_server=RtspServerSettings(tls_certificate=str(tmp_path / "camera.pem")))
    for settings in (missing, wrong):
        (finding,) = look_at_certificates(settings)
        assert finding.verdict is FAILED
        assert str(tmp_path) in finding.what
        assert finding.to_do
    assert look_at_certificates(Settings(cameras={})) == []
