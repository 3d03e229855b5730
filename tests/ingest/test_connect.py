import errno
import socket
import threading
from typing import Any

import pytest
import trio

from camgate.ingest import connect as module
from camgate.ingest.connect import connect

FAMILY = socket.AF_INET
HANG_S = 30.0


def answers(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    """Have every name lead to these addresses."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        if kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
            return look_up(host, port, **kwargs)
        return [(FAMILY, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_the_next_address_is_tried_at_once_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers(monkeypatch, [("127.0.0.1", closed_port()), listener.getsockname()])
        with await connect("camera.example", 554) as connection:
            assert connection.getpeername() == listener.getsockname()
            assert not connection.getblocking()
        listener.accept()[0].close()


async def test_the_next_address_is_tried_soon_when_one_is_silent(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    connect_one = module._connect_one

    async def connect_to_one_of_two(address: module.Address) -> socket.socket:
        if address[1][0] == "192.0.2.7":
            await trio.sleep_forever()
        return await connect_one(address)

    monkeypatch.setattr(module, "_connect_one", connect_to_one_of_two)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers(monkeypatch, [("192.0.2.7", 554), listener.getsockname()])
        (await connect("camera.example", 554)).close()
        listener.accept()[0].close()
    assert trio.current_time() == pytest.approx(module.NEXT_ADDRESS_S)


async def test_the_errors_of_all_addresses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, [("127.0.0.1", closed_port()), ("127.0.0.1", closed_port())])
    with pytest.raises(ExceptionGroup) as caught:
        await connect("camera.example", 554)
    assert [error.errno for error in caught.value.exceptions if isinstance(error, OSError)] == [errno.ECONNREFUSED] * 2


async def test_a_name_whose_look_up_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo
    stuck = threading.Event()
    lookups: list[str] = []

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        if host.startswith("stuck"):
            if kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            lookups.append(host)
            stuck.wait(HANG_S)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return look_up(host, port, **kwargs)

    async def connect_for_a_moment(name: str) -> None:
        with trio.move_on_after(0.01):
            await connect(name, 554)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with trio.fail_after(HANG_S):
            async with trio.open_nursery() as nursery:
                for number in range(60):
                    nursery.start_soon(connect_for_a_moment, f"stuck{number}.example")
            # Asked again while the first look-up still hangs: no second thread.
            await connect_for_a_moment("stuck0.example")
            with socket.create_server(("127.0.0.1", 0)) as listener:
                (await connect("localhost", listener.getsockname()[1])).close()
                listener.accept()[0].close()
    finally:
        stuck.set()
    assert lookups.count("stuck0.example") == 1
