import errno
import socket
import struct

import pytest
import trio
import trio.testing

from camgate.base.place import place
from camgate.ingest import dial
from camgate.ingest.connect import connect
from camgate.ingest.dial import dial_tcp
from camgate.ingest.errors import CameraAway


async def test_a_listening_camera_gives_a_connected_non_blocking_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with await dial_tcp("127.0.0.1", listener.getsockname()[1], 5) as connection:
            assert connection.getpeername() == listener.getsockname()
            assert not connection.getblocking()
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        listener.accept()[0].close()


async def test_a_name_with_two_addresses_is_reached_at_the_one_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (await dial_tcp("localhost", listener.getsockname()[1], 5)).close()
        listener.accept()[0].close()


async def test_a_closed_port_says_that_the_camera_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CameraAway, match=rf"^127\.0\.0\.1:{port} refuses the connection"):
        await dial_tcp("127.0.0.1", port, 5)


async def test_a_camera_that_hangs_up_at_once_is_away_and_no_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit of clients a camera accepts and resets, sometimes before we have looked at the connection."""

    async def connect_and_be_reset(host: str, port: int) -> socket.socket:
        connection = await connect(host, port)
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        return connection

    monkeypatch.setattr(dial, "connect", connect_and_be_reset)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(CameraAway, match="broke the connection off"),
    ):
        await dial_tcp("127.0.0.1", listener.getsockname()[1], 5)


@pytest.mark.parametrize("name", ["camera.invalid", "a..b", "a" * 64])
async def test_an_unknown_name_says_so(name: str) -> None:
    with pytest.raises(CameraAway, match="is unknown"):
        await dial_tcp(name, 554, 30)


async def test_a_camera_that_swallows_the_call_is_given_up_at_the_timeout(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = trio.current_time()

    async def swallow(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(dial, "connect", swallow)
    with pytest.raises(CameraAway, match="does not answer"):
        await dial_tcp("192.0.2.7", 554, 5)
    assert trio.current_time() - started == pytest.approx(5)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EHOSTUNREACH, "cannot be reached"), (errno.ENOTSOCK, "cannot be dialled")]
)
async def test_other_failures_keep_their_reason(number: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ExceptionGroup("no address answered", [OSError(number, "reason of the system")])

    monkeypatch.setattr(dial, "connect", fail)
    with pytest.raises(CameraAway, match=words):
        await dial_tcp("192.0.2.7", 554, 5)


async def test_a_socket_that_met_itself_is_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    async def meet_itself(*_: object) -> socket.socket:
        connection = socket.socket()
        connection.bind(("127.0.0.1", 0))
        connection.connect(connection.getsockname())
        return connection

    monkeypatch.setattr(dial, "connect", meet_itself)
    with pytest.raises(CameraAway, match="refuses the connection"):
        await dial_tcp("127.0.0.1", 554, 5)


def test_ipv6_addresses_are_shown_in_brackets() -> None:
    assert place("192.0.2.7", 554) == "192.0.2.7:554"
    assert place("2001:db8::7", 554) == "[2001:db8::7]:554"
