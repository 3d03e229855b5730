"""`camgate run` in a process of its own, told in every way to read its config anew."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.fakes.accounts import CHEAP
from tests.fakes.command import DEADLINE_S, Outcome, camgate_process, environment, running_camgate

CONFIG = """
[server]
listen = "127.0.0.1:0"
[webrtc]
port = 0
"""
FRONT = '[cameras.front]\nurl = "rtsp://viewer:hush-hush@127.0.0.1:9/live"\n'
YARD = '[cameras.yard]\nurl = "rtsp://127.0.0.1:9/yard"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "camgate.toml"
    file.write_text(CONFIG + FRONT)
    return file


def write(file: Path, text: str) -> None:
    """As editors that write in place do."""
    file.write_text(text)


def replace(file: Path, text: str) -> None:
    """As editors that put another file into its place do."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def take_away(file: Path) -> None:
    file.rename(file.with_suffix(".away"))


async def test_sighup_reloads_and_a_bad_file_keeps_what_runs(file: Path) -> None:
    async with running_camgate("run", directory=file.parent) as command:
        await command.wait_line("camgate has started")
        write(file, CONFIG.replace("port = 0", "port = 9999") + FRONT + YARD + '[logging]\nlevel = "debug"\n')
        command.process.send_signal(signal.SIGHUP)
        told = await command.wait_line("the config was read anew")
        assert "by=SIGHUP added=yard settings=logging.level" in told
        await command.wait_line("webrtc.port changes at the next start")
        write(file, CONFIG + FRONT.replace("url", "ulr"))
        command.process.send_signal(signal.SIGHUP)
        assert "cameras.front" in await command.wait_line("the config is not taken, and the one before holds on")
        write(file, CONFIG + YARD)
        command.process.send_signal(signal.SIGHUP)
        assert "removed=front" in await command.wait_line("the config was read anew", nth=2)
        command.process.send_signal(signal.SIGTERM)
        assert await command.wait_end() == 0
        assert not [line for line in command.lines if "hush-hush" in line or "Traceback" in line]


async def test_a_watched_file_is_read_when_it_is_written_replaced_or_back(file: Path) -> None:
    watch = CONFIG + "[reload]\nwatch = true\n"
    write(file, watch + FRONT)
    async with running_camgate("run", directory=file.parent) as command:
        await command.wait_line("camgate has started")
        write(file, watch + FRONT + YARD)
        assert "added=yard" in await command.wait_line("the config was read anew")
        replace(file, watch + YARD)
        assert "removed=front" in await command.wait_line("the config was read anew", nth=2)
        take_away(file)
        replace(file, watch + YARD + FRONT)
        assert "added=front" in await command.wait_line("the config was read anew", nth=3)
        write(file, CONFIG + YARD)
        assert "settings=reload.watch" in await command.wait_line("the config was read anew", nth=4)
        write(file, CONFIG + YARD + FRONT)
        await trio.lowlevel.checkpoint()
        command.process.send_signal(signal.SIGHUP)
        assert "by=SIGHUP added=front" in await command.wait_line("the config was read anew", nth=5)


async def test_it_ends_when_its_terminal_is_closed(file: Path) -> None:
    ours, theirs = pty.openpty()
    process = await trio.lowlevel.open_process(
        # It gets the terminal as its own, as a shell has it.
        [sys.executable, "-c", STARTER, sys.executable, "-m", "camgate", "run"],
        cwd=file.parent,
        env=environment(file.parent),
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    assert process.stderr is not None
    told = b""
    try:
        with trio.fail_after(DEADLINE_S):
            while b"camgate has started" not in told:
                told += await process.stderr.receive_some()
            os.close(ours)
            async for data in process.stderr:
                told += data
            assert await process.wait() == 0
    finally:
        process.kill()
    assert b"camgate has stopped" in told


STARTER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


ALICE = f"""[auth.users.alice]
password_hash = "{CHEAP.hash("ecila")}"
roles = ["admin"]
"""


async def command(*arguments: str, directory: Path, **environ: str) -> Outcome:
    return await trio.to_thread.run_sync(lambda: camgate_process(*arguments, directory=directory, **environ))


async def test_the_command_reloads_over_the_control_socket_without_a_password(file: Path) -> None:
    directory = file.parent
    outcome = await command("reload", directory=directory)
    assert outcome.code == 1
    assert "no camgate runs here" in outcome.err
    state = CONFIG.replace("[server]", '[server]\nstate_directory = "state"')
    write(file, state + FRONT + ALICE)
    async with running_camgate("run", directory=directory) as running:
        await running.wait_line("camgate has started")
        assert (await command("reload", directory=directory)).out == "nothing has changed\n"
        write(file, state.replace("port = 0", "port = 9999") + FRONT.replace("hush-hush", "other") + YARD + ALICE)
        outcome = await command("reload", directory=directory)
        assert outcome.out.splitlines() == [
            "added: yard",
            "front has changed: password, and is connected to anew",
            "changes at the next start: webrtc.port",
        ]
        assert "by=root" in await running.wait_line("added=yard") or os.geteuid() != 0
        write(file, state + FRONT.replace("url", "ulr") + ALICE)
        outcome = await command("reload", directory=directory)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"{file.name}:8: cameras.front.ulr" in outcome.err
        assert "hush-hush" not in outcome.err
        running.process.send_signal(signal.SIGTERM)
        assert await running.wait_end() == 0
    assert not (directory / "camgate.sock").exists()


async def test_the_command_reloads_elsewhere_with_a_token(file: Path) -> None:
    directory = file.parent
    write(file, CONFIG.replace("[server]", '[server]\nunix_socket = ""\nstate_directory = "state"') + FRONT + ALICE)
    async with running_camgate("run", directory=directory) as running:
        url = (await running.wait_line(" ready ")).partition("url=")[2].split()[0]
        made = await command("token", "--user=alice", directory=directory)
        outcome = await command("reload", "--url", url, directory=directory, CAMGATE_TOKEN=made.out.strip())
        assert (outcome.code, outcome.out) == (0, "nothing has changed\n")
        refused = await command("reload", "--url", url, directory=directory)
        assert refused.code == 1
        assert refused.err.count("\n") == 1
