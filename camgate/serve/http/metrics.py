"""`/metrics` for Prometheus: on the listener of all pages, and on one for machines alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable
from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.identity import Action
from camgate.config.model import ServerSettings
from camgate.serve.http.access import AccessRules
from camgate.serve.http.gate import Gate, Guard, send_problem
from camgate.serve.http.permissions import Permissions, needs
from camgate.serve.http.problem import Problem
from camgate.serve.http.rates import Rates
from camgate.serve.http.responses import Response
from camgate.serve.listeners import are_all_loopback

METRICS_PATH = "/metrics"
PATHS = frozenset({METRICS_PATH, "/healthz", "/readyz"})
"""What a listener for machines answers."""


class MetricsPage(Protocol):
    """Who knows the figures."""

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page in the format that an Accept header asks for, and its media type."""


class NoMetrics:
    """The metrics of a server that has none."""

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return an empty page."""
        return b"", "text/plain; version=0.0.4; charset=utf-8"


NO_METRICS = NoMetrics()


@dataclass(frozen=True, slots=True)
class ForMachines:
    """The figures, and the listener for machines. is_open: it asks nobody who they are."""

    metrics: MetricsPage = NO_METRICS
    listeners: Sequence[trio.SocketListener] = ()
    is_open: bool = False

    def application(
        self, app: QuartTrio, permissions: Permissions, settings: ServerSettings, access: Access, rates: Rates
    ) -> ASGIFramework:
        """Return what the listener serves."""
        rules = AccessRules(
            cors_origins=(),
            allowed_hosts=settings.allowed_hosts,
            loopback_only=are_all_loopback(self.listeners),
        )
        guard = Guard(Access() if self.is_open else access, permissions, _no_groups)
        return Few(Gate(app, rules, guard, rates))


def _no_groups(_camera: str) -> tuple[str, ...]:
    return ()


class Few:
    """An ASGI application around another: lets requests for PATHS pass, and no other."""

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        """Hand a request on, or answer it."""
        if scope["path"] in PATHS:
            await self._app(scope, receive, send)
            return
        detail = f"This port answers {METRICS_PATH}, /healthz and /readyz only; pages are at the port of server.listen."
        await send_problem(scope, send, Problem(status=404, detail=detail))


def add_metrics_route(app: QuartTrio, metrics: MetricsPage) -> None:
    """Add `/metrics`."""

    @app.get(METRICS_PATH)
    @needs(Action.CONTROL, everywhere=True)
    async def show_metrics() -> Response:
        body, content_type = await metrics.page(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type, headers={"Cache-Control": "no-store"})
