"""Which error becomes which exit code, and in what words."""

import json
import os
import sys
from pathlib import Path

import pytest
import trio
import typer

from camgate.base.secrets import register_secret
from camgate.cli.exits import exit_codes
from camgate.config.errors import ConfigError, Problem, StartError
from camgate.ingest.errors import CameraAway
from tests.fakes.command import environment
from tests.fakes.web_server import Answer, web_server


def outcome(error: Exception, capsys: pytest.CaptureFixture[str], **options: str) -> tuple[int, str]:
    with pytest.raises(typer.Exit) as caught, exit_codes(options=options):
        raise error
    return caught.value.exit_code, capsys.readouterr().err


def test_foreseen_errors_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    problems = (Problem("c.toml", "is wrong; make it right", 3, "a.b"), Problem("c.toml", "is empty"))
    assert outcome(ConfigError(problems), capsys) == (2, "c.toml:3: a.b: is wrong; make it right\nc.toml: is empty\n")
    start = StartError("server.listen", "port 1 is in use; take another")
    assert outcome(start, capsys) == (2, "camgate: server.listen: port 1 is in use; take another\n")
    away = CameraAway("192.0.2.1:554", "does not answer")
    assert outcome(away, capsys) == (1, f"camgate: {away}\n")


def test_a_key_that_is_an_option_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    start = StartError("server.listen", "x; y")
    assert outcome(start, capsys, **{"server.listen": "--listen"}) == (2, "camgate: --listen: x; y\n")


def test_the_groups_of_nurseries_are_looked_into(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("", [ExceptionGroup("", [StartError("a", "b; c")])])
    assert outcome(group, capsys) == (2, "camgate: a: b; c\n")


@pytest.mark.parametrize("error", [ValueError("bug"), ExceptionGroup("", [StartError("a", "b"), ValueError("bug")])])
def test_other_errors_are_logged_whole(
    error: Exception, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert outcome(error, capsys) == (1, "")
    assert "camgate ends by an error of its own" in caplog.text
    assert "ValueError: bug" in caplog.text


def test_no_line_shows_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    register_secret("hush-exit")
    assert outcome(StartError("a", "hush-exit; rtsp://a:b@cam/"), capsys)[1] == "camgate: a: ***; rtsp://***@cam/\n"


def test_an_exit_passes() -> None:
    with pytest.raises(typer.Exit) as caught, exit_codes():
        raise typer.Exit(0)
    assert caught.value.exit_code == 0


@pytest.mark.parametrize("arguments", [("status", "--once"), ("status", "--json")])
async def test_output_that_nobody_takes_is_neither_a_fault_nor_an_answer(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    camera = {"name": "front", "state": "backoff"}
    async with web_server(lambda asked: Answer(body=json.dumps([camera]).encode())) as server:
        command = [sys.executable, "-m", "camgate", *arguments, f"--url={server.url()}"]
        here = {"cwd": tmp_path, "env": environment(tmp_path), "check": False, "capture_stderr": True}
        full = os.open("/dev/full", os.O_WRONLY)
        done = await trio.run_process(command, stdout=full, **here)
        os.close(full)
        assert (done.returncode, done.stderr) == (
            3,
            b"camgate: cannot write what there is to say: No space left on device\n",
        )
        reading, writing = os.pipe()
        os.close(reading)
        done = await trio.run_process(command, stdout=writing, **here)
        os.close(writing)
        assert (done.returncode, done.stderr) == (3, b"")
