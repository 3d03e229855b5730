"""Viewers who never connect are counted by how far they came, and a line says what was seen of them."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import MockClock

from camgate.relay.stream import Stream
from camgate.serve.webrtc.dtls import HANDSHAKE_TIMEOUT_S, Certificate, DtlsFailed, DtlsSession, sha256_fingerprint
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.failures import GIVEN_UP_S, Failure, Failures, in_words
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.peer import IceCredentials, Peer
from camgate.wire.ice import stun
from tests.fakes.endpoint import running_endpoint

REMOTE = IceCredentials("viewer", "v" * 24)
FINGERPRINTS = (("sha-256", ":".join(["AB"] * 32)),)
HANG_S = 10
LATE_S = HANDSHAKE_TIMEOUT_S + 1
CLIENT_HELLO = bytes([22, 254, 253]) + bytes(10)


def add(endpoint: Endpoint) -> Peer:
    peer = endpoint.add_peer("front", Stream("front"), HeaderProfile(96), REMOTE, FINGERPRINTS)
    peer.addresses = ["192.0.2.7"]
    return peer


class Checked:
    """A viewer whose check was answered, and what it sends from then on."""

    def __init__(self, sock: trio.socket.SocketType, endpoint: Endpoint) -> None:
        self.sock = sock
        self._to = ("127.0.0.1", endpoint.port)

    @classmethod
    @asynccontextmanager
    async def of(cls, endpoint: Endpoint, peer: Peer, *, answers: bool = True) -> AsyncIterator["Checked"]:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            viewer = cls(sock, endpoint)
            username = f"{peer.local.ufrag}:{REMOTE.ufrag}"
            pwd = peer.local.pwd.encode()
            await viewer.send(stun.build_binding_request(bytes(12), username, pwd, priority=1, tie_breaker=1))
            check = stun.parse_stun_untrusted(await sock.recv(2048))
            assert check.message_type == stun.BINDING_REQUEST
            if answers:
                await viewer.send(stun.build_binding_success(check, ("127.0.0.1", 1), REMOTE.pwd.encode()))
                assert stun.parse_stun_untrusted(await sock.recv(2048)).message_type == stun.BINDING_SUCCESS
            yield viewer

    async def send(self, datagram: bytes) -> None:
        await self.sock.sendto(datagram, self._to)


async def end(peer: Peer, clock: MockClock) -> None:
    """Let the time for the handshake pass."""
    await trio.testing.wait_all_tasks_blocked(0.02)
    clock.jump(LATE_S)
    await peer.wait_closed()
    await trio.testing.wait_all_tasks_blocked()


def counted(endpoint: Endpoint) -> dict[str, int]:
    return {reason: count for reason, count in endpoint.failures.by_reason().items() if count}


async def test_who_never_checks_is_told_of_with_the_port_and_what_it_was_told(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        with caplog.at_level(logging.WARNING):
            await end(peer, mock_clock)
        assert counted(endpoint) == {"no-check": 1}
        assert "no STUN check arrived in 16 s" in caplog.text
        assert f"UDP port {endpoint.port} not reachable from that browser; see docs/connectivity.md" in caplog.text
        assert "192.0.2.7" in caplog.text
        assert peer.session_id not in caplog.text


async def test_who_checks_and_begins_no_handshake(mock_clock: MockClock) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        async with Checked.of(endpoint, peer):
            await end(peer, mock_clock)
        assert counted(endpoint) == {"no-handshake": 1}


async def test_who_answers_no_check(mock_clock: MockClock) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        async with Checked.of(endpoint, peer, answers=False) as viewer:
            await viewer.send(CLIENT_HELLO)
            await end(peer, mock_clock)
        assert counted(endpoint) == {"no-answer": 1}


async def test_who_begins_a_handshake_and_does_not_end_it(mock_clock: MockClock) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        async with Checked.of(endpoint, peer) as viewer:
            await viewer.send(CLIENT_HELLO)
            await end(peer, mock_clock)
        assert counted(endpoint) == {"handshake-stalled": 1}


async def test_who_has_another_certificate_than_its_offer() -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        certificate = Certificate().current()
        async with Checked.of(endpoint, peer) as viewer, trio.open_nursery() as nursery:
            sending, to_send = trio.open_memory_channel[bytes](100)
            ours = [("sha-256", sha256_fingerprint(endpoint._certificate.current()))]
            session = DtlsSession(certificate, ours, sending.send_nowait, role="client")

            async def send() -> None:
                async for datagram in to_send:
                    await viewer.send(datagram)

            async def receive() -> None:
                while True:
                    data = await viewer.sock.recv(2048)
                    if 20 <= data[0] <= 63:
                        session.receive_datagram(data)

            async def shake_hands() -> None:
                with suppress(DtlsFailed):
                    await session.handshake()

            for task in (send, receive, shake_hands):
                nursery.start_soon(task)
            with trio.fail_after(HANG_S):
                await peer.wait_closed()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert counted(endpoint) == {"handshake-refused": 1}


@pytest.mark.parametrize(("after_s", "count"), [(GIVEN_UP_S - 1, 0), (GIVEN_UP_S + 1, 1)])
async def test_a_page_that_gives_up_counts_and_one_that_is_just_closed_does_not(
    mock_clock: MockClock, after_s: float, count: int
) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(after_s)
        peer.leave("the viewer left", gave_up=True)
        await peer.wait_closed()
        await trio.testing.wait_all_tasks_blocked()
        assert counted(endpoint) == ({"no-check": count} if count else {})


async def test_who_is_sent_away_has_not_failed(mock_clock: MockClock) -> None:
    async with running_endpoint() as endpoint:
        peer = add(endpoint)
        mock_clock.jump(GIVEN_UP_S + 1)
        peer.leave("the stream ended")
        await peer.wait_closed()
        await trio.testing.wait_all_tasks_blocked()
        assert counted(endpoint) == {}


def test_every_reason_is_counted_from_the_start_and_has_words() -> None:
    failures = Failures()
    assert failures.by_reason() == dict.fromkeys([failure.value for failure in Failure], 0)
    for failure in Failure:
        assert in_words(failure, "UDP port 8108", 15.2).endswith("; see docs/connectivity.md")
