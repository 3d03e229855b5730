"""A login on the command line is gone from the process list, and the command still gets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.fakes.command import environment, running_camgate

SHOW = """
import json, os, sys
from camgate.cli.argv import credentials_were_given, hide_credentials
hide_credentials()
line = open("/proc/self/cmdline", "rb").read().split(b"\\0")[:-1]
print(json.dumps({
    "argv": [os.fsencode(a).hex() for a in sys.argv],
    "line": [a.hex() for a in line],
    "environ": sorted(os.environ),
    "descriptors": len(os.listdir("/proc/self/fd")),
    "given": credentials_were_given(),
}))
"""


def shown(*arguments: bytes | str) -> dict[str, list[bytes]]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *arguments], env=environment(Path()), capture_output=True, check=True
    )
    result = json.loads(done.stdout)
    return result | {key: list(map(bytes.fromhex, result[key])) for key in ("argv", "line")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["probe", "rtsp://admin:hush@cam/live", "--json"],
        ["init", "--camera=front=rtsp://admin:hu sh@cam", "", "a\nb", b"\xff\xfe", "é"],
        ["rtsp://cam/?password=hush"],
    ],
)
def test_hidden_and_handed_over(arguments: list[bytes | str]) -> None:
    result = shown(*arguments)
    plain = shown(*(b"x" for _ in arguments))
    assert result["argv"] == [b"-c", *map(os.fsencode, arguments)]
    assert b"hush" not in b" ".join(result["line"])
    assert result["line"][:2] == plain["line"][:2]
    assert len(result["line"]) == len(plain["line"])
    assert result["given"]
    assert result["environ"] == plain["environ"]
    assert result["descriptors"] == plain["descriptors"]


def test_nothing_happens_without_a_login() -> None:
    result = shown("probe", "rtsp://cam/live")
    assert result["argv"] == [b"-c", b"probe", b"rtsp://cam/live"]
    assert result["line"][3:] == [b"probe", b"rtsp://cam/live"]
    assert not result["given"]


@pytest.mark.parametrize("descriptor", ["", "x", "-1", "999"])
def test_a_wrong_handover_is_ignored(descriptor: str) -> None:
    command = [sys.executable, "-c", SHOW, "probe"]
    done = subprocess.run(
        command, env=environment(Path(), CAMGATE_ARGUMENTS_FD=descriptor), capture_output=True, check=True
    )
    assert list(map(bytes.fromhex, json.loads(done.stdout)["argv"])) == [b"-c", b"probe"]


async def test_while_a_camera_is_probed_nobody_reads_its_login(tmp_path: Path) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with (
        listener,
        running_camgate("probe", f"rtsp://admin:hush-hush@127.0.0.1:{port}/", directory=tmp_path) as command,
    ):
        with trio.fail_after(60):
            client = await listener.accept()
        async with client:
            entry = Path(f"/proc/{command.process.pid}")
            assert b"rtsp://***@127.0.0.1" in (entry / "cmdline").read_bytes()
            for name in ("cmdline", "environ"):
                assert b"hush-hush" not in (entry / name).read_bytes()


def test_ctrl_c_before_there_is_a_command_is_no_traceback() -> None:
    broken_off = "import sys, camgate.__main__ as m\ndef run(): raise KeyboardInterrupt\nm.run = run\nm.main()\n"
    done = subprocess.run([sys.executable, "-c", broken_off], env=environment(Path()), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
