"""One benchmark from beginning to end: start the processes, let viewers join, measure, sum up.

Owns all processes; they end with it. Everything is on loopback, unless another server's URL is given.
"""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol, TypedDict

import trio

from camgate.bench.cameras import CamerasSettings
from camgate.bench.clip import ClipSettings
from camgate.bench.crowd import CrowdSettings
from camgate.bench.figures import Idle, Joined, Measured, Result, Spread, joined_of, measured_of, storm_of
from camgate.bench.link import Message, TalkingChild, open_talking_child
from camgate.bench.processes import Usage, usage
from camgate.bench.server import BenchServer, open_server

IDLE_S = 3.0
"""How long cameras are looked at before the first viewer comes."""
SEARCH_WINDOW_S = 5.0
SEARCH_GROWTH = 1.25
SEARCH_TRIES = 3
"""Windows in a row that must be disturbed: other programs' hiccups are no limit."""
LOOK_INTERVAL_S = 0.5
"""Between two looks at the server: often enough for a median, too rare to cost it much."""
ENCODE_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 60.0
"""For one message of a process that is working."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """What is measured, and for how long.

    full: viewers that take everything. rate: joins a second. lone: one more camera has a viewer for itself, who is
    measured before the crowd and beside it. storm: so many more join afterwards, `storm_rate` a second.
    whep, pid: another server to measure, its URL with %d or {camera}, and its process, if it runs here. rtsp_port:
    where the built-in cameras listen; with `whep` there are none unless it is given. max_viewers: where a search for
    the limit ends; None for no search.
    """

    cameras: int = 1
    viewers: int = 50
    full: int = 2
    rate: float = 20.0
    seconds: float = 8.0
    lone: bool = False
    storm: int = 0
    storm_rate: float = 100.0
    clip: ClipSettings = field(default_factory=ClipSettings)
    whep: str | None = None
    pid: int | None = None
    authorization: str | None = None
    rtsp_port: int | None = None
    max_viewers: int | None = None

    @property
    def all_cameras(self) -> int:
        """The crowd's and the lone viewer's."""
        return self.cameras + self.lone


class _Window(TypedDict):
    """The part of a `Result` that one window of watching gives."""

    measured: Measured
    lag: Spread
    answers: Spread


class Progress(Protocol):
    """Who is told how far it is."""

    def stage(self, name: str, total: float | None = None) -> None:
        """A new part begins; `total` is what `reach` counts to, None where nobody knows."""

    def reach(self, done: float) -> None:
        """So much of it is done."""


async def run_bench(settings: BenchSettings, progress: Progress) -> Result:
    """Measure. Raises ProcessFailed where a part of it cannot run, SignalingFailed where the server does not answer."""
    async with AsyncExitStack() as parts:
        server: BenchServer | None = None
        idle: Idle | None = None
        camera_bps: float | None = None
        if settings.whep is None or settings.rtsp_port is not None:
            progress.stage("encoding the cameras' pictures")
            cameras = await parts.enter_async_context(_open_cameras(settings))
            clip = await cameras.receive(ENCODE_TIMEOUT_S)
            camera_bps = clip["bitrate_bps"]
            if settings.whep is None:
                progress.stage("starting camgate")
                most = max(settings.viewers, settings.max_viewers or 0) + settings.storm + settings.lone
                server = await parts.enter_async_context(open_server(clip["port"], settings.all_cameras, most))
            empty = usage(server.child.pid) if server else None
            await cameras.send({"serve": True})
            idle = await _look_at_idle(settings, server, empty, progress)
        elif settings.pid is not None:
            idle = await _look_at_idle(settings, None, None, progress)
        crowd = await parts.enter_async_context(_open_crowd(settings, server))
        return await _Bench(settings, progress, crowd, server, idle, camera_bps).run()


def _open_cameras(settings: BenchSettings) -> AbstractAsyncContextManager[TalkingChild]:
    wanted = CamerasSettings(cameras=settings.all_cameras, port=settings.rtsp_port or 0, clip=settings.clip)
    return open_talking_child("cameras", "camgate.bench.cameras", wanted.as_message())


def _open_crowd(settings: BenchSettings, server: BenchServer | None) -> AbstractAsyncContextManager[TalkingChild]:
    url = settings.whep if server is None else server.whep
    assert url is not None, "without a server of our own there is a URL"
    wanted = CrowdSettings(
        url=url,
        cameras=settings.cameras,
        full=settings.full,
        pid=settings.pid or 0 if server is None else server.child.pid,
        authorization=settings.authorization,
    )
    return open_talking_child("viewers", "camgate.bench.crowd", asdict(wanted))


async def _look_at_idle(
    settings: BenchSettings, server: BenchServer | None, empty: Usage | None, progress: Progress
) -> Idle | None:
    """Measure the server with its cameras alone; `empty` is its usage before it had them."""
    progress.stage("waiting for the cameras")
    has_own_cameras = settings.whep is None or settings.rtsp_port is not None
    live_s = None
    if server is not None:
        served_s = trio.current_time()
        await server.wait_live()
        live_s = trio.current_time() - served_s
    if has_own_cameras:
        await trio.sleep(settings.clip.gop_s + 1)
    pid = settings.pid if server is None else server.child.pid
    if pid is None:
        return None
    progress.stage("watching the cameras alone", IDLE_S)
    before, began_s = usage(pid), trio.current_time()
    await trio.sleep(IDLE_S)
    after, elapsed_s = usage(pid), trio.current_time() - began_s
    camera = cache = None
    if server is not None and empty is not None:
        cache = sum(each["cache_bytes"] for each in await server.cameras()) / settings.all_cameras
        camera = (after.memory_bytes - empty.memory_bytes) / settings.all_cameras - cache
    return Idle(
        cameras=settings.all_cameras,
        cpu_s=after.cpu_s - before.cpu_s,
        elapsed_s=elapsed_s,
        memory_bytes=after.memory_bytes,
        camera_bytes=camera,
        cache_bytes=cache,
        live_s=live_s,
    )


class _Bench:
    """The part in which there are viewers."""

    def __init__(
        self,
        settings: BenchSettings,
        progress: Progress,
        crowd: TalkingChild,
        server: BenchServer | None,
        idle: Idle | None,
        camera_bps: float | None,
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._crowd = crowd
        self._server = server
        self._idle = idle
        self._camera_bps = camera_bps
        self._viewers = 0

    async def run(self) -> Result:
        """Measure the viewers that were asked for, then what else was."""
        settings = self._settings
        alone = await self._watch_alone() if settings.lone else None
        result = replace(await self._measure_with(settings.viewers, settings.seconds), alone=alone)
        if settings.max_viewers is not None:
            return await self._find_limit(result, settings.max_viewers)
        return await self._storm(result) if settings.storm else result

    async def _watch_alone(self) -> Spread:
        seconds = self._settings.seconds
        self._progress.stage("a lone viewer watches", seconds)
        await self._crowd.send({"alone": seconds})
        return Spread(**(await self._answer("alone"))["alone"])

    async def _storm(self, result: Result) -> Result:
        count, rate = self._settings.storm, self._settings.storm_rate
        self._progress.stage(f"{count} more viewers join at once", count)
        await self._crowd.send({"storm": count, "rate": rate})
        return replace(result, storm=storm_of((await self._answer("stormed"))["stormed"]))

    async def _find_limit(self, result: Result, most: int) -> Result:
        carried = 0
        result = await self._confirm(result)
        while result.is_delivery_right and result.measured.is_undisturbed:
            carried = self._viewers
            wanted = min(most, int(carried * SEARCH_GROWTH) + 1)
            if wanted == carried:
                break
            result = await self._confirm(await self._measure_with(wanted, SEARCH_WINDOW_S))
        return replace(result, carried=carried)

    async def _confirm(self, result: Result) -> Result:
        """Measure the same viewers again, unless they were undisturbed."""
        for _ in range(SEARCH_TRIES - 1):
            if result.measured.is_undisturbed:
                break
            result = replace(result, **await self._measure(SEARCH_WINDOW_S))
        return result

    async def _measure_with(self, viewers: int, seconds: float) -> Result:
        joined = await self._join(viewers - self._viewers)
        self._viewers = viewers
        return Result(
            cameras=self._settings.cameras,
            viewers=viewers,
            camera_bps=self._camera_bps,
            idle=self._idle,
            joined=joined,
            **await self._measure(seconds),
        )

    async def _join(self, count: int) -> Joined:
        self._progress.stage(f"{count} viewers join", count)
        await self._crowd.send({"join": count, "rate": self._settings.rate})
        return joined_of((await self._answer("joined"))["joined"])

    async def _measure(self, seconds: float) -> _Window:
        self._progress.stage(f"{self._viewers} viewers watch", seconds)
        lags_s: list[float] = []
        answers_s: list[float] = []
        async with trio.open_nursery() as nursery:
            if self._server is not None:
                nursery.start_soon(_look_at_server, self._server, lags_s, answers_s)
            await self._crowd.send({"measure": seconds})
            measured = measured_of((await self._answer("measured"))["measured"])
            nursery.cancel_scope.cancel()
        return _Window(measured=measured, lag=Spread.of_seconds(lags_s), answers=Spread.of_seconds(answers_s))

    async def _answer(self, kind: str) -> Message:
        while True:
            message = await self._crowd.receive(ANSWER_TIMEOUT_S)
            if kind in message:
                return message
            self._progress.reach(message["progress"])


async def _look_at_server(server: BenchServer, lags_s: list[float], answers_s: list[float]) -> None:
    """Ask again and again how late the server's event loop is, and note how long an answer takes."""
    while True:
        began_s = trio.current_time()
        await server.get("/healthz")
        answers_s.append(trio.current_time() - began_s)
        lags_s.append(await server.lag_s())
        await trio.sleep(LOOK_INTERVAL_S)
