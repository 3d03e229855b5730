"""`camgate status` once: the table, the document, exit codes, and what it says when it cannot ask."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.fakes.accounts import CHEAP
from tests.fakes.command import Outcome, Running, camgate, camgate_process, running_camgate
from tests.fakes.web_server import Answer, web_server

CONFIG = """
[server]
listen = "127.0.0.1:0"
state_directory = "state"
unix_socket = "c"
[webrtc]
port = 0
"""
AWAY = '[cameras.front]\nurl = "rtsp://127.0.0.1:9/live"\n'
ON_DEMAND = '[cameras.yard]\nurl = "rtsp://127.0.0.1:9/live"\non_demand = true\n'
HASH = CHEAP.hash("hush-hush")
USERS = f'[auth.users.anna]\npassword_hash = "{HASH}"\nroles = ["viewer"]\n'


async def status(directory: Path, *arguments: str | Path, stdin: str = "", **environ: str) -> Outcome:
    return await trio.to_thread.run_sync(
        lambda: camgate_process("status", *arguments, directory=directory, stdin=stdin, **environ)
    )


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    (tmp_path / "camgate.toml").write_text(CONFIG + getattr(request, "param", AWAY))
    async with running_camgate("run", directory=tmp_path) as running:
        await running.wait_line("camgate has started")
        yield running


async def test_a_camera_that_is_down_is_shown_with_why_and_is_exit_code_1(running: Running, tmp_path: Path) -> None:
    await running.wait_line("refuse")
    shown = await status(tmp_path, "--once")
    assert (shown.code, shown.err) == (1, "")
    (row,) = [line for line in shown.out.splitlines() if line.split()[:1] == ["front"]]
    assert "127.0.0.1:9" in row
    assert "1 camera: 1 down" in shown.out
    assert "0 viewers · load" in shown.out
    plain = await status(tmp_path, "--once", PYTHONIOENCODING="ascii")
    assert (plain.code, plain.err) == (1, "")
    assert "0 viewers ? load" in plain.out, "where nobody can write a middle dot"
    told = await status(tmp_path, "--json", "--socket", "c")
    document = json.loads(told.out)
    assert (told.code, document["down"], document["cameras"][0]["name"]) == (1, ["front"], "front")
    assert (document["server"]["viewers"], document["viewers"]) == (0, [])


@pytest.mark.parametrize("running", [ON_DEMAND], indirect=True)
async def test_a_camera_on_demand_that_nobody_watches_is_not_down(running: Running, tmp_path: Path) -> None:
    shown = await status(tmp_path, "--once")
    assert (shown.code, shown.err) == (0, "")
    assert "1 camera: 1 idle" in shown.out


@pytest.mark.parametrize("running", [ON_DEMAND + USERS], indirect=True)
async def test_by_its_address_it_wants_a_token_which_no_process_list_shows(running: Running, tmp_path: Path) -> None:
    url = (await running.wait_line("http://")).partition("http://")[2].split()[0].rstrip("/")
    refused = await status(tmp_path, "--once", f"--url=http://{url}")
    assert (refused.code, refused.out) == (2, "")
    assert "give a token in CAMGATE_TOKEN or by --token-file" in refused.err
    assert refused.err.count("\n") == 1
    made = await trio.to_thread.run_sync(lambda: camgate_process("token", "--user", "anna", directory=tmp_path))
    token = made.out.split()[0]
    (tmp_path / "token").write_text(f"{token}\n")
    for shown in (
        await status(tmp_path, "--once", f"--url=http://{url}", CAMGATE_TOKEN=token),
        await status(tmp_path, "--once", f"--url=http://{url}", "--token-file=token"),
        await status(tmp_path, "--once", f"--url=http://{url}", "--token-file=-", stdin=f"{token}\n"),
    ):
        assert (shown.code, shown.err) == (0, "")
        assert "1 camera: 1 idle" in shown.out
        assert "no figures of the process" in shown.out  # anna may only view
    assert token not in "".join(running.lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no camgate runs here, or it has no control socket"),
        (("--config", "nowhere.toml"), "there is no config file nowhere.toml, which --config names"),
        (("--socket", "nowhere"), "camgate at nowhere does not answer: no such file or directory"),
        (("--url", "http://127.0.0.1:9"), "camgate at 127.0.0.1:9 does not answer: connection refused"),
        (("--url", "http://anna:hush@127.0.0.1:9"), "is no address of a camgate"),
        (("--url", "http://127.0.0.1:9", "--socket", "c"), "is instead of --socket"),
        (("--token-file", "token"), "is for --url"),
        (("--url", "http://127.0.0.1:9", "--token-file", "nowhere"), "nowhere cannot be read: No such file"),
        (("--url", "http://127.0.0.1:9", "--token-file", "two"), "two does not hold one token and nothing else"),
    ],
)
def test_what_stands_against_it_is_said_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "two").write_text("one\ntwo\n")
    outcome = camgate("status", "--once", *arguments, directory=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert "hush" not in outcome.err
    assert "Traceback" not in outcome.err


async def test_what_tells_of_no_cameras_is_no_camgate(tmp_path: Path) -> None:
    async with web_server(lambda asked: Answer(body=b'[1, {"title": "x"}]')) as server:
        outcome = await status(tmp_path, "--once", f"--url={server.url()}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"camgate status: what answers at 127.0.0.1:{server.port} is no camgate\n"


async def test_the_live_screen_wants_a_terminal(running: Running, tmp_path: Path) -> None:
    outcome = await status(tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "camgate status: the live screen needs a terminal; --once and --json do not\n"
