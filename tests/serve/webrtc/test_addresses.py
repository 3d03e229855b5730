"""Candidates: what the viewer came by first, then the configured, then the local ones."""

import ipaddress

from camgate.serve.webrtc.addresses import candidate_addresses, local_addresses


def test_local_addresses_are_usable_ones() -> None:
    for text in local_addresses():
        address = ipaddress.ip_address(text)
        assert not address.is_loopback
        assert not address.is_link_local


async def test_the_viewers_way_comes_first() -> None:
    assert await candidate_addresses(["203.0.113.7", "2001:db8::7"], "192.0.2.1") == [
        "192.0.2.1",
        "203.0.113.7",
        "2001:db8::7",
    ]


async def test_auto_adds_local_addresses_and_nothing_twice() -> None:
    addresses = await candidate_addresses(["auto", "192.0.2.1"], "192.0.2.1")
    assert addresses == ["192.0.2.1", *local_addresses()]


async def test_localhost_is_resolved() -> None:
    assert "127.0.0.1" in await candidate_addresses([], "localhost")


async def test_a_name_that_is_none_costs_nothing() -> None:
    assert await candidate_addresses([], "no\x00name..") == ["127.0.0.1"]
    assert await candidate_addresses([], None) == ["127.0.0.1"]
