"""Places: who gets one, who must go for others, and what is counted."""

from contextlib import ExitStack

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from camgate.serve.rtsp.errors import TooManyClients
from camgate.serve.rtsp.guests import Guest, Guests


@pytest.fixture
async def stack(autojump_clock: MockClock) -> ExitStack:
    return ExitStack()


def enter(stack: ExitStack, guests: Guests, *networks: str) -> list[Guest]:
    entered = [Guest(network, f"{network}:{number}") for number, network in enumerate(networks)]
    for guest in entered:
        stack.enter_context(guests.enter(guest))
    return entered


def cut_off(guests: list[Guest]) -> list[bool]:
    return [guest.scope.cancel_called for guest in guests]


async def test_the_oldest_of_the_busiest_address_goes(stack: ExitStack) -> None:
    guests = Guests(max_clients=9, max_clients_per_address=9, max_strangers=4)
    entered = enter(stack, guests, "a", "b", "b", "b", "c")
    assert cut_off(entered) == [False, True, False, False, False]
    entered += enter(stack, guests, "b")
    assert cut_off(entered) == [False, True, True, False, False, False]
    assert guests.statistics().strangers == 4


async def test_who_plays_is_no_stranger(stack: ExitStack) -> None:
    guests = Guests(max_clients=9, max_clients_per_address=9, max_strangers=1)
    (player,) = enter(stack, guests, "a")
    guests.play(player, "front")
    strangers = enter(stack, guests, "a", "a")
    assert cut_off([player, *strangers]) == [False, True, False]
    assert guests.count_by_camera() == {"front": 1}


async def test_places_are_limited_in_total_and_for_an_address(stack: ExitStack) -> None:
    guests = Guests(max_clients=3, max_clients_per_address=2)
    first, second, third, fourth, fifth = enter(stack, guests, "a", "a", "a", "b", "c")
    guests.play(first, "front")
    guests.play(second, "front")
    with pytest.raises(TooManyClients, match=r"All 2 places .*max_clients_per_address"):
        guests.play(third, "front")
    guests.play(fourth, "yard")
    with pytest.raises(TooManyClients, match=r"All 3 places .*\(rtsp_server.max_clients\)"):
        guests.play(fifth, "yard")
    assert guests.statistics().refused == 2


async def test_figures_outlive_those_who_left() -> None:
    guests = Guests(max_clients=3, max_clients_per_address=3)
    guest = Guest("a", "a:1", user="viewer", transport="udp")
    with guests.enter(guest):
        guests.play(guest, "front")
        guest.bytes_sent, guest.packets_sent, guest.dropped_frames = 1000, 2, 3
        await trio.lowlevel.checkpoint()
        (client,) = guests.clients()
        assert (client.camera, client.address, client.user, client.transport) == ("front", "a:1", "viewer", "udp")
        assert (client.bytes_sent, client.packets_sent, client.dropped_frames) == (1000, 2, 3)
    statistics = guests.statistics()
    assert (statistics.clients, statistics.strangers, statistics.accepted) == (0, 0, 1)
    assert (statistics.bytes_sent, statistics.dropped_frames) == (1000, 3)
