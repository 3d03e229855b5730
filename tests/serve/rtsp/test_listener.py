"""The RTSP listener over real sockets on loopback."""

import base64
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.auth.identity import Action, Grant
from camgate.auth.signing import Signer
from camgate.auth.tokens import NewToken, make_token
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.rtsp import connection
from camgate.serve.rtsp.guests import Guest, Guests
from camgate.serve.rtsp.listener import serve_rtsp
from camgate.serve.rtsp.player import Player
from camgate.serve.rtsp.service import RtspService
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtsp.errors import UnexpectedStatus
from camgate.wire.rtsp.server_login import hash_password
from tests.fakes.accounts import Clock, access_for
from tests.fakes.camera import KEY_SLICE, PPS, SPS
from tests.fakes.certificates import make_certificate
from tests.fakes.rtsp_player import RtspPlayer

Dial = Callable[[int], Awaitable[trio.SocketStream]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connect to a port of loopback; connections are closed after the test."""
    async with AsyncExitStack() as connections:

        async def connect(port: int) -> trio.SocketStream:
            return await connections.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))

        yield connect


@pytest.fixture
async def registry() -> Registry:
    """Hold one live camera with one picture."""
    source = Source("garden")
    source.set_format(VideoFormat(sps=SPS, pps=PPS, profile_level_id="42c01e", width=640, height=360, fps=None))
    source.set_state(CameraState.LIVE)
    source.publish(Frame((SPS, PPS, KEY_SLICE + bytes(20) + b"\x80"), 0, trio.current_time(), True))
    registry = Registry()
    registry.add(source)
    return registry


async def start(nursery: trio.Nursery, service: RtspService) -> int:
    """Serve on an ephemeral port of loopback and return that."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    await nursery.start(partial(serve_rtsp, listeners, service))
    port: int = listeners[0].socket.getsockname()[1]
    return port


async def test_clients_share_a_stream(registry: Registry, dial: Dial) -> None:
    async with trio.open_nursery() as nursery:
        port = await start(nursery, RtspService(registry=registry))
        players = []
        for _ in range(3):
            stream = await dial(port)
            players.append(RtspPlayer(stream, f"rtsp://127.0.0.1:{port}/garden"))
            nursery.start_soon(players[-1].run)
        for player in players:
            await player.wait_frames(1)
        assert registry.get("garden").stream.statistics().subscribers == 3
        nursery.cancel_scope.cancel()


async def test_clients_beyond_the_limit_are_refused_in_words_until_one_leaves(registry: Registry, dial: Dial) -> None:
    async with trio.open_nursery() as nursery:
        guests = Guests(max_clients=1, max_clients_per_address=1)
        port = await start(nursery, RtspService(registry=registry, guests=guests))
        url = f"rtsp://127.0.0.1:{port}/garden"
        first = RtspPlayer(await dial(port), url)
        async with trio.open_nursery() as viewing:
            viewing.start_soon(first.run)
            await first.wait_frames(1)
            with pytest.raises(
                UnexpectedStatus,
                match=r"503 .*: All 1 places for RTSP clients",
            ):
                await RtspPlayer(await dial(port), url).run()
            assert guests.statistics().refused == 1
            viewing.cancel_scope.cancel()
        await first.teardown()
        while guests.statistics().clients:
            await trio.lowlevel.checkpoint()
        third = RtspPlayer(await dial(port), url)
        nursery.start_soon(third.run)
        await third.wait_frames(1)
        nursery.cancel_scope.cancel()


async def test_idle_connections_keep_nobody_out(registry: Registry, dial: Dial) -> None:
    async with trio.open_nursery() as nursery:
        guests = Guests(max_clients=9, max_clients_per_address=9, max_strangers=5)
        port = await start(nursery, RtspService(registry=registry, guests=guests))
        idle = [await dial(port) for _ in range(20)]
        player = RtspPlayer(await dial(port), f"rtsp://127.0.0.1:{port}/garden")
        nursery.start_soon(player.run)
        await player.wait_frames(1)
        assert await idle[0].receive_some() == b""
        assert guests.statistics().cut_off >= 15
        nursery.cancel_scope.cancel()


async def test_a_bug_that_one_client_meets_does_not_end_the_others(
    registry: Registry, dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(path: str) -> None:
        assert path != "trap"

    async with trio.open_nursery() as nursery:
        port = await start(nursery, RtspService(registry=registry, access=broken))
        victim = await dial(port)
        await victim.send_all(b"DESCRIBE rtsp://h/trap RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert await victim.receive_some() == b""
        assert "RTSP connection failed" in caplog.text
        player = RtspPlayer(await dial(port), f"rtsp://127.0.0.1:{port}/garden")
        nursery.start_soon(player.run)
        await player.wait_frames(1)
        nursery.cancel_scope.cancel()


async def test_a_client_that_stops_reading_is_cut_off(
    registry: Registry, dial: Dial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "WRITE_TIMEOUT_S", 0.1)
    source = registry.get("garden")
    async with trio.open_nursery() as nursery:
        guests = Guests(max_clients=2, max_clients_per_address=2)
        port = await start(nursery, RtspService(registry=registry, guests=guests))
        url = f"rtsp://127.0.0.1:{port}/garden"
        stopped, reader = RtspPlayer(await dial(port), url), RtspPlayer(await dial(port), url)
        for player in (stopped, reader):
            nursery.start_soon(player.run)
            await player.wait_frames(1)
        stopped.pause()
        number = 0
        with trio.fail_after(30):
            while guests.statistics().clients == 2:
                number += 1
                slice_nal = KEY_SLICE + number.to_bytes(4, "big") + bytes(300_000) + b"\x80"
                source.publish(Frame((SPS, PPS, slice_nal), number * 90_000, trio.current_time(), True))
                await reader.wait_frames(number + 1)
        assert "RTSP client takes nothing any more, closed" in caplog.text
        assert reader.depacketizer.statistics().packets_lost == 0
        stopped.go_on()
        nursery.cancel_scope.cancel()


async def test_rtsps(registry: Registry, dial: Dial, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    trusting = ssl.create_default_context(cafile=str(certificate.file))
    users = {"viewer": hash_password("viewer", "secret")}
    async with trio.open_nursery() as nursery:
        service = RtspService(registry=registry, tls=certificate.context, access=lambda _path: users)
        port = await start(nursery, service)
        url = f"rtsps://127.0.0.1:{port}/garden"
        encrypted = trio.SSLStream(await dial(port), trusting, server_hostname="127.0.0.1")
        player = RtspPlayer(encrypted, url, username="viewer", password="secret")
        nursery.start_soon(player.run)
        await player.wait_frames(1)
        (client,) = service.guests.clients()
        assert (client.user, client.transport) == ("viewer", "tcp")
        basic = trio.SSLStream(await dial(port), trusting, server_hostname="127.0.0.1")
        login = "Authorization: Basic dmlld2VyOnNlY3JldA=="
        await basic.send_all(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n{login}\r\n\r\n".encode())
        assert (await basic.receive_some()).startswith(b"RTSP/1.0 200 OK")
        plain = await dial(port)
        await plain.send_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        while await plain.receive_some():
            pass
        assert "RTSPS handshake failed" in caplog.text
        nursery.cancel_scope.cancel()


async def test_a_token_as_password_plays_until_it_ends(
    registry: Registry, dial: Dial, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    trusting = ssl.create_default_context(cafile=str(certificate.file))
    users = {"viewer": hash_password("viewer", "secret")}
    clock = Clock()
    access = access_for({"anna": "viewer"}, tmp_path, clock)
    signer = Signer((tmp_path / "auth.key").read_bytes())
    allowed = NewToken(grants=(Grant(Action.VIEW, ("garden",)),), ends_s=clock.now_s + 60)
    token, _ = make_token(signer, allowed, clock.now_s)
    elsewhere, _ = make_token(signer, replace(allowed, grants=(Grant(Action.VIEW, ("yard",)),)), clock.now_s)
    async with trio.open_nursery() as nursery:
        service = RtspService(
            registry=registry,
            tls=certificate.context,
            access=lambda _path: users,
            admit_login=access.admit_player,
            leases=access.leases,
        )
        port = await start(nursery, service)
        url = f"rtsps://127.0.0.1:{port}/garden"

        async def encrypted() -> trio.SSLStream[trio.SocketStream]:
            return trio.SSLStream(await dial(port), trusting, server_hostname="127.0.0.1")

        async def describe(password: str) -> bytes:
            login = base64.b64encode(f"anybody:{password}".encode()).decode()
            stream = await encrypted()
            request = f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic {login}\r\n\r\n"
            await stream.send_all(request.encode())
            return bytes(await stream.receive_some())

        guest = RtspPlayer(await encrypted(), url, username="anybody", password=token)
        viewer = RtspPlayer(await encrypted(), url, username="viewer", password="secret")
        ended = trio.Event()

        async def play_to_the_end() -> None:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
                await guest.run()
            ended.set()

        nursery.start_soon(play_to_the_end)
        nursery.start_soon(viewer.run)
        await guest.wait_frames(1)
        await viewer.wait_frames(1)
        assert sorted(str(client.user) for client in service.guests.clients()) == ["token", "viewer"]
        assert (await describe(elsewhere)).startswith(b"RTSP/1.0 401")
        clock.now_s += 60
        nursery.start_soon(access.leases.run)  # looks at once
        with trio.fail_after(30):
            await ended.wait()
        assert [client.user for client in service.guests.clients()] == ["viewer"]
        assert (await describe(token)).startswith(b"RTSP/1.0 401")
        assert "RTSP client cut off" in caplog.text
        assert token not in caplog.text
        nursery.cancel_scope.cancel()


async def test_nothing_is_kept_of_clients_that_left(registry: Registry, dial: Dial) -> None:
    async with trio.open_nursery() as nursery:
        service = RtspService(registry=registry)
        port = await start(nursery, service)
        for politely in (True, False) * 5:
            stream = await dial(port)
            player = RtspPlayer(stream, f"rtsp://127.0.0.1:{port}/garden", with_sound=True)
            async with trio.open_nursery() as viewing:
                viewing.start_soon(player.run)
                await player.wait_frames(1)
                viewing.cancel_scope.cancel()
            await (player.teardown() if politely else stream.aclose())
        while service.guests.statistics().clients:
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        assert [kept for kept in gc.get_objects() if isinstance(kept, connection.Connection | Guest | Player)] == []
        assert service.guests.statistics().accepted == 10
        assert registry.get("garden").wants.count == 0
        nursery.cancel_scope.cancel()
