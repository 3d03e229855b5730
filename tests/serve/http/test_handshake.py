"""Handshakes take turns, so that clients who come at once hold up nobody; and silent ones hold up no others."""

import ssl
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from camgate.serve.http.handshake import Handshakes
from camgate.serve.listeners import open_listeners
from camgate.serve.tls import load_context
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.http import LOOPBACK

CLIENTS = 40
PATIENCE_S = 30


class Passes(trio.abc.Instrument):
    """Counts the scheduler's looks for new events."""

    def __init__(self) -> None:
        self.number = 0

    def after_io_wait(self, timeout: float) -> None:
        self.number += 1


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, address=LOOPBACK)


async def accepting(
    context: ssl.SSLContext, done: list[trio.SSLStream[trio.SocketStream]], task_status: trio.TaskStatus[int]
) -> None:
    handshakes = Handshakes()

    async def shake(stream: trio.SocketStream) -> None:
        encrypted = await handshakes.shake_hands(stream, context)
        if encrypted is not None:
            done.append(encrypted)
            await trio.aclose_forcefully(encrypted)

    listeners = await open_listeners(f"{LOOPBACK}:0")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(shake, listeners)


async def connect(port: int, certificate: Certificate) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate.file))
    stream = await trio.open_tcp_stream(LOOPBACK, port)
    encrypted = trio.SSLStream(stream, trusting, server_hostname=LOOPBACK)
    await encrypted.do_handshake()
    with suppress(trio.BrokenResourceError):  # the server is done, too, and has hung up
        await encrypted.receive_some(1)
    await trio.aclose_forcefully(encrypted)


async def test_one_heavy_step_is_made_in_each_pass_of_the_scheduler(certificate: Certificate) -> None:
    passes, steps, calls = Passes(), Counter[int](), Counter[int]()

    class Counting(ssl.SSLObject):
        def do_handshake(self) -> None:
            # Each second call has something to read: the client's hello, its end. Those between ask for more.
            calls[id(self)] += 1
            if calls[id(self)] % 2 == 0:
                steps[passes.number] += 1
            super().do_handshake()

    context = load_context(str(certificate.file))
    context.sslobject_class = Counting
    trio.lowlevel.add_instrument(passes)
    done: list[trio.SSLStream[trio.SocketStream]] = []
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(partial(accepting, context, done))
            async with trio.open_nursery() as clients:
                for _ in range(CLIENTS):
                    clients.start_soon(connect, port, certificate)
            while len(done) < CLIENTS:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert steps.total() == 2 * CLIENTS
    assert max(steps.values()) == 1


async def test_clients_that_fall_silent_amid_the_handshake_keep_no_turn(certificate: Certificate) -> None:
    done: list[trio.SSLStream[trio.SocketStream]] = []
    context = load_context(str(certificate.file))
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(partial(accepting, context, done))
            silent = [await trio.open_tcp_stream(LOOPBACK, port) for _ in range(CLIENTS)]
            for stream in silent:
                await stream.send_all(b"\x16\x03\x01\x02\x00")
            await connect(port, certificate)
            while not done:
                await trio.lowlevel.checkpoint()
            for stream in silent:
                await stream.aclose()
            nursery.cancel_scope.cancel()


async def test_what_is_no_handshake_ends_it(certificate: Certificate) -> None:
    done: list[trio.SSLStream[trio.SocketStream]] = []
    context = load_context(str(certificate.file))
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(partial(accepting, context, done))
            for data in (b"\x16" + bytes(40), b"\x16\x03\x01\xff\xff" + bytes(60), b"\x16"):
                stream = await trio.open_tcp_stream(LOOPBACK, port)
                await stream.send_all(data)
                await stream.send_eof()
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some(100):
                        pass
                await stream.aclose()
            nursery.cancel_scope.cancel()
    assert not done
