"""A new address of this machine becomes a candidate within moments: a real one, on the loopback interface."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.webrtc import interfaces
from camgate.serve.webrtc.addresses import AddressBook
from camgate.serve.webrtc.interfaces import POLL_INTERVAL_S, open_events, watch_interfaces

ADDRESS = "198.51.100.77"  # RFC 5737: of documents, so nobody's
HANG_S = 10


def ip(action: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ip", "address", action, f"{ADDRESS}/32", "dev", "lo"], capture_output=True, check=False)


@pytest.fixture
def may_add() -> Iterator[None]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("adding an address to lo wants root and the program ip (package iproute2)")
    if ip("add").returncode:
        pytest.skip("root may add no addresses here, as in a container without NET_ADMIN")
    ip("del")
    yield
    ip("del")


async def test_an_address_that_comes_is_a_candidate_and_one_that_goes_is_none(
    may_add: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    book = AddressBook(["auto"])
    book.look_again()
    assert ADDRESS not in await book.candidates(None)
    looked = trio.Event()

    def look() -> None:
        nonlocal looked
        book.look_again()
        looked.set()
        looked = trio.Event()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_interfaces, look)
        await trio.testing.wait_all_tasks_blocked()
        for action, is_there in (("add", True), ("del", False)):
            waiting = looked
            assert ip(action).returncode == 0
            with trio.fail_after(HANG_S):
                await waiting.wait()
            assert (ADDRESS in await book.candidates(None)) == is_there
        nursery.cancel_scope.cancel()
    assert f"this machine's addresses have changed came={ADDRESS}" in caplog.text
    assert f"gone={ADDRESS}" in caplog.text


async def test_without_netlink_the_addresses_are_looked_at_now_and_then(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(interfaces, "open_events", lambda: None)
    looks: list[float] = []
    with trio.move_on_after(3.5 * POLL_INTERVAL_S):
        await watch_interfaces(lambda: looks.append(trio.current_time()))
    assert len(looks) == 3


async def test_events_that_end_are_replaced_by_looks(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(interfaces, "open_events", lambda: ours)
    looks: list[float] = []
    ours.setblocking(False)
    theirs.send(b"x")
    monkeypatch.setattr(interfaces, "_drain", failing)
    with theirs, trio.move_on_after(2.5 * POLL_INTERVAL_S):
        await watch_interfaces(lambda: looks.append(trio.current_time()))
    assert len(looks) == 2
    assert ours.fileno() == -1


def failing(_: socket.socket) -> None:
    raise OSError(5, "Input/output error")


def test_where_the_system_permits_no_netlink_there_are_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(interfaces.socket, "socket", refuse)
    assert open_events() is None
