"""Many who come and go: none is refused in a storm, and nobody who has left is remembered."""

import gc
import json
import logging
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio_websocket import wrap_client_stream

from camgate.bench.cameras import HOST, CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.link import open_talking_child
from camgate.bench.processes import usage
from camgate.bench.server import BenchServer, open_server
from camgate.bench.signaling import Access, build_offer
from camgate.bench.viewer import Viewer
from camgate.serve.webrtc.peer import SILENCE_TIMEOUT_S
from tests.fakes.command import camgate
from tests.fakes.house import House, open_house
from tests.fakes.visitors import Visitors, reading

pytestmark = pytest.mark.interop

SMALL = ClipSettings(width=320, height=180, fps=10, bitrate_bps=300_000, gop_s=0.5)
PATIENCE_S = 60.0
STORM = ["--size", "320x180", "--bitrate", "0.2", "--fps", "10", "--gop", "1", "--viewers", "10", "--seconds", "2"]

JOINS = 1000
WARM_JOINS = 300
"""Until then memory still grows: heaps find their size, modules are loaded with their first use."""
GROWTH = 1.10

PYTHONS_OWN = ("builtins", "weakref")
CYCLES = 10
BYTES_A_CYCLE = 1_500
"""Of a cycle's 60 kB or more: tables and caches grow in steps."""


def test_a_storm_of_joins_fails_nobody(tmp_path: Path) -> None:
    """100 joins a second for 5 s; what they do to the others' delay is the benchmark's to print.

    Beside them there is a viewer who has a camera for himself.
    """
    options = ("--lone", "--storm", "500", "--storm-rate", "100", "--json")
    outcome = camgate("bench", *STORM, *options, directory=tmp_path)
    assert outcome.code == 0, outcome.out + outcome.err
    figures = json.loads(outcome.out)
    storm = figures["storm"]
    assert storm["joined"]["viewers"] == storm["joined"]["connected"] == storm["joined"]["key_frames_seen"] == 500
    assert storm["joined"]["errors"] == 0, storm["joined"]["first_error"]
    assert storm["watchers"]["delivered"] == storm["watchers"]["expected"] > 0
    assert storm["after"]["delivered"] > 3 * storm["watchers"]["delivered"]
    assert figures["alone"]["samples"] >= 10
    assert figures["measured"]["lone"]["samples"] >= 10
    assert "Of 500 who joined at 100 a second none failed" in figures["conclusion"]


async def test_a_thousand_joins_and_leaves_leave_no_memory() -> None:
    async with _small_server() as server:
        visitors = Visitors(server.whep % 0)
        await visitors.visit_together(WARM_JOINS)
        await _wait_empty(server)
        before = usage(server.child.pid).memory_bytes
        await visitors.visit_together(JOINS)
        await _wait_empty(server)
        after = usage(server.child.pid).memory_bytes
    assert visitors.count == WARM_JOINS + JOINS
    assert after <= before * GROWTH, f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after"


@asynccontextmanager
async def _small_server() -> AsyncIterator[BenchServer]:
    wanted = CamerasSettings(cameras=1, clip=SMALL).as_message()
    async with open_talking_child("cameras", "camgate.bench.cameras", wanted) as cameras:
        port = (await cameras.receive(PATIENCE_S))["port"]
        async with open_server(port, 1, max_viewers=1000) as server:
            await cameras.send({"serve": True})
            await server.wait_live()
            yield server


async def _wait_empty(server: BenchServer) -> None:
    with trio.fail_after(PATIENCE_S):
        while (await server.cameras())[0]["viewers"]:  # noqa: ASYNC110 (another process)
            await trio.sleep(0.1)


@pytest.fixture
def leaping_clock() -> trio.testing.MockClock:
    """Goes as clocks do, as there are threads and sockets, and leaps where it is told to."""
    return trio.testing.MockClock(rate=1.0)


class ComingAndGoing:
    """Ways of joining and leaving a server in this process, where what it keeps can be counted."""

    def __init__(self, house: House, clock: trio.testing.MockClock) -> None:
        self._endpoint = house.endpoint
        self._http = house.http
        self._visitors = house.visitors
        self._clock = clock

    async def watch_and_leave(self) -> None:
        """As most do."""
        await self._visitors.visit()

    async def ask_and_never_come(self) -> None:
        """An offer, and nothing after it."""
        async with reading(self._visitors.viewer()) as (viewer, _):
            await viewer._signal()

    async def fall_deaf_amid_the_handshake(self) -> None:
        """ICE works; the server's part of the handshake is never heard."""
        async with reading(self._visitors.viewer(Deaf)) as (viewer, _):
            with trio.move_on_after(0.2):
                await viewer.join()
            assert viewer.connected_s is None

    async def drop_the_websocket(self) -> None:
        """An offer by WebSocket, whose connection breaks after the answer."""
        offer = build_offer(Access(ufrag="abcd", pwd="p" * 22, fingerprint="AB" + 31 * ":CD", address=HOST, port=9))
        async with await trio.open_tcp_stream(HOST, self._http.port) as stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, f"{HOST}:{self._http.port}", "/ws")
            await socket.send_message(json.dumps({"type": "offer", "id": "v", "camera": "front", "sdp": offer}))
            while json.loads(await socket.get_message())["type"] != "answer":
                pass
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()

    async def wait_empty(self) -> None:
        """Let time pass until all who left or never came are given up."""
        for _ in range(int(SILENCE_TIMEOUT_S + PATIENCE_S)):
            self._clock.jump(1)
            await trio.testing.wait_all_tasks_blocked(0.005)
        assert self._endpoint.viewer_count == 0
        assert not self._endpoint._by_ufrag
        assert not self._endpoint._by_path


class Deaf(Viewer):
    """Hears nothing from its own ClientHello on."""

    def drain(self) -> None:
        if self._dtls is None:
            super().drain()
        else:
            self.sock.recv(2048)


def _census() -> Counter[str]:
    """Count objects by class, but for what Python itself keeps: isinstance has a cache for each abstract class."""
    gc.collect()
    classes = (type(each) for each in gc.get_objects())
    return Counter(f"{cls.__module__}.{cls.__qualname__}" for cls in classes if cls.__module__ not in PYTHONS_OWN)


def _traced_bytes() -> int:
    """Sum up what is held, but for names that urllib makes for each request: Python's cache of methods keeps them."""
    filters = [tracemalloc.Filter(False, file) for file in ("*/urllib/request.py", tracemalloc.__file__)]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(filters).traces)


async def test_nobody_who_left_or_never_came_is_remembered(
    tmp_path: Path, leaping_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest keeps what is logged, a line for each who did not connect.
    caplog.set_level(logging.ERROR, "camgate.webrtc")
    async with open_house(tmp_path) as house:
        house.film(10)
        ways = ComingAndGoing(house, leaping_clock)

        async def cycle() -> None:
            for way in (
                ways.watch_and_leave,
                ways.ask_and_never_come,
                ways.fall_deaf_amid_the_handshake,
                ways.drop_the_websocket,
            ):
                with trio.fail_after(PATIENCE_S):
                    await way()

        async def come_and_go() -> int:
            for _ in range(CYCLES):
                await cycle()
            await ways.wait_empty()
            gc.collect()
            return _traced_bytes() if tracemalloc.is_tracing() else 0

        await come_and_go()
        before = _census()
        tracemalloc.start()
        try:
            bytes_before = await come_and_go()
            bytes_after = await come_and_go()
        finally:
            tracemalloc.stop()
    assert {kind: count for kind, count in (_census() - before).items() if count >= CYCLES} == {}
    assert bytes_after - bytes_before < CYCLES * BYTES_A_CYCLE
