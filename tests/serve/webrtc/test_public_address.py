"""How STUN servers see the viewers' port: asked from that very port, of servers on real sockets that may lie."""

import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.public_address import INTERVAL_S, PublicAddress, StunQuestions
from camgate.wire.ice import stun

HANG_S = 10
Mapping = tuple[str, int]


class StunServer:
    """Answers as it is told to, and notes who asks. sees: what it says, given what it sees; None for nothing."""

    def __init__(self, sock: trio.socket.SocketType, sees: Callable[[Mapping], Mapping | None]) -> None:
        self._sock = sock
        self._sees = sees
        self.asked: list[Mapping] = []
        self.url = f"stun:127.0.0.1:{sock.getsockname()[1]}"

    async def run(self) -> None:
        with self._sock:
            while True:
                data, source = await self._sock.recvfrom(2048)
                self.asked.append(source)
                mapped = self._sees(source)
                if mapped is not None:
                    request = stun.parse_stun_untrusted(data)
                    await self._sock.sendto(stun.build_binding_success(request, mapped, b"nobody's"), source)


@asynccontextmanager
async def serving(*sees: Callable[[Mapping], Mapping | None]) -> AsyncIterator[tuple[Endpoint, list[StunServer]]]:
    """An endpoint, and servers beside it."""
    endpoint = Endpoint()
    endpoint.bind(0)
    async with trio.open_nursery() as nursery:
        servers = []
        for each in sees:
            sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            await sock.bind(("127.0.0.1", 0))
            servers.append(StunServer(sock, each))
            nursery.start_soon(servers[-1].run)
        await nursery.start(endpoint.run)
        yield endpoint, servers
        nursery.cancel_scope.cancel()
    endpoint.close()


def ask(endpoint: Endpoint, servers: list[StunServer]) -> PublicAddress:
    return PublicAddress([server.url for server in servers], endpoint.questions, lambda: endpoint.port)


def as_it_is(source: Mapping) -> Mapping:
    return source


def silent(_: Mapping) -> None:
    return None


async def test_it_is_asked_from_the_port_that_viewers_send_to() -> None:
    async with serving(as_it_is) as (endpoint, servers):
        public = ask(endpoint, servers)
        assert public.addresses() == []
        with trio.fail_after(HANG_S):
            await public.look()
        assert servers[0].asked == [("127.0.0.1", endpoint.port)]
        assert public.addresses() == ["127.0.0.1"]
        assert public.other_ports() == []
        assert not endpoint.questions.are_open


async def test_a_port_that_the_nat_has_changed_is_known_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(lambda _: ("203.0.113.7", 40_000)) as (endpoint, servers):
        public = ask(endpoint, servers)
        with caplog.at_level(logging.INFO), trio.fail_after(HANG_S):
            await public.look()
            await public.look()
        assert public.addresses() == ["203.0.113.7"]
        assert public.other_ports() == [("203.0.113.7", 40_000)]
        assert caplog.text.count("STUN server sees our port") == 1
        assert f"the NAT has another port for us: forward UDP port {endpoint.port}" in caplog.text


async def test_two_servers_that_see_two_ports_mean_a_symmetric_nat(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(lambda _: ("203.0.113.7", 40_000), lambda _: ("203.0.113.7", 40_001)) as (endpoint, servers):
        public = ask(endpoint, servers)
        with caplog.at_level(logging.INFO), trio.fail_after(HANG_S):
            await public.look()
        assert public.addresses() == ["203.0.113.7"]
        assert "the NAT gives each server another port" in caplog.text
        assert "configure a TURN server" in caplog.text


async def test_servers_that_are_silent_are_warned_of_once_and_what_was_known_stays(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05  # for real sockets
    answers: list[Mapping | None] = [("203.0.113.7", 5), None, None, None]
    async with serving(lambda _: answers[0]) as (endpoint, servers):
        public = ask(endpoint, servers)
        with caplog.at_level(logging.INFO):
            await public.look()
            for _ in range(2):
                answers[0] = None
                await public.look()
            assert caplog.text.count("no STUN server answers") == 1
            assert "203.0.113.7" in caplog.text
            assert public.addresses() == ["203.0.113.7"]
            answers[0] = ("203.0.113.9", 5)
            await public.look()
        assert public.addresses() == ["203.0.113.9"]
        assert len(servers[0].asked) == 1 + 4 + 4 + 1, "a question is repeated, three times"


async def test_one_silent_server_does_not_matter(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with serving(silent, as_it_is) as (endpoint, servers):
        public = ask(endpoint, servers)
        await public.look()
        assert public.addresses() == ["127.0.0.1"]


async def test_it_is_asked_again_and_again(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with serving(as_it_is) as (endpoint, servers), trio.open_nursery() as nursery:
        nursery.start_soon(ask(endpoint, servers).run)
        await trio.sleep(2.5 * INTERVAL_S)
        assert len(servers[0].asked) == 3
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("url", ["stun:none.invalid", "stun:[2001:db8::1]:9"])
async def test_a_server_that_cannot_be_reached_is_none_that_answers(url: str, autojump_clock: MockClock) -> None:
    public = PublicAddress([url], StunQuestions(lambda *_: False), lambda: 5)
    autojump_clock.autojump_threshold = 1
    await public.look()
    assert public.addresses() == []


@pytest.mark.parametrize("mapped", [("0.0.0.0", 5), ("224.0.0.1", 5), ("203.0.113.7", 0), None])
async def test_an_address_that_nobody_can_have_is_not_taken(mapped: Mapping | None) -> None:
    questions = StunQuestions(lambda data, _: sent.append(data) or True)
    sent: list[bytes] = []
    server = ("192.0.2.1", 3478)
    async with trio.open_nursery() as nursery:
        answers: list[Mapping | None] = []

        async def question() -> None:
            answers.append(await questions.ask(server))

        nursery.start_soon(question)
        await trio.testing.wait_all_tasks_blocked()
        request = stun.parse_stun_untrusted(sent[0])
        answer = (
            request if mapped is None else stun.parse_stun_untrusted(stun.build_binding_success(request, mapped, b"x"))
        )
        questions.receive_untrusted(answer, ("192.0.2.66", 3478))
        await trio.testing.wait_all_tasks_blocked()
        assert answers == [], "an answer of somebody else is none"
        questions.receive_untrusted(answer, server)
    assert answers == [None]
