"""Where the control socket is: for camgate, and for commands."""

import os
from pathlib import Path

import pytest

from camgate.config.control import SYSTEM_SOCKET, control_socket, find_control_sockets
from camgate.config.load import parse
from camgate.config.model import ServerSettings

CONFIG = '[server]\nunix_socket = {}\n[cameras.front]\nurl = "rtsp://192.0.2.1/"\n'


def of(value: str, directory: Path = Path("/etc/camgate")) -> ServerSettings:
    return parse(CONFIG.format(value), {}, file="x", directory=directory).server


@pytest.mark.parametrize(
    ("value", "environ", "path"),
    [
        ('"/srv/c"', {"RUNTIME_DIRECTORY": "/run/a"}, "/srv/c"),
        ('"c"', {}, "/etc/camgate/c"),
        ('""', {"RUNTIME_DIRECTORY": "/run/a"}, None),
        ('"auto"', {"RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/run/a/camgate.sock"),
    ],
)
def test_where_camgate_listens(value: str, environ: dict[str, str], path: str | None) -> None:
    assert control_socket(of(value), environ) == (None if path is None else Path(path))


@pytest.mark.parametrize(("uid", "path"), [(0, SYSTEM_SOCKET), (1000, Path("/run/user/1000/camgate/camgate.sock"))])
def test_where_camgate_listens_outside_of_a_service(uid: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert control_socket(of('"auto"'), {"XDG_RUNTIME_DIR": "/run/user/1000"}) == path
    assert control_socket(of('"auto"'), {}) == (path if uid == 0 else None)


@pytest.mark.parametrize("broken", ["", "[[[", "\nlisten = 7\n[cameras]"])
def test_where_commands_look_although_the_config_may_be_broken(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "camgate.toml"
    file.write_text(CONFIG.format('"c"') + broken)
    found = list(find_control_sockets(file, {"XDG_RUNTIME_DIR": "/run/user/1"}))
    usual = [SYSTEM_SOCKET, Path("/run/user/1/camgate/camgate.sock")]
    assert found == ([] if broken == "[[[" else [tmp_path / "c"]) + usual
    assert list(find_control_sockets(tmp_path / "none", {"RUNTIME_DIRECTORY": "/r"})) == [Path("/r/camgate.sock")]
