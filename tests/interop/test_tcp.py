"""Viewers by ICE-TCP on the whole server: pictures come, a slow one disturbs nobody, and who leaves is gone at once."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.serve.webrtc import tcp
from camgate.serve.webrtc.peer import Peer
from tests.fakes.house import House, open_house
from tests.fakes.tcp_viewer import MovingViewer, SlowPath, TcpViewer
from tests.fakes.visitors import Watcher, reading

pytestmark = pytest.mark.interop

PATIENCE_S = 30.0
SLOW_BYTES_PER_S = 25_000
SLOW_FRAMES = 20 * 25
"""Of a camera of 25 fps: a queue without a bound would be 18 s old in the end."""
OLDEST_S = 12.0
"""8 s at such a rate: 64 KiB in the kernel, a key frame of 70 kB, and 0.25 s of others behind it."""
MOST_WAITING_BYTES = 512 * 1024
"""100 kB: the key frame, and what comes in 0.25 s."""


@asynccontextmanager
async def open_tcp_house(web: Path) -> AsyncIterator[House]:
    async with open_house(web, tcp=True) as house:
        TcpViewer.port = house.endpoint.port
        house.film(10)
        yield house


async def film_until(house: House, seen: trio.Event) -> None:
    """Film at 50 fps until a viewer has seen a key frame."""
    while not seen.is_set():
        house.film(1)
        await trio.sleep(0.02)


async def film_while(house: House, waits: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Film at 50 fps for as long as there is something to wait for."""
    with trio.fail_after(patience_s):
        while waits():
            house.film(1)
            await trio.sleep(0.02)


async def viewers_by_transport(house: House) -> dict[str, int]:
    reply = await house.http.request("GET", "/api/v1/server")
    counts: dict[str, int] = reply.json()["viewers_by_transport"]
    return counts


async def test_pictures_come_from_the_cached_one_on_and_none_is_missing(tmp_path: Path) -> None:
    async with open_tcp_house(tmp_path) as house, reading(house.visitors.viewer(TcpViewer)) as (viewer, seen):
        with trio.fail_after(PATIENCE_S):
            await viewer.join()
            await film_until(house, seen)
            peer = next(house.endpoint.peers())
            assert peer.transport == "tcp"
            for _ in range(40):
                house.film(1)
                await trio.sleep(0.005)
            assert peer.viewer is not None
            while peer.viewer.frames_sent < house.number:  # noqa: ASYNC110 (a real connection)
                await trio.sleep(0.01)
        assert viewer.gaps == 0
        assert peer.viewer.frames_sent == house.number
        assert peer.viewer.frames_dropped == 0


async def test_who_leaves_is_gone_at_once(tmp_path: Path) -> None:
    async with open_tcp_house(tmp_path) as house:
        async with reading(house.visitors.viewer(TcpViewer)) as (viewer, seen):
            with trio.fail_after(PATIENCE_S):
                await viewer.join()
                await film_until(house, seen)
            viewer._dtls = None  # so that it says no goodbye, as a browser that is killed
        with trio.fail_after(PATIENCE_S / 3):
            while house.endpoint.viewer_count:  # noqa: ASYNC110 (a real connection's end)
                await trio.sleep(0.01)
        assert house.endpoint.statistics().tcp_connections == 0


async def test_one_that_takes_nothing_costs_the_others_nothing(tmp_path: Path) -> None:
    async with (
        open_tcp_house(tmp_path) as house,
        reading(house.visitors.viewer(TcpViewer)) as (watcher, seen),
    ):
        with trio.fail_after(PATIENCE_S):
            await watcher.join()
            await film_until(house, seen)
            stuck = house.visitors.viewer(TcpViewer)
            async with reading(stuck) as (_, also_seen):
                await stuck.join()
                await film_until(house, also_seen)
            # That one has left; another one stays, and reads no more.
            deaf = house.visitors.viewer(TcpViewer)
            async with trio.open_nursery() as nursery:

                async def read_until_joined() -> None:
                    while True:
                        await trio.lowlevel.wait_readable(deaf.sock)
                        deaf.drain()

                nursery.start_soon(read_until_joined)
                await deaf.join()
                nursery.cancel_scope.cancel()
            for _ in range(100):
                house.film(1, size=60_000)
                await trio.sleep(0.01)
            await trio.sleep(0.3)
        peers = list(house.endpoint.peers())
        dropped = sorted(peer.viewer.frames_dropped for peer in peers if peer.viewer is not None)
        assert watcher.gaps == 0
        assert dropped[0] == 0, "the watcher got all"
        assert dropped[-1] > 0, "what the deaf one does not take is left out"
        deaf.close()


async def test_viewers_are_counted_by_transport(tmp_path: Path) -> None:
    async with open_tcp_house(tmp_path) as house, AsyncExitStack() as viewers:
        assert await viewers_by_transport(house) == {"udp": 0, "tcp": 0, "connecting": 0}
        for kind in (TcpViewer, TcpViewer, Watcher):
            viewer, _ = await viewers.enter_async_context(reading(house.visitors.viewer(kind)))
            with trio.fail_after(PATIENCE_S):
                await viewer.join()
        await film_while(house, lambda: sum(peer.viewer is not None for peer in house.endpoint.peers()) < 3)
        assert await viewers_by_transport(house) == {"udp": 1, "tcp": 2, "connecting": 0}
        half = house.visitors.viewer()
        await half._signal()
        assert await viewers_by_transport(house) == {"udp": 1, "tcp": 2, "connecting": 1}
        half.close()


async def test_a_session_goes_on_by_tcp_where_udp_is_blocked_amid_it(tmp_path: Path) -> None:
    async with (
        open_tcp_house(tmp_path) as house,
        reading(house.visitors.viewer(MovingViewer, full=True)) as (viewer, seen),
    ):
        assert isinstance(viewer, MovingViewer)
        with trio.fail_after(PATIENCE_S):
            await viewer.join()
            await film_until(house, seen)
        (peer,) = house.endpoint.peers()
        assert peer.viewer is not None
        assert (await viewers_by_transport(house))["udp"] == 1

        viewer.lose_udp()
        house.film(5)
        await trio.testing.wait_all_tasks_blocked(0.01)
        viewer.connect_by_tcp(house.endpoint.port)
        await film_while(house, lambda: peer.transport != "tcp")
        before = len(viewer.packets)
        await film_while(house, lambda: len(viewer.packets) < before + 50)
        assert viewer.missing, "what was sent by UDP meanwhile"
        viewer.ask_for_missing()
        await film_while(house, lambda: viewer.missing)

        assert list(house.endpoint.peers()) == [peer]
        assert await viewers_by_transport(house) == {"udp": 0, "tcp": 1, "connecting": 0}
        assert (peer.viewer.frames_dropped, viewer.refused_in_window) == (0, 0)


def waiting_bytes(peer: Peer) -> int:
    """What waits for a viewer's connection, outside of the kernel."""
    assert peer._path is not None
    channel = peer._path.route.socket
    assert isinstance(channel, tcp.TcpChannel)
    return channel._waiting_bytes


async def test_a_slow_viewer_gets_what_is_recent_and_is_cut_when_it_reads_nothing(tmp_path: Path) -> None:
    """200 kbit/s of a camera of 2 Mbit/s: a tenth of the frames, none of them older and older."""
    async with (
        open_tcp_house(tmp_path) as house,
        reading(house.visitors.viewer(Watcher, full=True)) as (watcher, seen),
        trio.open_nursery() as nursery,
    ):
        assert isinstance(watcher, Watcher)
        path = SlowPath(house.endpoint.port, 2_000_000)
        nursery.start_soon(path.run)
        with trio.fail_after(PATIENCE_S):
            await watcher.join()
            await film_until(house, seen)
        TcpViewer.port = path.port
        async with reading(house.visitors.viewer(TcpViewer)) as (slow, also_seen):
            assert isinstance(slow, TcpViewer)
            with trio.fail_after(PATIENCE_S):
                await slow.join()
                await film_until(house, also_seen)
            (peer,) = [each for each in house.endpoint.peers() if each.transport == "tcp"]
            assert peer.viewer is not None

            path.bytes_per_s, slowed_s = SLOW_BYTES_PER_S, time.time()
            most_waiting = 0
            with trio.fail_after(SLOW_FRAMES * 0.04 * 10):
                for number in range(SLOW_FRAMES):
                    house.film(1, size=7_000)
                    if number % 50 == 0:
                        for viewer in (watcher, slow):
                            viewer.check_consent()
                    await trio.sleep(0.04)
                    most_waiting = max(most_waiting, waiting_bytes(peer))
            assert peer.viewer.frames_dropped > 0
            assert slow.gaps == 0, "what is left out takes no numbers"
            assert most_waiting < MOST_WAITING_BYTES
            came_s = {stamp: came_s for stamp, came_s in slow.shown.items() if stamp in watcher.shown}
            assert max(came_s[stamp] - watcher.shown[stamp] for stamp in came_s) < OLDEST_S
            # Frames that are left out are followed by none but a key frame.
            assert max(watcher.shown[stamp] for stamp in came_s) > slowed_s + 5, "it goes on"

            path.bytes_per_s = 0
            await film_while(house, lambda: not peer.closed_reason, 10 * tcp.STUCK_S)
            assert peer.closed_reason == "the viewer's TCP connection ended"
            await film_while(house, lambda: house.endpoint.statistics().tcp_connections)
        assert watcher.gaps == 0
        nursery.cancel_scope.cancel()
