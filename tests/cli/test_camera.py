"""`camgate camera …` beside a camgate that runs: what it changes, and what it says."""

import json
import signal
from pathlib import Path

import pytest
import trio

from tests.fakes.command import Outcome, camgate, camgate_process, running_camgate
from tests.fakes.web_server import Answer, web_server

CONFIG = """
[server]
listen = "127.0.0.1:0"
state_directory = "state"
unix_socket = "c"
[webrtc]
port = 0
[cameras.front]
url = "rtsp://127.0.0.1:9/live"
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "camgate.toml").write_text(CONFIG)
    return tmp_path


async def camera(directory: Path, *arguments: str, stdin: str = "") -> Outcome:
    return await trio.to_thread.run_sync(
        lambda: camgate_process("camera", *arguments, directory=directory, stdin=stdin)
    )


async def test_cameras_come_and_go_while_camgate_runs(directory: Path) -> None:
    async with running_camgate("run", directory=directory) as running:
        await running.wait_line("camgate has started")
        added = await camera(directory, "add", "gate", "rtsp://admin:hush$${-1@127.0.0.1:9/gate", "--title", "Gate")
        assert (added.code, added.out) == (0, "camera gate is added\n")
        added = await camera(
            directory, "add", "yard", "rtsp://127.0.0.1:9/y", "--username=admin", "--password", stdin="hush-2\n"
        )
        assert added.code == 0
        again = await camera(directory, "add", "gate", "rtsp://127.0.0.1:9/gate")
        assert (again.code, again.out) == (1, "")
        assert "There is a camera 'gate' already" in again.err
        wrong = await camera(directory, "add", "a/b", "rtsp://127.0.0.1:9/gate")
        assert wrong.code == 2
        assert wrong.err.startswith('cameras."a/b": is no name for a camera')
        assert (await camera(directory, "disable", "front")).out == "camera front is switched off\n"
        listed = (await camera(directory, "list")).out
        rows = {words[0]: words[1:] for line in listed.splitlines() if len(words := line.split()) == 4}
        assert rows["front"] == ["off", "file", "rtsp://127.0.0.1:9/live"]
        assert rows["gate"][1:] == ["api", "rtsp://127.0.0.1:9/gate"]
        told = json.loads((await camera(directory, "list", "--json")).out)
        assert [each["settings"]["password"] for each in told] == [None, "***", "***"]
        kept = await camera(directory, "remove", "front")
        assert (kept.code, "change it there" in kept.err) == (1, True)
        assert (await camera(directory, "remove", "gate")).out == "camera gate is removed\n"
        assert (await camera(directory, "enable", "front")).out == "camera front is switched on\n"
        running.process.send_signal(signal.SIGTERM)
        assert await running.wait_end() == 0
        assert not [line for line in running.lines if "hush" in line or "Traceback" in line]
    async with running_camgate("run", directory=directory) as running:
        assert "cameras=2" in await running.wait_line(" ready ")
    assert (directory / "camgate.toml").read_text() == CONFIG


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://[::", 2, "is no address of a camgate"),
        ("http://127.0.0.1:99999", 2, "is no address of a camgate"),
        ("http://127.0.0.1:9/?x=1", 2, "is no address of a camgate"),
        ("http://127.0.0.1:9", 1, "camgate at 127.0.0.1:9 does not answer: connection refused"),
    ],
)
def test_an_address_that_is_none_is_said_to_be_none(directory: Path, url: str, code: int, words: str) -> None:
    outcome = camgate("camera", "list", "--url", url, directory=directory)
    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_token_that_is_none_is_said_to_be_none(directory: Path) -> None:
    outcome = camgate("camera", "list", "--url=http://127.0.0.1:9", directory=directory, CAMGATE_TOKEN="“hush-hush”")
    assert (outcome.code, outcome.out) == (2, "")
    assert "CAMGATE_TOKEN: does not hold one token and nothing else" in outcome.err
    assert "hush" not in outcome.err


async def test_what_a_camgate_elsewhere_wants_and_what_is_none(directory: Path) -> None:
    answers = iter([Answer(401, b"{}"), Answer(200, b"hello")])
    async with web_server(lambda asked: next(answers)) as server:
        wants = await camera(directory, "list", f"--url={server.url()}")
        assert (wants.code, wants.out) == (1, "")
        assert f"camgate at 127.0.0.1:{server.port} wants a login: give a token in CAMGATE_TOKEN" in wants.err
        none = await camera(directory, "list", f"--url={server.url()}")
        assert none.err == f"camgate: what answers at 127.0.0.1:{server.port} is no camgate\n"
        over_tls = await camera(directory, "list", f"--url=https://127.0.0.1:{server.port}")
        assert f"127.0.0.1:{server.port} does not answer: TLS fails (unexpected eof while reading)" in over_tls.err


async def test_without_a_camgate_it_says_so(directory: Path) -> None:
    outcome = await camera(directory, "list")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no camgate runs here" in outcome.err
