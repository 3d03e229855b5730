"""Candidates: what the viewer came by first, then the configured, then the local ones."""

import errno
import ipaddress
import logging
import socket
import threading

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.webrtc import addresses
from camgate.serve.webrtc.addresses import MAX_NAMES, REMEMBERED_S, RESOLVE_THREADS, AddressBook, local_addresses


def test_local_addresses_are_usable_ones() -> None:
    for text in local_addresses():
        address = ipaddress.ip_address(text)
        assert not address.is_loopback
        assert not address.is_link_local


async def test_the_viewers_way_comes_first() -> None:
    assert await AddressBook(["203.0.113.7", "2001:db8::7"]).candidates("192.0.2.1") == [
        "192.0.2.1",
        "203.0.113.7",
        "2001:db8::7",
    ]


async def test_auto_adds_local_addresses_and_nothing_twice() -> None:
    found = await AddressBook(["auto", "192.0.2.1"]).candidates("192.0.2.1")
    assert found == ["192.0.2.1", *local_addresses()]


async def test_localhost_is_resolved() -> None:
    assert "127.0.0.1" in await AddressBook([]).candidates("localhost")


async def test_a_name_that_is_none_costs_nothing() -> None:
    assert await AddressBook([]).candidates("no\x00name..") == ["127.0.0.1"]
    assert await AddressBook([]).candidates(None) == ["127.0.0.1"]


async def test_a_configured_name_that_does_not_resolve_is_warned_of_once(
    mock_clock: MockClock, names: "Names", caplog: pytest.LogCaptureFixture
) -> None:
    book = AddressBook(["none.example"])
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert await book.candidates("none-of-ours.example") == ["127.0.0.1"]
        assert [record.getMessage() for record in caplog.records] == [
            "a name of webrtc.advertise does not resolve; viewers are not told of it name=none.example"
        ]
        names.known.add("none.example")
        assert await book.candidates(None) == ["192.0.2.5"]
        names.known.clear()
        mock_clock.jump(REMEMBERED_S)
        await book.candidates(None)
    assert len(caplog.records) == 2


class Names:
    """A name server: counts questions; answers those that begin with `slow` only after `released`.

    Names that begin with `none` do not exist unless they are `known`.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known: set[str] = set()
        self.released = threading.Event()

    def getaddrinfo(self, name: str, port: None, **_: object) -> list[tuple[object, ...]]:
        self.asked.append(name)
        if name.startswith("slow"):
            self.released.wait(10)
        if name.startswith("none") and name not in self.known:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("192.0.2.5", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", names.getaddrinfo)
    return names


async def test_names_and_local_addresses_are_remembered_for_a_while(
    mock_clock: MockClock, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(addresses, "local_addresses", lambda: looked.append(1) or ["192.0.2.6"])
    book = AddressBook(["auto"])
    for _ in range(3):
        assert await book.candidates("cams.example") == ["192.0.2.5", "192.0.2.6"]
    assert (names.asked, len(looked)) == (["cams.example"], 1)
    mock_clock.jump(REMEMBERED_S)
    await book.candidates("cams.example")
    assert (len(names.asked), len(looked)) == (2, 2)


async def test_only_so_many_names_are_remembered(names: Names) -> None:
    book = AddressBook([])
    for i in range(MAX_NAMES + 10):
        await book.candidates(f"cam{i}.example")
    assert len(book._names) == MAX_NAMES


async def test_who_asks_for_slow_names_takes_no_threads_from_cameras(names: Names) -> None:
    book = AddressBook([])
    free = trio.to_thread.current_default_thread_limiter().available_tokens
    async with trio.open_nursery() as nursery:
        for i in range(RESOLVE_THREADS + 2):
            nursery.start_soon(book.candidates, f"slow{i}.example")
        with trio.fail_after(10):
            while len(names.asked) < RESOLVE_THREADS:
                await trio.lowlevel.checkpoint()
        assert trio.to_thread.current_default_thread_limiter().available_tokens == free
        names.released.set()


async def test_stun_stands_for_what_the_servers_see_at_the_moment() -> None:
    seen = ["203.0.113.7"]
    book = AddressBook(["stun", "192.0.2.1"], lambda: seen)
    assert await book.candidates(None) == ["203.0.113.7", "192.0.2.1"]
    seen = ["203.0.113.9"]
    assert await book.candidates(None) == ["203.0.113.9", "192.0.2.1"]


async def test_a_viewer_that_came_by_a_machine_called_stun_has_nothing_to_do_with_it(names: Names) -> None:
    assert await AddressBook(["192.0.2.1"], lambda: ["203.0.113.7"]).candidates("stun") == ["192.0.2.5", "192.0.2.1"]


async def test_without_descriptors_what_is_known_holds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    book = AddressBook(["auto", "192.0.2.1"])
    before = await book.candidates(None)

    def no_more() -> list[str]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(addresses, "local_addresses", no_more)
    book.look_again()
    assert "cannot look at this machine's addresses" in caplog.text
    book._local_until_s = 0.0
    assert await book.candidates(None) == before
