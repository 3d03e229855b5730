"""The composition root: builds the parts, owns the root nursery and the order of shutdown.

Task tree (each line is owned by the one above it):

    run
      http          connections, camera feed                      (serve.http.serve_http)
      webrtc        UDP readers, a task a stream, a task a viewer  (serve.webrtc.Endpoint.run)
      load          looks at the machine ten times a second       (load.LoadWatch.run)
      transcoders   a task a stream that is made of another       (transcode.TranscoderPool.run)
      snapshots     hands key frames to a worker process          (transcode.Snapshots.run)
      health        looks at every camera each few seconds         (relay.watch_health)
      intake        reads the sockets of all cameras               (ingest.open_intake)
      cameras       a supervisor each                              (ingest.run_camera)

Shutdown: HTTP stops accepting and says goodbye on its WebSockets; then viewers are told (RTCP BYE, DTLS close_notify)
and cameras hang up (TEARDOWN), side by side.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.config.errors import StartError
from camgate.config.exposure import check_exposure
from camgate.config.model import Settings
from camgate.engine import Engine
from camgate.ingest.intake import open_intake
from camgate.ingest.supervisor import run_camera
from camgate.relay.health_watch import watch_health
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.serve.http.server import serve_http
from camgate.serve.listeners import open_listeners
from camgate.serve.webrtc.endpoint import Endpoint

log = get_logger("app")


async def run(
    settings: Settings, *, insecure: bool = False, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run camgate until cancelled.

    Started with the URL to open, once all listeners are up. Raises StartError for what stands against a start: a port
    in use, a listener beyond loopback without `insecure`.
    """
    check_exposure(settings.server, insecure=insecure)
    listeners = await _open_http(settings)
    stopping = trio.Event()
    async with _open_endpoint(settings) as endpoint, trio.open_nursery() as nursery:
        nursery.start_soon(_set_when_cancelled, stopping)
        # The parts stop in our order, not all at once: cancellation reaches them by `stopping`.
        with trio.CancelScope(shield=True) as parts:
            nursery.start_soon(_set_deadline, parts, stopping, settings.server.shutdown_deadline_s)
            await _run_parts(settings, endpoint, listeners, stopping, task_status)
        nursery.cancel_scope.cancel()


async def _run_parts(
    settings: Settings,
    endpoint: Endpoint,
    listeners: list[trio.SocketListener],
    stopping: trio.Event,
    task_status: trio.TaskStatus[str],
) -> None:
    registry = Registry()
    engine = Engine(settings, registry, endpoint)
    serve = partial(serve_http, engine, settings.server, listeners, stopping=stopping)
    async with open_intake() as intake, trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        nursery.start_soon(engine.load.run)
        nursery.start_soon(watch_health, registry, settings.health)
        nursery.start_soon(engine.snapshots.run)
        nursery.start_soon(engine.transcoders.run)
        for camera in settings.cameras.values():
            source = Source(camera.name, title=camera.title, expected_fps=camera.expected_fps)
            if camera.sub is not None:
                sub = Source(camera.sub.name)
                source.attach_sub(sub)
                nursery.start_soon(run_camera, camera.sub, sub, intake)
            registry.add(source)
            nursery.start_soon(run_camera, camera, source, intake)
        async with trio.open_nursery() as http:
            url = _url((await http.start(serve))[0])
            log.info("ready", url=url, cameras=len(settings.cameras), webrtc_port=endpoint.port)
            task_status.started(url)
        nursery.cancel_scope.cancel()


async def _set_when_cancelled(stopping: trio.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        log.info("stopping")
        stopping.set()


async def _set_deadline(parts: trio.CancelScope, stopping: trio.Event, shutdown_deadline_s: float) -> None:
    with trio.CancelScope(shield=True):
        await stopping.wait()
    parts.deadline = trio.current_time() + shutdown_deadline_s


async def _open_http(settings: Settings) -> list[trio.SocketListener]:
    try:
        return await open_listeners(settings.server.listen)
    except OSError as exc:
        raise StartError("server.listen", f"{exc.strerror}; choose another address or port") from exc


@asynccontextmanager
async def _open_endpoint(settings: Settings) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    try:
        endpoint.bind(settings.webrtc.port)
    except OSError as exc:
        sentence = f"cannot bind UDP port {settings.webrtc.port}: {exc.strerror}; choose another port"
        raise StartError("webrtc.port", sentence) from exc
    try:
        yield endpoint
    finally:
        endpoint.close()


def _url(address: tuple[str, int]) -> str:
    host, port = address
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://{place(host, port)}/"
