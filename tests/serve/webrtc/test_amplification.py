"""Nobody can have us send more to an address than came from it, until somebody there has answered a check of ours.

Viewers here forge source addresses, as only who has joined could; time is virtual, and nothing has sockets.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from camgate.relay.stream import Stream
from camgate.serve.datagrams import Address
from camgate.serve.webrtc.dtls import Certificate, DtlsSession
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.path import MAX_EARLY_DATAGRAMS, OfferCredit
from camgate.serve.webrtc.peer import IceCredentials
from camgate.wire.ice import stun
from tests.fakes.crowd import FINGERPRINTS, REMOTE, FakePort

OFFER_BYTES = 400
HOME = "192.0.2.1"
"""Where the offer came from."""
VIEWERS = [(HOME, 1), (HOME, 2), ("192.0.2.2", 1)]
"""Addresses at which the viewer is, and sees what comes."""
BYSTANDERS = [(HOME, 3), ("198.51.100.7", 1), ("198.51.100.7", 2)]
SUCCESS, REQUEST = stun.BINDING_SUCCESS, stun.BINDING_REQUEST


class Attacker:
    """A viewer with a session, who counts what goes where."""

    def __init__(self, endpoint: Endpoint, credit: OfferCredit) -> None:
        self.endpoint = endpoint
        self.port = FakePort()
        self.peer = endpoint.add_peer("front", Stream("front"), HeaderProfile(96), REMOTE, FINGERPRINTS, offer=credit)
        self.sent_bytes = Counter[Address]()
        """By the attacker, in the name of each address."""
        self.proven: set[Address] = set()
        self._numbers = count(1)

    def send(self, datagram: bytes, source: Address) -> None:
        self.sent_bytes[source] += len(datagram)
        self.endpoint._dispatch_untrusted(self.port, datagram, [], source)  # type: ignore[arg-type]

    def check(self, source: Address, *, nominate: bool = True, number: int | None = None) -> None:
        """Send a check of the size that Chromium's have; `number` repeats one."""
        datagram = stun.build_binding_request(
            (number or next(self._numbers)).to_bytes(12, "big"),
            f"{self.peer.local.ufrag}:{self.peer.remote_ufrag}",
            self.peer.local.pwd.encode(),
            priority=1,
            tie_breaker=1,
            use_candidate=nominate,
            controlling=True,
        )
        self.send(datagram, source)

    def stun_at(self, address: Address, kind: int) -> list[stun.StunMessage]:
        """What of a kind of STUN message has come there."""
        inbox = [data for _, data in self.port.inboxes[address] if data[0] < 4]
        return [message for message in map(stun.parse_stun_untrusted, inbox) if message.message_type == kind]

    def dtls_at(self, address: Address) -> list[bytes]:
        return [data for _, data in self.port.inboxes[address] if 20 <= data[0] <= 63]

    def answer(self, address: Address, *, seen_at: Address | None = None, pwd: str = "") -> bool:
        """Answer the last check that came to an address, in its name or another's; False when none came."""
        checks = self.stun_at(seen_at or address, REQUEST)
        if not checks:
            return False
        pwd = pwd or self.peer._remote.pwd
        self.send(stun.build_binding_success(checks[-1], (HOME, 1), pwd.encode()), address)
        return True

    def received_bytes(self, address: Address) -> int:
        return sum(len(data) for _, data in self.port.inboxes[address])

    def look(self) -> None:
        """Nothing unproven got more than it sent, the offer of its host included."""
        surplus = {
            address: self.received_bytes(address) - self.sent_bytes[address]
            for address in tuple(self.port.inboxes)
            if address not in self.proven
        }
        assert all(more <= 0 for address, more in surplus.items() if address[0] != HOME)
        assert sum(max(0, more) for address, more in surplus.items() if address[0] == HOME) <= OFFER_BYTES


@asynccontextmanager
async def attacking(credit: OfferCredit | None = None) -> AsyncIterator[Attacker]:
    endpoint = Endpoint()
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        yield Attacker(endpoint, credit or OfferCredit())
        nursery.cancel_scope.cancel()


async def client_hello() -> bytes:
    """The first datagram of a real handshake."""
    sent: list[bytes] = []
    session = DtlsSession(Certificate().current(), FINGERPRINTS, sent.append, role="client")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.handshake)
        while not sent:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    return sent[0]


ANYWHERE = st.sampled_from(VIEWERS + BYSTANDERS)
CHECKS = st.tuples(st.just("check"), ANYWHERE, st.booleans())
ANSWERS = st.tuples(st.just("answer"), st.sampled_from(VIEWERS))
LIES = st.tuples(st.just("lie"), ANYWHERE, ANYWHERE, st.booleans())
HELLOS = st.tuples(st.just("hello"), ANYWHERE)
GARBAGE = st.tuples(
    st.just("garbage"), ANYWHERE, st.sampled_from([b"", b"\0", b"\x16", b"\x80\xc9"]), st.integers(0, 1_400)
)
OTHERS = st.tuples(st.sampled_from(["wait", "restart"]))
STEPS = st.lists(CHECKS | HELLOS | ANSWERS | CHECKS | LIES | GARBAGE | OTHERS, max_size=40)


@given(steps=STEPS)
def test_nothing_unproven_gets_more_than_it_sends(steps: list[tuple[object, ...]]) -> None:
    trio.run(_attack, steps, clock=trio.testing.MockClock(autojump_threshold=0))


async def _attack(steps: list[tuple[object, ...]]) -> None:
    hello = await client_hello()
    async with attacking(OfferCredit(HOME, OFFER_BYTES)) as attacker:
        for step in steps:
            await _take(attacker, step, hello)
            attacker.look()
        # Whatever waited for its timer.
        await trio.sleep(1)
        attacker.look()


async def _take(attacker: Attacker, step: tuple[object, ...], hello: bytes) -> None:
    match step:
        case ("check", tuple(source), bool(nominate)):
            attacker.check(source, nominate=nominate)
        case ("answer", tuple(source)):
            # Before it is sent: with the proof may come all that waited.
            if attacker.stun_at(source, REQUEST):
                attacker.proven.add(source)
                attacker.answer(source)
        case ("lie", tuple(source), tuple(seen_at), bool(wrong)):
            if wrong or (source != seen_at and source not in attacker.proven):
                attacker.answer(source, seen_at=seen_at, pwd="not the password" if wrong else "")
        case ("hello", tuple(source)):
            attacker.send(hello, source)
        case ("garbage", tuple(source), bytes(start), int(size)):
            attacker.send(start + os.urandom(size), source)
        case ("wait",):
            await trio.sleep(0.3)
        case ("restart",):
            remote = IceCredentials(os.urandom(4).hex(), os.urandom(16).hex())
            attacker.endpoint.restart_ice(attacker.peer, remote)
        case _:
            raise AssertionError(step)


async def test_the_proof_costs_a_strange_address_one_round_trip_and_no_timer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Our check comes first, as it is the smaller part; with its answer comes all that waited."""
    hello = await client_hello()
    async with attacking() as attacker:
        attacker.check(VIEWERS[0])
        assert len(attacker.stun_at(VIEWERS[0], REQUEST)) == 1
        assert not attacker.stun_at(VIEWERS[0], SUCCESS)
        assert attacker.peer.address == "192.0.2.1:1"
        attacker.send(hello, VIEWERS[0])
        began_s = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        attacker.look()
        attacker.answer(VIEWERS[0])
        [success] = attacker.stun_at(VIEWERS[0], SUCCESS)
        assert success.transaction_id == (1).to_bytes(12, "big")
        await trio.testing.wait_all_tasks_blocked()
        assert attacker.dtls_at(VIEWERS[0])
        assert trio.current_time() == began_s


async def test_where_the_offer_came_from_nothing_waits() -> None:
    async with attacking(OfferCredit(HOME, OFFER_BYTES)) as attacker:
        attacker.check(VIEWERS[0])
        first, second = (data for _, data in attacker.port.inboxes[VIEWERS[0]])
        assert stun.parse_stun_untrusted(first).message_type == SUCCESS
        assert stun.parse_stun_untrusted(second).message_type == REQUEST


async def test_an_offer_pays_once_for_all_ports_of_its_host() -> None:
    async with attacking(OfferCredit(HOME, OFFER_BYTES)) as attacker:
        bystanders = [(HOME, 1_000 + number) for number in range(30)]
        for bystander in bystanders:
            attacker.check(bystander)
        extra = sum(attacker.received_bytes(each) - attacker.sent_bytes[each] for each in bystanders)
        assert 0 < extra <= OFFER_BYTES
        assert len(attacker.stun_at(bystanders[-1], REQUEST)) == 1


@pytest.mark.parametrize("written", ["192.0.2.1", "::ffff:192.0.2.1", ""])
def test_whose_offer_it_was(written: str) -> None:
    credit = OfferCredit(written, OFFER_BYTES)
    assert credit.left_bytes(HOME) == (OFFER_BYTES if written else 0)
    assert credit.left_bytes("192.0.2.2") == 0
    assert credit.left_bytes("") == 0


async def test_a_check_of_ours_that_was_lost_is_sent_again() -> None:
    async with attacking() as attacker:
        viewer = VIEWERS[0]
        attacker.check(viewer)
        for _ in range(3):
            attacker.check(viewer)
            attacker.look()
        assert len(attacker.stun_at(viewer, REQUEST)) > 1
        assert len(attacker.stun_at(viewer, SUCCESS)) == 3, "the first one's answer waits no more, with newer ones sent"


async def test_a_handshake_that_is_begun_again_has_us_check_again() -> None:
    """So whoever lost our first check need not wait for its own next one."""
    hello = await client_hello()
    async with attacking() as attacker:
        attacker.check(VIEWERS[0])
        attacker.send(hello, VIEWERS[0])
        checks = len(attacker.stun_at(VIEWERS[0], REQUEST))
        attacker.send(hello, VIEWERS[0])
        assert len(attacker.stun_at(VIEWERS[0], REQUEST)) == checks + 1
        attacker.look()


async def test_early_dtls_is_bounded_and_pins_nothing() -> None:
    hello = await client_hello()
    async with attacking() as attacker:
        forged, viewer = BYSTANDERS[1], VIEWERS[0]
        attacker.check(forged)
        for _ in range(3 * MAX_EARLY_DATAGRAMS):
            attacker.send(hello, forged)
        assert all(len(path.early) <= MAX_EARLY_DATAGRAMS for path in attacker.peer.paths.values())
        attacker.check(viewer)
        attacker.answer(viewer)
        attacker.send(hello, viewer)
        await trio.testing.wait_all_tasks_blocked()
        assert attacker.dtls_at(viewer)
        assert not attacker.dtls_at(forged)
        assert attacker.peer.address == "192.0.2.1:1"


@pytest.mark.parametrize("kind", ["another id", "another password", "another address"])
async def test_what_is_no_proof(kind: str) -> None:
    hello = await client_hello()
    async with attacking() as attacker:
        viewer, forged = VIEWERS[0], BYSTANDERS[1]
        for address in (viewer, forged):
            attacker.check(address)
        attacker.send(hello, forged)
        match kind:
            case "another id":
                check = stun.parse_stun_untrusted(
                    stun.build_binding_request(bytes(12), "a:b", b"", priority=1, tie_breaker=1)
                )
                attacker.send(stun.build_binding_success(check, (HOME, 1), REMOTE.pwd.encode()), forged)
            case "another password":
                attacker.answer(forged, pwd="x" * 24)
            case _:
                attacker.answer(forged, seen_at=viewer)
        await trio.testing.wait_all_tasks_blocked()
        attacker.look()
        assert not attacker.dtls_at(forged)
        assert not attacker.stun_at(forged, SUCCESS)
