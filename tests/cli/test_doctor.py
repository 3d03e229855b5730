"""`camgate doctor`, as its users run it: beside a camgate that runs, and without one."""

import json
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
import trio
from typer.testing import CliRunner

from camgate.cli.main import app
from tests.fakes.accounts import CHEAP
from tests.fakes.command import camgate, running_camgate
from tests.fakes.ports import free_port

CONFIG = """
[server]
listen = "127.0.0.1:{http}"
state_directory = "state"
[webrtc]
port = {media}
[cameras.front-door]
url = "rtsp://viewer:hush-hush@127.0.0.1:9/live"
"""


def examined(directory: Path, *arguments: str, **environ: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Run the doctor and return its exit code and what it found, by check."""
    outcome = camgate("doctor", "--json", *arguments, directory=directory, **environ)
    assert "Traceback" not in outcome.err
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(outcome.out)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return outcome.code, found


async def beside(directory: Path, *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The same, beside a camgate that this test's loop looks after."""
    return await trio.to_thread.run_sync(lambda: examined(directory, *arguments))


def test_without_a_running_camgate(tmp_path: Path) -> None:
    http, media = free_port(), free_port()
    (tmp_path / "camgate.toml").write_text(CONFIG.format(http=http, media=media))
    outcome = camgate("doctor", directory=tmp_path, COLUMNS="100")
    assert outcome.code == 1
    assert f"127.0.0.1:{http} (TCP) is free, as camgate does not run" in outcome.out
    assert "127.0.0.1:9 refuses the connection" in outcome.out.replace("\n", " ")
    assert outcome.out.splitlines()[-1].startswith("1 failed, ")
    assert "hush-hush" not in outcome.out + outcome.err
    code, found = examined(tmp_path, "--no-cameras")
    assert code == 0
    assert found["Cameras"][0]["what"] == "not looked at (--no-cameras)"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("text", "code"), [("[sever]\n", 2), (None, 2)], ids=["mistake", "missing"])
def test_a_config_with_mistakes_is_one_finding_beside_the_machines(tmp_path: Path, text: str | None, code: int) -> None:
    if text is not None:
        (tmp_path / "other.toml").write_text(text)
    found_code, found = examined(tmp_path, "--config", "other.toml", "--no-cameras")
    assert found_code == code
    assert [finding["verdict"] for finding in found["Config"]] == ["failed"] * len(found["Config"])
    assert found["Config"][0]["what"].startswith("other.toml")
    assert "Memory" in found


def test_no_config_at_all_is_looked_at_with_the_defaults(tmp_path: Path) -> None:
    _, found = examined(tmp_path, "--no-cameras")
    assert found["Config"][0]["verdict"] == "warning"


def test_another_program_on_the_port(tmp_path: Path) -> None:
    media = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = taken.getsockname()[1]
        (tmp_path / "camgate.toml").write_text(CONFIG.format(http=http, media=media))
        code, found = examined(tmp_path, "--no-cameras")
    assert code == 1
    assert found["HTTP port"][0]["verdict"] == "failed"
    assert "is taken by" in found["HTTP port"][0]["what"]


async def test_beside_a_running_camgate_it_joins_a_live_camera_as_a_viewer_does(tmp_path: Path) -> None:
    http, media = free_port(), free_port()
    (tmp_path / "camgate.toml").write_text(CONFIG.format(http=http, media=media))
    options = (f"--listen=127.0.0.1:{http}", f"--webrtc-port={media}")
    async with running_camgate("demo", *options, directory=tmp_path) as command:
        await command.wait_line("camera live", nth=2)
        code, found = await beside(tmp_path)
        url_code, from_elsewhere = await beside(tmp_path, f"--url=http://127.0.0.1:{http}/")
    assert url_code == 0, from_elsewhere
    assert from_elsewhere["Pages"][0]["verdict"] == "ok"
    assert "ICE checks are answered at" in from_elsewhere["Media by UDP"][0]["what"]
    assert "connections are taken at" in from_elsewhere["Media by TCP"][0]["what"]
    assert code == 0, found
    process = f"camgate (process {command.process.pid})"
    assert found["HTTP port"][0]["what"].startswith(f"{process} listens on 127.0.0.1:{http}")
    assert found["WebRTC port, UDP"][0]["what"].startswith(f"{process} listens on 0.0.0.0:{media}")
    assert f"127.0.0.1:{http}" in found["Pages reached"][0]["what"]
    assert found["Media by UDP"][0]["verdict"] == "ok"
    assert found["Media by TCP"][0]["what"].startswith(f"port {media} takes connections at 127.0.0.1")
    assert "ICE checks by UDP are answered at 127.0.0.1" in found["Joining a camera"][0]["what"]
    ended = [line for line in command.lines if "viewer" in line]
    assert len(ended) == 2, command.lines


ACCOUNT = """
[auth.users.anna]
password_hash = "{hash}"
roles = ["viewer"]
[logging]
output = "both"
"""


async def test_where_users_sign_in_its_own_user_is_told_all_the_same(tmp_path: Path) -> None:
    """The doctor signs a token with camgate's own key, which only camgate's user can read."""
    http, media = free_port(), free_port()
    kept = CHEAP.hash("hush-anna")
    (tmp_path / "camgate.toml").write_text(CONFIG.format(http=http, media=media) + ACCOUNT.format(hash=kept))
    async with running_camgate("run", directory=tmp_path) as command:
        await command.wait_line(" ready ")
        code, found = await beside(tmp_path, "--bundle=support.tar.gz", "--hide-hosts")
        assert code == 1
        assert "not live in the running camgate" in found["Camera front-door"][0]["what"]
        assert "Running camgate" not in found
        (tmp_path / "state").rename(tmp_path / "elsewhere")
        _, strangers = await beside(tmp_path, "--no-cameras")
    assert "it wants a login" in strangers["Running camgate"][0]["what"]
    with tarfile.open(tmp_path / "support.tar.gz") as archive:
        files = {member.name.rpartition("/")[2]: archive.extractfile(member) for member in archive}
        texts = {name: file.read().decode() for name, file in files.items() if file}
    assert set(texts) == {"README.txt", "doctor.json", "config.toml", "log.txt", "server.json", "cameras.json"}
    assert json.loads(texts["server.json"])["limits"]["max_viewers"] == 1000
    assert "camgate has started" in texts["log.txt"]
    together = "\n".join(texts.values())
    assert "hush-" not in together
    assert kept.rpartition("$")[2] not in together
    again = await trio.to_thread.run_sync(
        lambda: camgate("doctor", "--no-cameras", "--bundle=support.tar.gz", directory=tmp_path)
    )
    assert (again.code, again.out) == (1, "")
    assert again.err == "camgate: cannot write support.tar.gz: it is there already; name another file\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hide-hosts"], "is for --bundle"),
        (["--camera=front"], "is for --url"),
        (["--url=ftp://cams/"], "is no address of a camgate"),
        (["--url=http://cams/", "--bundle=x"], "looks at another machine"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(app, ["doctor", *arguments], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert outcome.exit_code == 2
    assert words in outcome.output
