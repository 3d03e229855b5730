"""What bash makes of Tab behind camgate, by the script that camgate prints; and the manual page."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from camgate.config.overlay import Overlay, Saved
from tests.fakes.command import DEADLINE_S, camgate, environment

ROOT = Path(__file__).parents[2]
CONFIG = """[server]
state_directory = "state"
[cameras.front]
url = "rtsp://192.0.2.1/"
[cameras."K\u00fcche hinten"]
url = "rtsp://192.0.2.2/"
"""
TABS = """\
eval "$(camgate completion bash)"
tab() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _camgate_completion camgate
    printf '%s|' "${COMPREPLY[@]}"
    echo
}
tab camgate ca
tab camgate token --action c
tab camgate camera disable ''
tab camgate share create 'K\u00fcche\\ h'
"""


def test_bash_completes_commands_choices_and_cameras(tmp_path: Path) -> None:
    (tmp_path / "camgate.toml").write_text(CONFIG)
    Overlay(tmp_path / "state" / "cameras.toml").save(Saved({"gate": {"url": "rtsp://192.0.2.3/"}}))
    path = f"{Path(sys.executable).parent}:{environment(tmp_path)['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", TABS],
        cwd=tmp_path,
        env={**environment(tmp_path), "PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stderr == ""
    kitchen = "K\u00fcche\\ hinten|"
    assert done.stdout.splitlines() == ["camera|", "control|", f"front|{kitchen}gate|", kitchen]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_asks_camgate(tmp_path: Path, shell: str) -> None:
    script = camgate("completion", shell, directory=tmp_path)
    assert script.code == 0
    assert f"_CAMGATE_COMPLETE=complete_{shell}" in script.out


def test_the_manual_page_is_read_without_a_warning() -> None:
    if not (man := shutil.which("man")):
        pytest.skip("there is no man here")
    command = [man, "--warnings", "--local-file", ROOT / "man" / "camgate.1"]
    environ = {"PATH": environment(ROOT)["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stderr == ""
    for words in ("camgate camera disable", "--on-demand", "/var/lib/camgate"):
        assert words in done.stdout
