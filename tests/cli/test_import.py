"""`camgate import`, as somebody who moves in uses it."""

import stat
from pathlib import Path

import pytest

from tests.fakes.command import camgate

FIXTURES = Path(__file__).parents[1] / "fixtures" / "moving"
MEDIAMTX = "paths:\n  front:\n    source: rtsp://admin:opensesame@192.0.2.10/stream1\n  drone:\n"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    file = tmp_path / "mediamtx.yml"
    file.write_text(MEDIAMTX)
    return file


@pytest.mark.parametrize("file", ["mediamtx.yml", "go2rtc.yaml"])
def test_what_comes_out_is_in_order_and_only_its_owner_reads_it(tmp_path: Path, file: str) -> None:
    secrets = {"API_PASSWORD": "opensesame-api", "BELL_PASSWORD": "opensesame-bell"}
    outcome = camgate("import", FIXTURES / file, directory=tmp_path, **secrets)
    assert outcome.code == 0
    assert outcome.out.startswith("wrote camgate.toml, ")
    assert "Sign in as admin with the password " in outcome.out
    assert stat.S_IMODE((tmp_path / "camgate.toml").stat().st_mode) == 0o600
    assert "opensesame" not in outcome.out + outcome.err
    checked = camgate("check", directory=tmp_path, **secrets)
    assert (checked.code, "camgate.toml is in order." in checked.out) == (0, True), checked.err
    assert "--insecure" not in checked.err


def test_what_has_no_counterpart_is_a_line_on_stderr(tmp_path: Path, other: Path) -> None:
    outcome = camgate("import", "mediamtx.yml", "-o", "-", directory=tmp_path)
    assert outcome.code == 0
    assert outcome.err.splitlines()[0].startswith("mediamtx.yml:4: paths.drone.source: is pushed by somebody; ")
    assert 'password = "opensesame"\n' in outcome.out
    assert "Sign in as admin" in outcome.err
    assert not (tmp_path / "camgate.toml").exists()


def test_nothing_is_overwritten_unasked(tmp_path: Path, other: Path) -> None:
    (tmp_path / "camgate.toml").write_text("mine")
    outcome = camgate("import", "mediamtx.yml", directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err == "camgate.toml: is there already; name another file, or overwrite it with --force\n"
    assert (tmp_path / "camgate.toml").read_text() == "mine"
    assert camgate("import", "mediamtx.yml", "--force", "--no-auth", directory=tmp_path).code == 0
    assert "[cameras.front]" in (tmp_path / "camgate.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("none.yml",), "none.yml: cannot be read: No such file or directory; name another file"),
        (("mediamtx.yml", "--from", "frigate"), "camgate import: --from is one of mediamtx and go2rtc"),
        (("mediamtx.yml", "--from", "go2rtc"), "mediamtx.yml: holds no camera that camgate can fetch by RTSP"),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, other: Path, arguments: tuple[str, ...], line: str) -> None:
    outcome = camgate("import", *arguments, directory=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1] == line
    assert not (tmp_path / "camgate.toml").exists()


def test_no_password_is_shown_where_theirs_stays(tmp_path: Path) -> None:
    (tmp_path / "go2rtc.yaml").write_text(
        "streams: {front: 'rtsp://192.0.2.10/'}\napi: {username: admin, password: opensesame-api}\n"
    )
    outcome = camgate("import", "go2rtc.yaml", directory=tmp_path)
    assert (outcome.code, "Sign in as admin" in outcome.out + outcome.err) == (0, False)
    assert "opensesame" not in outcome.out + outcome.err
