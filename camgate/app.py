"""The composition root: builds the parts, owns the root nursery and the order of shutdown.

Task tree (each line is owned by the one above it):

    run
      http          connections, camera feed                      (serve.http.serve_http)
      rtsp          a task a client                               (serve.rtsp.serve_rtsp)
      webrtc        UDP readers, a task a stream, a task a viewer  (serve.webrtc.Endpoint.run)
      access        ends what was given when the right to it ends   (auth.Access.run)
      load          looks at the machine ten times a second       (load.LoadWatch.run)
      addresses     hears of new addresses, asks STUN servers      (engine.watch_addresses)
      transcoders   a task a stream that is made of another       (transcode.TranscoderPool.run)
      sounds        a task a stream of sound that is made         (transcode.SoundPool.run)
      snapshots     hands key frames to a worker process          (transcode.Snapshots.run)
      health        looks at every camera each few seconds         (relay.watch_health)
      intake        reads the sockets of all cameras               (ingest.open_intake)
      cameras       a supervisor each                              (ingest.Cameras.run)
      reload        waits for SIGHUP, and for the file to change   (reload.triggers)
      webhooks      two tasks a receiver of messages              (webhooks.Webhooks.run)
      informed      tells systemd how camgate does                 (service.watchdog)

Shutdown: HTTP stops accepting and says goodbye on its WebSockets; then viewers are told (RTCP BYE, DTLS close_notify),
RTSP clients too (RTCP BYE), and cameras hang up (TEARDOWN), side by side.
"""

import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import trio

from camgate.auth.access import Access
from camgate.auth.keys import KeyUnusable
from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.config.address import split_listen
from camgate.config.control import KEY as CONTROL_KEY
from camgate.config.control import control_socket
from camgate.config.errors import StartError
from camgate.config.exposure import check_exposure
from camgate.config.model import AUTO, RtspServerSettings, ServerSettings, Settings
from camgate.config.overlay import Saved
from camgate.config.state import KEY as STATE_KEY
from camgate.config.state import made_state_directory, state_directory
from camgate.config.twins import warn_of_twins
from camgate.engine import Engine
from camgate.ingest.cameras import Cameras
from camgate.ingest.intake import open_intake
from camgate.metrics.page import Metrics
from camgate.relay.health_watch import watch_health
from camgate.relay.registry import Registry
from camgate.reload.reloader import ConfigSource, Parts, Reloader
from camgate.reload.triggers import reload_on_change, reload_on_hangup
from camgate.serve.control_socket import open_control_socket
from camgate.serve.http.metrics import ForMachines
from camgate.serve.http.rates import Rates
from camgate.serve.http.server import serve_http
from camgate.serve.inherited import Inherited
from camgate.serve.listeners import open_listeners
from camgate.serve.rtsp.guests import Guests
from camgate.serve.rtsp.listener import open_udp, serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.serve.rtsp.udp import UdpPorts
from camgate.serve.tls import CertificateUnusable, ServerTls, load_context
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.service.notify import Notifier, open_notifier
from camgate.service.watchdog import keep_informed, status_line, watchdog_period_s
from camgate.webhooks.webhooks import Webhooks

log = get_logger("app")


async def run(
    settings: Settings,
    *,
    source: ConfigSource | None = None,
    saved: Saved | None = None,
    insecure: bool = False,
    environ: Mapping[str, str] = MappingProxyType({}),
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run camgate until cancelled.

    source: where it has the settings from, and will have others from. saved: what of them was changed by the API.
    environ: where a service manager says how to tell it how camgate does, and which sockets it has opened.
    Started with the URL to open, once all listeners are up. Raises StartError for what stands against a start: a port
    in use, a listener beyond loopback without `insecure`.
    """
    check_exposure(settings, insecure=insecure)
    warn_of_twins(settings.cameras, {})
    stopping = trio.Event()
    inherited = Inherited.of(environ)
    async with (
        _open_http(settings, inherited) as http,
        _open_endpoint(settings) as endpoint,
        _open_rtsp(settings.rtsp_server, inherited) as rtsp,
        _open_control(settings.server, is_wanted=source is not None) as control,
        open_notifier(environ) as notifier,
        trio.open_nursery() as nursery,
    ):
        inherited.close()
        nursery.start_soon(_set_when_cancelled, stopping, notifier)
        # The parts stop in our order, not all at once: cancellation reaches them by `stopping`.
        with trio.CancelScope(shield=True) as parts:
            nursery.start_soon(_set_deadline, parts, stopping, settings.server.shutdown_deadline_s)
            begin = Beginning(settings, source, saved, insecure, notifier, watchdog_period_s(environ))
            await _run_parts(begin, Sockets(http, endpoint, rtsp, control), stopping, task_status)
        nursery.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run begins with; see `run`."""

    settings: Settings
    source: ConfigSource | None
    saved: Saved | None
    insecure: bool
    notifier: Notifier
    watchdog_s: float
    """Between two feedings of the watchdog."""


@dataclass(frozen=True, slots=True)
class HttpSockets:
    """What the HTTP server listens on. redirect: where it only leads to HTTPS. metrics: where it serves Prometheus."""

    listeners: list[trio.SocketListener]
    tls: ServerTls | None
    redirect: list[trio.SocketListener]
    metrics: list[trio.SocketListener]


@dataclass(frozen=True, slots=True)
class RtspSockets:
    """What the RTSP server listens on, and sends media by UDP from."""

    listeners: list[trio.SocketListener]
    udp: dict[int, UdpPorts]
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Sockets:
    """What is opened before anything runs, so that a port in use is one line and not a half-started daemon."""

    http: HttpSockets
    endpoint: Endpoint
    rtsp: RtspSockets | None
    """None where there is no RTSP server."""
    control: trio.SocketListener | None
    """None where there is no control socket."""


async def _run_parts(
    begin: Beginning, sockets: Sockets, stopping: trio.Event, task_status: trio.TaskStatus[str]
) -> None:
    settings = begin.settings
    registry = Registry()
    endpoint = sockets.endpoint
    guests = _guests(settings.rtsp_server) if sockets.rtsp else None
    access = _access(settings)
    rates = Rates(settings.limits)
    engine = Engine(settings, registry, endpoint, guests, access.leases)
    async with open_intake() as intake, trio.open_nursery() as nursery:
        cameras = Cameras(registry, intake)
        webhooks = Webhooks(registry, settings.webhooks)
        parts = Parts(cameras=cameras, access=access, engine=engine, rates=rates, webhooks=webhooks, guests=guests)
        metrics = Metrics(
            registry,
            endpoint,
            engine.load,
            access,
            guests=guests,
            tls=sockets.http.tls,
            directories=_directories(settings),
            transcoders=lambda: engine.transcoders.running,
            webhooks=webhooks.statistics,
        )
        reloader = Reloader(
            begin.source, parts, saved=begin.saved, insecure=begin.insecure, announced=begin.notifier.reloading
        )
        await reloader.end_gone_shares()
        await nursery.start(endpoint.run)
        nursery.start_soon(access.run)
        nursery.start_soon(engine.load.run)
        nursery.start_soon(engine.watch_addresses)
        nursery.start_soon(watch_health, registry, lambda: engine.settings.health)
        nursery.start_soon(engine.snapshots.run)
        nursery.start_soon(engine.transcoders.run)
        nursery.start_soon(engine.sounds.run)
        nursery.start_soon(cameras.run)
        nursery.start_soon(webhooks.run)
        for camera in settings.cameras.values():
            cameras.add(camera)
        if sockets.rtsp and guests:
            # Their own login in clear only, so where it cannot be overheard.
            takes_tokens = sockets.rtsp.tls is not None and not access.is_open
            service = RtspService(
                registry=registry,
                access=lambda _path: engine.settings.rtsp_server.users or ({} if takes_tokens else None),
                admit_login=access.admit_player if takes_tokens else None,
                leases=access.leases,
                admit=engine.admit_reader,
                guests=guests,
                tls=sockets.rtsp.tls,
            )
            await nursery.start(partial(serve_rtsp, sockets.rtsp.listeners, service, udp=sockets.rtsp.udp))
        if begin.source is not None:
            await nursery.start(reload_on_hangup, reloader)
            nursery.start_soon(reload_on_change, reloader, begin.source.file, lambda: engine.settings.reload.watch)
        serve = partial(
            serve_http,
            engine,
            settings.server,
            sockets.http.listeners,
            tls=sockets.http.tls,
            redirect=sockets.http.redirect,
            access=access,
            rates=rates,
            control=reloader,
            machines=ForMachines(metrics, sockets.http.metrics, is_open=settings.metrics.open),
            control_socket=sockets.control,
            stopping=stopping,
        )

        def status() -> str:
            return status_line((source.state for source in registry.sources()), endpoint.viewer_count)

        async with trio.open_nursery() as http:
            url = _url((await http.start(serve))[0], "http" if sockets.http.tls is None else "https")
            log.info("ready", url=url, cameras=len(settings.cameras), webrtc_port=endpoint.port, **_rtsp_facts(sockets))
            task_status.started(url)
            begin.notifier.ready(status())
            if begin.notifier.is_heard:
                nursery.start_soon(
                    partial(keep_informed, begin.notifier, status, cameras.ailing, period_s=begin.watchdog_s)
                )
        nursery.cancel_scope.cancel()


async def _set_when_cancelled(stopping: trio.Event, notifier: Notifier) -> None:
    try:
        await trio.sleep_forever()
    finally:
        log.info("stopping")
        notifier.stopping()
        stopping.set()


async def _set_deadline(parts: trio.CancelScope, stopping: trio.Event, shutdown_deadline_s: float) -> None:
    with trio.CancelScope(shield=True):
        await stopping.wait()
    parts.deadline = trio.current_time() + shutdown_deadline_s


@asynccontextmanager
async def _open_http(wanted: Settings, inherited: Inherited) -> AsyncIterator[HttpSockets]:
    settings, tls = wanted.server, None
    if settings.tls_certificate:
        with _start_error("server.tls_certificate"):
            tls = ServerTls(settings.tls_certificate, settings.tls_key, protocols=("http/1.1",))
    listeners = await _listen("server.listen", settings.listen, inherited)
    with _closing(listeners):
        redirect = await _listen("server.redirect_listen", settings.redirect_listen, inherited)
        with _closing(redirect):
            metrics = await _listen("metrics.listen", wanted.metrics.listen, inherited)
            with _closing(metrics):
                yield HttpSockets(listeners, tls, redirect, metrics)


async def _listen(key: str, listen: str, inherited: Inherited) -> list[trio.SocketListener]:
    """Open listeners, none for an empty address. Raises StartError."""
    if not listen:
        return []
    try:
        return await open_listeners(listen, inherited)
    except OSError as exc:
        raise StartError(key, f"{exc.strerror}; choose another address or port") from exc


@contextmanager
def _closing(listeners: list[trio.SocketListener]) -> Iterator[None]:
    try:
        yield
    finally:
        for listener in listeners:
            listener.socket.close()


@asynccontextmanager
async def _open_control(settings: ServerSettings, *, is_wanted: bool) -> AsyncIterator[trio.SocketListener | None]:
    path = control_socket(settings, os.environ) if is_wanted else None
    with ExitStack() as stack:
        yield None if path is None else _listen_at(path, settings, stack)


def _listen_at(path: Path, settings: ServerSettings, stack: ExitStack) -> trio.SocketListener | None:
    """Open the control socket, which `stack` closes; do without where that fails and nobody has asked for it."""
    try:
        return stack.enter_context(open_control_socket(path))
    except OSError as exc:
        sentence = f"cannot listen at the control socket {path}: {exc.strerror or exc}"
        if settings.unix_socket != AUTO:
            raise StartError(CONTROL_KEY, f'{sentence}; choose another path, or "" for none') from exc
        log.warning(f"{sentence}; going on without it")
        return None


@asynccontextmanager
async def _open_endpoint(settings: Settings) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    try:
        endpoint.bind(settings.webrtc.port, tcp=settings.webrtc.tcp)
    except OSError as exc:
        sentence = f"cannot bind port {settings.webrtc.port}: {exc.strerror}; choose another port"
        raise StartError("webrtc.port", sentence) from exc
    try:
        yield endpoint
    finally:
        endpoint.close()


@asynccontextmanager
async def _open_rtsp(settings: RtspServerSettings, inherited: Inherited) -> AsyncIterator[RtspSockets | None]:
    if not settings.listen:
        yield None
        return
    key, port = "rtsp_server.listen", split_listen(settings.listen)[1]
    tls = None
    if settings.tls_certificate:
        with _start_error("rtsp_server.tls_certificate"):
            tls = load_context(settings.tls_certificate, settings.tls_key)
    try:
        listeners = await open_listeners(settings.listen, inherited)
    except OSError as exc:
        raise StartError(key, f'{exc.strerror}; choose another address or port, or "" for no RTSP server') from exc
    with _closing(listeners):
        try:
            udp = open_udp(listeners, port=port) if settings.udp and not tls else {}
        except OSError as exc:
            sentence = f"cannot bind the UDP ports {port} and {port + 1}: {exc.strerror}"
            raise StartError(key, f"{sentence}; choose another port, or write udp = false") from exc
        try:
            yield RtspSockets(listeners, udp, tls)
        finally:
            for ports in udp.values():
                ports.close()


@contextmanager
def _start_error(key: str) -> Iterator[None]:
    """Say which key of the config a certificate is wrong by."""
    try:
        yield
    except CertificateUnusable as exc:
        raise StartError(key, str(exc)) from exc


def _rtsp_facts(sockets: Sockets) -> dict[str, str]:
    if not sockets.rtsp:
        return {}
    host, port, *_ = sockets.rtsp.listeners[0].socket.getsockname()
    scheme = "rtsps" if sockets.rtsp.tls else "rtsp"
    return {"rtsp": f"{scheme}://{place(host, port)}/"}


def _directories(settings: Settings) -> dict[str, Path]:
    """Return where camgate keeps something, by what."""
    directories = {"state": state_directory(settings.server, os.environ)}
    if settings.logging.output != "console":
        directories["log"] = settings.logging.directory
    return directories


def _guests(settings: RtspServerSettings) -> Guests:
    return Guests(max_clients=settings.max_clients, max_clients_per_address=settings.max_clients_per_address)


def _access(settings: Settings) -> Access:
    if not settings.auth.is_on:
        return Access(settings.auth)
    cameras = {name: camera.groups for name, camera in settings.cameras.items()}
    try:
        return Access(settings.auth, made_state_directory(settings.server, os.environ), cameras=cameras)
    except KeyUnusable as exc:
        raise StartError(STATE_KEY, str(exc)) from exc


def _url(address: tuple[str, int], scheme: str) -> str:
    host, port = address
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://{place(host, port)}/"
