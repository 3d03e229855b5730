"""STUN and TURN servers: left alone, or asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from camgate.config.model import Settings, TurnSettings, WebRtcSettings
from camgate.doctor.finding import OK, WARNING, Verdict
from camgate.doctor.servers import Asked, judge_servers, look_at_servers
from camgate.wire.ice import stun


def settings(
    stun_urls: tuple[str, ...], turn_urls: tuple[str, ...] = (), advertise: tuple[str, ...] = ("auto",)
) -> Settings:
    turn = {"own": TurnSettings(urls=turn_urls)} if turn_urls else {}
    return Settings(cameras={}, webrtc=WebRtcSettings(stun=stun_urls, turn=turn, advertise=advertise))


@asynccontextmanager
async def stun_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer Binding requests on loopback, garbage first; yields the port and what was asked."""
    asked: list[bytes] = []

    async def serve(sock: trio.socket.SocketType) -> None:
        while True:
            data, address = await sock.recvfrom(1500)
            asked.append(data)
            await sock.sendto(b"garbage", address)
            request = stun.parse_stun_untrusted(data)
            await sock.sendto(stun.build_binding_success(request, ("198.51.100.7", address[1]), b"none"), address)

    async with trio.open_nursery() as nursery:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            nursery.start_soon(serve, sock)
            yield sock.getsockname()[1], asked
            nursery.cancel_scope.cancel()


async def test_nothing_is_asked_unless_that_was_wished() -> None:
    async with stun_server() as (port, asked):
        (finding,) = await look_at_servers(settings((f"stun:127.0.0.1:{port}",)), is_asked=False)
        assert (finding.verdict, "--outside asks them" in finding.what) == (OK, True)
        assert asked == []
        (nothing,) = await look_at_servers(settings(()), is_asked=True)
        assert nothing.verdict is OK


async def test_the_address_that_a_server_sees_is_held_against_what_viewers_are_told() -> None:
    async with stun_server() as (port, asked):
        url = f"stun:127.0.0.1:{port}"
        answers, not_told = await look_at_servers(settings((url,)), is_asked=True)
        assert answers.what == f"{url} answers, and sees this machine as 198.51.100.7"
        assert (not_told.verdict, 'advertise = ["auto", "stun"]' in not_told.to_do) == (WARNING, True)
        for told in (("auto", "stun"), ("198.51.100.7",)):
            assert len(await look_at_servers(settings((url,), advertise=told), is_asked=True)) == 1
    assert asked


async def test_a_turn_server_by_tcp_and_one_that_is_not_there() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, _hang_up, 0)
        port = listeners[0].socket.getsockname()[1]
        there = f"turn:127.0.0.1:{port}?transport=tcp"
        gone = "turns:127.0.0.1:9"
        findings = await look_at_servers(settings((), (there, gone)), is_asked=True)
        nursery.cancel_scope.cancel()
    assert [finding.verdict for finding in findings] == [OK, WARNING]


async def _hang_up(stream: trio.SocketStream) -> None:
    await stream.aclose()


@pytest.mark.parametrize(("seen", "expected"), [(None, [WARNING]), ("192.0.2.1", [OK, WARNING])])
def test_judgements(seen: str | None, expected: list[Verdict]) -> None:
    asked = [Asked("stun:stun.example.org:3478", seen is not None, seen)]
    assert [finding.verdict for finding in judge_servers(settings(()), asked)] == expected
