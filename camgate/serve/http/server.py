"""Serve HTTP: accept connections, hold them within bounds, and stop in order.

`serve_http` owns every task of the HTTP side: the accepting, one task tree a connection, and the camera feed.
Stopping has an order: accept no more, say goodbye on WebSockets, close what is idle, let answers finish, cut.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trio
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable

from camgate.auth.access import Access
from camgate.base.log import get_logger
from camgate.base.network import network_of
from camgate.config.model import LimitSettings, ServerSettings
from camgate.serve.control_socket import who_connected
from camgate.serve.http.access import AccessRules
from camgate.serve.http.application import build_application
from camgate.serve.http.connection import ByteStream, Connection, hypercorn_config, socket_of
from camgate.serve.http.control import Control, NoControl
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.feed import CameraFeed
from camgate.serve.http.gate import Gate, Guard
from camgate.serve.http.handshake import Handshakes
from camgate.serve.http.identity import LOCAL
from camgate.serve.http.metrics import ForMachines
from camgate.serve.http.offers import OfferLane
from camgate.serve.http.pages import WebFiles, web_directory
from camgate.serve.http.permissions import Permissions
from camgate.serve.http.problem import Problem
from camgate.serve.http.proxies import BelowRoot, Networks, TrustedProxies
from camgate.serve.http.rates import Rates
from camgate.serve.http.redirect import Redirect
from camgate.serve.listeners import PatientListener, addresses, are_all_loopback
from camgate.serve.tls import ServerTls

log = get_logger("serve.http")

GRACE_SHARE = 1 / 3
"""Of the shutdown deadline, for answers that are under way; the rest is for cameras and viewers."""
CONNECTIONS_PER_VIEWER = 2
"""A viewer's page holds a WebSocket and asks for files now and then."""
SPARE_CONNECTIONS = 100
REFUSAL_TIMEOUT_S = 1.0
NO_LIMITS = LimitSettings(requests_per_s=0, offers_per_s=0, max_connections_per_address=0)
"""Of what one address may ask for."""


async def serve_http(
    engine: MediaEngine,
    settings: ServerSettings,
    listeners: Sequence[trio.SocketListener],
    *,
    stopping: trio.Event,
    tls: ServerTls | None = None,
    redirect: Sequence[trio.SocketListener] = (),
    access: Access | None = None,
    rates: Rates | None = None,
    control: Control | None = None,
    machines: ForMachines | None = None,
    control_socket: trio.SocketListener | None = None,
    web: Path | None = None,
    task_status: trio.TaskStatus[list[tuple[str, int]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `stopping` is set, then finish within a third of the shutdown deadline. Closes the listeners.

    Started with the addresses that are listened on. `tls` makes them HTTPS, and `redirect` is where plain HTTP is led
    there. `access` lets everybody in where it is absent. `rates` bounds what one address may ask for. `control` changes
    what camgate does; nobody does where it is absent. `machines` knows the figures, and where else they are shown.
    `control_socket` serves whoever may connect there, without a password. `web` is where the pages are, if not where
    they are installed.
    """
    rules = AccessRules(
        cors_origins=settings.cors_origins,
        allowed_hosts=settings.allowed_hosts,
        loopback_only=are_all_loopback(listeners),
        hsts_s=settings.hsts_s if tls else 0,
    )
    feed = CameraFeed(engine)
    access = Access() if access is None else access
    rates = Rates(NO_LIMITS) if rates is None else rates
    control = NoControl() if control is None else control
    files = WebFiles(web or web_directory())
    machines = ForMachines() if machines is None else machines
    app = build_application(engine, settings, rules, feed, files, access, rates, control, stopping, machines.metrics)
    permissions = Permissions(app)
    guard = Guard(access, permissions, engine.groups)
    gate: ASGIFramework = Gate(OfferLane(BelowRoot(app), engine, rules), rules, guard, rates)
    local_gate = gate  # where no proxy stands in front
    proxies = Networks(settings.trusted_proxies)
    if proxies:
        gate = TrustedProxies(gate, proxies)
    connections = Connections(gate, engine, tls, rates=rates, exempt=proxies)
    grace_s = settings.shutdown_deadline_s * GRACE_SHARE
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        if tls is not None:
            nursery.start_soon(tls.watch)
        task_status.started(addresses(listeners))
        async with trio.open_nursery() as servers:
            if redirect:
                leading = Connections(Redirect(rules, addresses(listeners)[0][1]))
                servers.start_soon(partial(leading.serve, redirect, stopping, grace_s=grace_s))
            if machines.listeners:
                served = machines.application(app, permissions, settings, access, rates)
                scraping = Connections(served, rates=rates)
                servers.start_soon(partial(scraping.serve, machines.listeners, stopping, grace_s=grace_s))
            if control_socket is not None:
                local = Connections(local_gate, is_local=True)
                servers.start_soon(partial(local.serve, [control_socket], stopping, grace_s=grace_s))
            servers.start_soon(partial(connections.serve, listeners, stopping, grace_s=grace_s))
        nursery.cancel_scope.cancel()


class Local:
    """An ASGI application around another: tells it that somebody came over the control socket, and who."""

    def __init__(self, app: ASGIFramework, who: str) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Hand a request on."""
        await self._app(scope | {LOCAL: self._who}, receive, send)


class Connections:
    """All connections of a server."""

    def __init__(
        self,
        app: ASGIFramework,
        engine: MediaEngine | None = None,
        tls: ServerTls | None = None,
        *,
        rates: Rates | None = None,
        exempt: Networks | None = None,
        is_local: bool = False,
    ) -> None:
        """engine: knows how many viewers there may be; None where none come this way.

        rates: knows how many one address may have; None for any number. exempt: proxies, which speak for many.

        is_local: they come over the control socket.
        """
        self._is_local = is_local
        self._rates = rates
        self._exempt = exempt or Networks(())
        self._by_network: Counter[str] = Counter()
        self._app = app
        self._engine = engine
        self._tls = tls
        self._handshakes = Handshakes()
        self._shaking_hands = 0
        self._config = hypercorn_config()
        self._context = WorkerContext(None)
        self._open: set[Connection] = set()

    async def serve(self, listeners: Sequence[trio.SocketListener], stopping: trio.Event, *, grace_s: float) -> None:
        """Accept until `stopping`; then let what is under way finish, for `grace_s` at most."""
        async with trio.open_nursery() as handlers:
            async with trio.open_nursery() as acceptors:
                accept = partial(trio.serve_listeners, handler_nursery=handlers)  # Closes the listeners at its end.
                acceptors.start_soon(accept, self._serve_one, [PatientListener(each) for each in listeners])
                await stopping.wait()
                acceptors.cancel_scope.cancel()
            # From here on hypercorn closes each connection after its present answer.
            await self._context.terminated.set()
            for connection in self._open:
                connection.stop_if_idle()
            handlers.cancel_scope.deadline = trio.current_time() + grace_s

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        network = self._network(stream)
        if network is None:
            await self._serve_counted(stream)
            return
        if self._by_network[network] >= self._max_per_address():
            log.warning("too many HTTP connections of one address; refused one", network=network)
            await trio.aclose_forcefully(stream)
            return
        self._by_network[network] += 1
        try:
            await self._serve_counted(stream)
        finally:
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def _network(self, stream: trio.SocketStream) -> str | None:
        """Whom a connection counts for; None for nobody."""
        if not self._max_per_address():
            return None
        try:
            host = stream.socket.getpeername()[0]
        except OSError:
            return None
        return None if ip_address(host.partition("%")[0]) in self._exempt else network_of(host)

    def _max(self) -> int:
        viewers = 0 if self._engine is None else self._engine.max_viewers
        return viewers * CONNECTIONS_PER_VIEWER + SPARE_CONNECTIONS

    def _max_per_address(self) -> int:
        return 0 if self._rates is None else self._rates.limits.max_connections_per_address

    async def _serve_counted(self, stream: trio.SocketStream) -> None:
        if len(self._open) + self._shaking_hands >= self._max():
            await self._refuse(stream)
            return
        if self._tls is None:
            await self._serve_stream(stream)
            return
        self._shaking_hands += 1
        try:
            encrypted = await self._handshakes.shake_hands(stream, self._tls.context)
        finally:
            self._shaking_hands -= 1
        if encrypted is not None:
            await self._serve_stream(encrypted)

    async def _serve_stream(self, stream: ByteStream) -> None:
        app = Local(self._app, who_connected(socket_of(stream))) if self._is_local else self._app
        connection = Connection(app, self._config, self._context, stream)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.remove(connection)

    async def _refuse(self, stream: trio.SocketStream) -> None:
        log.warning("too many HTTP connections; refused one", open=len(self._open))
        if self._tls is not None:
            # An answer would need a handshake, which is what we have no room for.
            await trio.aclose_forcefully(stream)
            return
        with trio.move_on_after(REFUSAL_TIMEOUT_S):
            await stream.send_all(Problem.of_status(503).raw())
        await trio.aclose_forcefully(stream)
