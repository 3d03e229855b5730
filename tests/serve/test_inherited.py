"""Sockets that are open before we run: which are taken for which address, and what is said of all others."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from camgate.serve import inherited as module
from camgate.serve.inherited import Inherited
from camgate.serve.listeners import addresses, open_listeners
from tests.fakes.command import DEADLINE_S, environment

AS_SYSTEMD_DOES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack, host: str = "127.0.0.1", *, both: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
    one.bind((host, 0))
    one.listen()
    return one


def handed_over(monkeypatch: pytest.MonkeyPatch, stack: ExitStack, *sockets: socket.socket | BinaryIO) -> Inherited:
    """Have these where systemd puts them, from some descriptor on that is free here."""
    first = 200
    for place, one in enumerate(sockets):
        os.dup2(one.fileno(), first + place)
    monkeypatch.setattr(module, "FIRST", first)
    found = Inherited.of({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets))})
    stack.callback(found.close)
    return found


async def test_a_socket_that_is_open_already_is_listened_on(monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    one, other = listening(stack), listening(stack)
    port = one.getsockname()[1]
    inherited = handed_over(monkeypatch, stack, one, other)
    (listener,) = await open_listeners(f"127.0.0.1:{port}", inherited)
    assert addresses([listener]) == [("127.0.0.1", port)]
    assert not listener.socket.get_inheritable()
    assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await listener.aclose()
    assert inherited.take(f"127.0.0.1:{port}") == []
    assert inherited.take("localhost:0") == []


async def test_what_is_no_socket_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, stack: ExitStack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = listening(stack)
    file = stack.enter_context((tmp_path / "file").open("wb"))
    inherited = handed_over(monkeypatch, stack, file, one)
    assert "left alone: Socket operation on non-socket" in caplog.text
    (taken,) = inherited.take(f"127.0.0.1:{one.getsockname()[1]}")
    assert stack.enter_context(taken).getsockname() == one.getsockname()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(module.FIRST)


def listening_everywhere(stack: ExitStack) -> tuple[socket.socket, socket.socket, int]:
    """Listen at the same port by IPv6 and by IPv4; the latter may be somebody else's."""
    while True:
        six = listening(stack, "::")
        port = six.getsockname()[1]
        four = stack.enter_context(socket.socket())
        with suppress(OSError):
            four.bind(("0.0.0.0", port))
            four.listen()
            return six, four, port


async def test_all_addresses_are_one_of_each_family(monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    six, four, port = listening_everywhere(stack)
    listeners = await open_listeners(f"[::]:{port}", handed_over(monkeypatch, stack, six, four))
    assert sorted(addresses(listeners)) == [("0.0.0.0", port), ("::", port)]
    for listener in listeners:
        await listener.aclose()


def test_what_cannot_be_used_or_is_not_wanted_is_said(
    monkeypatch: pytest.MonkeyPatch, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent = stack.enter_context(socket.socket())
    both, unwanted = listening(stack, "::", both=True), listening(stack)
    inherited = handed_over(monkeypatch, stack, datagrams, silent, both, unwanted)
    said = [record.getMessage() for record in caplog.records]
    assert [("ListenStream=ADDRESS:PORT" in line, "BindIPv6Only=ipv6-only" in line) for line in said] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    inherited.close()
    assert f"address=127.0.0.1 port={unwanted.getsockname()[1]}" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    "environ",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "all"}],
)
def test_what_is_for_another_process_is_not_taken(environ: dict[str, str]) -> None:
    assert Inherited.of(environ).take("127.0.0.1:8107") == []


def test_camgate_serves_on_what_systemd_has_opened(stack: ExitStack, tmp_path: Path) -> None:
    one = listening(stack)
    port = one.getsockname()[1]
    (tmp_path / "camgate.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\nunix_socket = ""\n[webrtc]\nport = 0\n'
        '[cameras.front]\nurl = "rtsp://127.0.0.1:9/live"\n'
    )
    command = [sys.executable, "-c", AS_SYSTEMD_DOES, str(one.fileno()), "-m", "camgate", "run"]
    with (
        (tmp_path / "err").open("w+b") as err,
        subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stderr=err, pass_fds=[one.fileno()]) as run,
    ):
        try:
            # It waits in the socket's queue until camgate is there.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=DEADLINE_S) as answer:
                assert answer.status == 200
        finally:
            run.terminate()
            run.wait(DEADLINE_S)
    assert "handed over" not in (tmp_path / "err").read_text()
    assert run.returncode == 0
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S):
        pass  # systemd's own is open as before: whoever comes now waits for the next camgate
