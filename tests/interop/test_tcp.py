"""Viewers by ICE-TCP on the whole server: pictures come, a slow one disturbs nobody, and who leaves is gone at once."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.fakes.house import House, open_house
from tests.fakes.tcp_viewer import MovingViewer, TcpViewer
from tests.fakes.visitors import Watcher, reading

pytestmark = pytest.mark.interop

PATIENCE_S = 30.0


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


async def film_while(house: House, waits: Callable[[], object]) -> None:
    """Film at 50 fps for as long as there is something to wait for."""
    with trio.fail_after(PATIENCE_S):
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
