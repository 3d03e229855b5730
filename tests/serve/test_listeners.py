"""Listening: what is bound, and what is said when it cannot be."""

import errno
import os
import resource
import socket

import pytest
import trio
import trio.testing

from camgate.serve.listeners import AGAIN_S, DEAD_AFTER_S, PatientListener, addresses, are_all_loopback, open_listeners


async def test_a_port_in_use_is_named() -> None:
    (first,) = await open_listeners("127.0.0.1:0")
    async with first:
        port = addresses([first])[0][1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use") as failed:
            await open_listeners(f"127.0.0.1:{port}")
        assert failed.value.errno == errno.EADDRINUSE


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: Cannot assign requested address"):
        await open_listeners("192.0.2.1:0")


async def test_clients_that_vanish_are_noticed() -> None:
    (listener,) = await open_listeners("127.0.0.1:0")
    async with listener, await trio.open_tcp_stream(*addresses([listener])[0]), await listener.accept() as accepted:
        assert accepted.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert accepted.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == DEAD_AFTER_S * 1000


async def test_who_comes_when_there_are_no_descriptors_waits_and_is_told_of_once(
    mock_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    (listener,) = await open_listeners("127.0.0.1:0")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with PatientListener(listener) as patient, trio.open_nursery() as nursery:  # noqa: SIM117 (too long a line)
        async with await trio.open_tcp_stream(*addresses([listener])[0]):
            accepted: list[trio.SocketStream] = []

            async def accept() -> None:
                accepted.append(await patient.accept())

            taken = os.dup(0)
            os.close(taken)
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken, hard))
            try:
                nursery.start_soon(accept)
                for _ in range(5):
                    await trio.testing.wait_all_tasks_blocked(0.001)
                    mock_clock.jump(AGAIN_S)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert not accepted
            with trio.fail_after(30):
                while not accepted:
                    mock_clock.jump(AGAIN_S)
                    await trio.testing.wait_all_tasks_blocked(0.001)
            await accepted[0].aclose()
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "no more connections can be taken" in line] == told
    assert len(told) == 1


async def test_listeners_know_whether_others_can_reach_them() -> None:
    for listen, expected in [("127.0.0.1:0", True), ("0.0.0.0:0", False)]:
        (listener,) = await open_listeners(listen)
        async with listener:
            assert are_all_loopback([listener]) == expected


async def test_all_of_ipv6_is_all_of_ipv4_too() -> None:
    listeners = await open_listeners("[::]:0")
    (_, port), (_, same_port) = addresses(listeners)
    assert port == same_port
    for host, listener in zip(("::1", "127.0.0.1"), listeners, strict=True):
        async with listener, await trio.open_tcp_stream(host, port), await listener.accept():
            pass


async def test_a_port_that_is_in_use_by_ipv4_only_is_named() -> None:
    (first,) = await open_listeners("0.0.0.0:0")
    async with first:
        port = addresses([first])[0][1]
        with pytest.raises(OSError, match=rf"cannot listen on \[::\]:{port}: Address already in use"):
            await open_listeners(f"[::]:{port}")
