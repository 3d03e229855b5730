"""packaging/audit refuses what it is there to refuse, and has nothing against the packages as they are locked."""

import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
HASH = f"--hash=sha256:{'0' * 64}"


def audit(*arguments: str | Path) -> tuple[int, str]:
    command = [sys.executable, ROOT / "packaging" / "audit", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def audit_of(folder: Path, pin: str, *arguments: str | Path) -> tuple[int, str]:
    """Audit two locks that hold this pin."""
    for lock in ("run.lock", "dev.lock"):
        (folder / lock).write_text(f"h11==0.16.0 \\\n    {HASH}\n    # via camgate\n{pin}\n")
    if not (folder / "advisories.toml").exists():
        (folder / "advisories.toml").write_text((REQUIREMENTS / "advisories.toml").read_text())
    (folder / "site").mkdir(exist_ok=True)
    return audit("--requirements", folder, *(arguments or ("--site", folder / "site")))


def test_the_locked_packages_pass() -> None:
    code, said = audit()
    assert (code, "advisories as of" in said) == (0, True), said


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (f"Jinja2==3.1.4 {HASH}", "jinja2 3.1.4 has CVE-2025-27516 (<3.1.6)"),
        (f"flask==2.3.1 {HASH}", "flask 2.3.1 has CVE-2023-30861"),
        (f"pyjwt==2.10.0 ; python_version >= '3' {HASH}", "pyjwt 2.10.0 has CVE-2024-53861"),
        ("rich==15.0.0", "rich 15.0.0 has no hash"),
        (f"rich>=15 {HASH}", "is not pinned to one version"),
        ("git+https://example.org/rich", "is not pinned to one version"),
    ],
)
def test_what_it_refuses(tmp_path: Path, pin: str, words: str) -> None:
    code, said = audit_of(tmp_path, pin)
    assert (code, words in said) == (1, True), said


def test_a_version_is_refused_for_its_own_holes_only(tmp_path: Path) -> None:
    code, said = audit_of(tmp_path, f"flask==2.2.5 {HASH}\nh2==4.3.0 {HASH}")
    assert ("CVE-2023-30861" in said, "h2" in said) == (False, False)
    assert "CVE-2026-27205" in said, "an older flask has that one"
    assert code == 1


def test_what_is_installed_is_what_is_locked(tmp_path: Path) -> None:
    for name, version in (("stranger", "1.0"), ("h11", "0.15.0"), ("rich", "15.0.0")):
        info = tmp_path / "site" / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    code, said = audit_of(tmp_path, f"rich==15.0.0 {HASH}")
    assert code == 1
    assert "stranger 1.0 is installed, and in no lock" in said
    assert "h11 0.15.0 is installed, and 0.16.0 is locked" in said
    assert "rich" not in said


def test_the_age_of_the_list_is_told(tmp_path: Path) -> None:
    (tmp_path / "advisories.toml").write_text("checked = 2020-01-01\nadvisory = []\n")
    code, said = audit_of(tmp_path, "")
    assert (code, "as of 2020-01-01" in said, "long ago" in said) == (0, True, True)


def test_the_list_is_well_formed() -> None:
    known = tomllib.loads((REQUIREMENTS / "advisories.toml").read_text())
    assert isinstance(known["checked"], date)
    assert len(known["advisory"]) > 40
    for advisory in known["advisory"]:
        assert advisory["id"].startswith(("CVE-", "GHSA-", "PYSEC-"))
        for each in advisory["affected"].split(" or "):
            assert "<" in str(SpecifierSet(each)), "an open range would refuse every version for ever"
