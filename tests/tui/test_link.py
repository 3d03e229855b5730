"""The way to camgate: over HTTPS, below a path of its own, and to what is no camgate."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from camgate.serve.tls import ServerTls
from camgate.tui.link import CAMERAS, Link, NotAllowed, Target, Unreachable, open_link
from tests.fakes.accounts import access_for
from tests.fakes.certificates import make_certificate
from tests.fakes.engine import FakeEngine
from tests.fakes.http import LOOPBACK, PATIENCE_S, running_server

NAMES = ("a b", "grün&=?#/%", "front")


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    return tmp_path / "web"


def at(port: int, tls: ssl.SSLContext | None = None) -> Target:
    return Target(f"{LOOPBACK}:{port}", None, LOOPBACK, port, tls, f"{LOOPBACK}:{port}")


async def first_message(link: Link, names: tuple[str, ...] = ()) -> dict[str, Any]:
    heard: list[dict[str, Any]] = []
    with trio.fail_after(PATIENCE_S), trio.CancelScope() as scope:

        def hear(message: dict[str, Any]) -> None:
            heard.append(message)
            scope.cancel()

        await link.listen(hear, names)
    return heard[0]


async def test_a_trusted_certificate_is_spoken_to_and_another_is_not(web: Path, tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, address=LOOPBACK).file
    trusting = ssl.create_default_context(cafile=str(pair))
    async with running_server(FakeEngine(*NAMES), web, tls=ServerTls(str(pair))) as server:
        async with open_link(at(server.port, trusting)) as link:
            assert [camera["name"] for camera in await link.ask(CAMERAS)] == list(NAMES)
            assert len((await first_message(link))["cameras"]) == 3
        async with open_link(at(server.port, ssl.create_default_context())) as link:
            for attempt in (link.ask(CAMERAS), link.listen(print)):
                with pytest.raises(Unreachable, match="its certificate is not trusted"):
                    await attempt


async def test_https_to_a_port_of_plain_http_is_told_in_words(web: Path) -> None:
    tls = ssl.create_default_context()
    async with running_server(FakeEngine(*NAMES), web) as server, open_link(at(server.port, tls)) as link:
        for attempt in (link.ask(CAMERAS), link.listen(print)):
            with pytest.raises(Unreachable, match="speaks no HTTPS there; write http://"):
                await attempt


async def test_any_name_can_be_listened_to(web: Path) -> None:
    async with running_server(FakeEngine(*NAMES), web) as server, open_link(at(server.port)) as link:
        message = await first_message(link, NAMES[:2])
        assert [camera["name"] for camera in message["cameras"]] == list(NAMES[:2])


async def test_who_is_nobody_is_not_let_in_and_the_token_is_not_shown(web: Path, tmp_path: Path) -> None:
    access = access_for({"anna": "viewer"}, tmp_path)
    async with running_server(FakeEngine(), web, access=access) as server:
        target = replace(at(server.port), token="hush-hush")
        async with open_link(target) as link:
            for attempt in (link.ask(CAMERAS), link.listen(print)):
                with pytest.raises(NotAllowed, match="wants a login") as caught:
                    await attempt
                assert "hush" not in str(caught.value)
        assert "hush" not in repr(target)


async def answering(nursery: trio.Nursery, answer: bytes) -> int:
    """Serve whoever connects the same bytes; return the port."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        await stream.send_all(answer)
        await stream.aclose()

    listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host=LOOPBACK))
    return int(listeners[0].socket.getsockname()[1])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 404 No\r\n\r\n",
    ],
    ids=["nothing", "ssh", "text", "not-gzip", "nested", "404"],
)
@pytest.mark.parametrize("way", [lambda link: link.ask(CAMERAS), lambda link: link.listen(print)])
async def test_what_is_no_camgate_is_said_to_be_none(
    nursery: trio.Nursery, answer: bytes, way: Callable[[Link], Awaitable[None]]
) -> None:
    port = await answering(nursery, answer)
    async with open_link(at(port)) as link:
        with trio.fail_after(PATIENCE_S), pytest.raises(Unreachable, match=f"{LOOPBACK}:{port}"):
            await way(link)


async def test_a_name_that_no_host_can_have_is_said_to_be_no_camgate() -> None:
    target = replace(at(1), name="xn--zzß:1", host="xn--zzß")
    async with open_link(target) as link:
        with pytest.raises(Unreachable, match="xn--zzß:1"):
            await link.ask(CAMERAS)
