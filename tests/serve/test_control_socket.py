"""The control socket: who finds it, who may connect, and what becomes of one that was left behind."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from camgate.serve.control_socket import MAX_PATH_BYTES, open_control_socket, who_connected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "s"


async def test_it_is_for_its_owner_and_group_and_gone_in_the_end(path: Path) -> None:
    with open_control_socket(path) as listener:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert os.listdir(path.parent) == [path.name]
        async with await trio.open_unix_socket(path), await listener.accept() as accepted:
            assert who_connected(accepted.socket) == ("root" if os.geteuid() == 0 else f"user {os.geteuid()}")
    assert os.listdir(path.parent) == []


async def test_what_a_crash_has_left_is_replaced_and_one_that_is_used_is_not(path: Path) -> None:
    os.mkdir(path.parent)
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    with open_control_socket(path):
        with pytest.raises(OSError, match="another camgate listens there") as refused, open_control_socket(path):
            pass
        assert refused.value.errno == errno.EADDRINUSE
        async with await trio.open_unix_socket(path):
            pass
    assert os.listdir(path.parent) == []


def test_a_successors_socket_is_left_alone(path: Path) -> None:
    with open_control_socket(path):
        path.unlink()
        path.write_text("somebody else's by now")
    assert path.exists()


@pytest.mark.parametrize("kind", ["a file", "too long"])
def test_what_cannot_be_is_said(path: Path, kind: str) -> None:
    path.parent.mkdir()
    if kind == "a file":
        path.write_text("precious")
    else:
        path = path.with_name("x" * MAX_PATH_BYTES)
    with pytest.raises(OSError, match=r"something else is there|longer than 107 bytes"), open_control_socket(path):
        pass
    assert kind == "too long" or path.read_text() == "precious"
