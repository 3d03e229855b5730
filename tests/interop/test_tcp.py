"""Viewers by ICE-TCP on the whole server: pictures come, a slow one disturbs nobody, and who leaves is gone at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.fakes.house import House, open_house
from tests.fakes.tcp_viewer import TcpViewer
from tests.fakes.visitors import reading

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
            await trio.sleep(0.2)
        assert viewer.gaps == 0
        assert peer.viewer is not None
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
