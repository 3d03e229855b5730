"""What camgate says over a real datagram socket, and that nothing on the other end can hold it up or end it."""

import itertools
import os
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from camgate.service.notify import Notifier, open_notifier
from tests.fakes.service_manager import ServiceManager


def test_a_life_in_messages(manager: ServiceManager) -> None:
    with closing(Notifier(manager.address)) as notifier:
        notifier.ready("1 of 1 cameras live")
        notifier.status("1 of 1 cameras live")
        notifier.status("0 of 1 cameras live")
        notifier.alive()
        before_us = time.monotonic_ns() // 1000
        with notifier.reloading():
            reloading = manager.heard()
        after_us = time.monotonic_ns() // 1000
        notifier.stopping()
        for too_late in (notifier.alive, lambda: notifier.status("late"), lambda: notifier.ready("late")):
            too_late()
    assert reloading[:3] == ["READY=1\nSTATUS=1 of 1 cameras live", "STATUS=0 of 1 cameras live", "WATCHDOG=1"]
    state, since = reloading[3].split("\nMONOTONIC_USEC=")
    assert state == "RELOADING=1"
    assert before_us <= int(since) <= after_us
    assert manager.heard() == ["READY=1", "STOPPING=1\nSTATUS=stopping"]


def test_a_reload_that_fails_is_over_as_well(manager: ServiceManager) -> None:
    with closing(Notifier(manager.address)) as notifier:
        notifier.ready("")
        with pytest.raises(ValueError, match="bad config"), notifier.reloading():
            raise ValueError("bad config")
    assert manager.heard()[-1] == "READY=1"


def test_a_reload_during_the_start_does_not_end_the_start(manager: ServiceManager) -> None:
    with closing(Notifier(manager.address)) as notifier, notifier.reloading():
        pass
    assert manager.heard() == []


def test_an_abstract_socket() -> None:
    with closing(ServiceManager(f"@camgate-test-{os.getpid()}")) as manager:
        with closing(Notifier(manager.address)) as notifier:
            notifier.ready("up")
        assert manager.heard() == ["READY=1\nSTATUS=up"]


async def test_nothing_is_opened_where_nobody_listens() -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with open_notifier({}) as notifier:
        notifier.ready("up")
        notifier.alive()
        with notifier.reloading():
            pass
        assert len(os.listdir("/proc/self/fd")) == before
        assert not notifier.is_heard


@pytest.mark.parametrize("address", ["/nowhere/at/all", "vsock:2:1234", "/" + 200 * "a"])
def test_a_socket_that_cannot_be_used_is_said_once(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Notifier(address)) as notifier:
        notifier.ready("up")
        notifier.alive()
        notifier.stopping()
    assert len(caplog.records) == 1


def test_one_that_was_closed_meanwhile_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager.at(tmp_path)
    with closing(Notifier(manager.address)) as notifier:
        notifier.ready("up")
        manager.close()
        notifier.alive()
        notifier.alive()
    (record,) = caplog.records
    assert "cannot tell the service manager how camgate does" in record.getMessage()


def fill(manager: ServiceManager) -> int:
    """Let its socket take what it takes while it does not read; returns how many messages that are."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as other:
        for count in itertools.count():
            try:
                other.sendto(b"other", manager.address)
            except BlockingIOError:
                return count
    raise AssertionError("it takes everything")


def test_a_state_waits_until_there_is_room_and_a_sign_of_life_does_not(manager: ServiceManager) -> None:
    count = fill(manager)
    with closing(Notifier(manager.address)) as notifier:
        notifier.ready("up")
        notifier.alive()
        notifier.status("later")
        assert manager.heard() == count * ["other"]
        notifier.status("later")
        notifier.alive()
        before = manager.heard()
        fill(manager)
        notifier.stopping()
        manager.heard()
    assert manager.heard() == ["STOPPING=1\nSTATUS=stopping"]
    assert before == ["READY=1\nSTATUS=up", "STATUS=later", "WATCHDOG=1"]
