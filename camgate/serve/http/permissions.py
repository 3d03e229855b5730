"""What each route needs: declared where the route is added, looked up by the gate before any route runs.

A route without a declaration is a bug that keeps the server from starting. So is one that the gate took for another:
it answers nobody (`refuse_unchecked`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from quart import request, websocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from camgate.auth.identity import Action

View = TypeVar("View", bound=Callable[..., Any])

NEEDED = "camgate.needed"
"""The key of the ASGI scope under which the gate notes what it has checked."""
_ATTRIBUTE = "camgate_need"


@dataclass(frozen=True, slots=True)
class Need:
    """What one must be permitted to use a route.

    action: None for a route that is open to all. camera: the part of the address that names the camera which the
    action is about; None where it is about camgate itself (`everywhere`), or about those cameras that one may use it
    for. is_page: whether people are shown the route's own page of a camera that is not there, also where that is
    because they may not view it.
    """

    action: Action | None
    camera: str | None = None
    everywhere: bool = False
    is_page: bool = False


OPEN = Need(None)


@dataclass(frozen=True, slots=True)
class Needed:
    """A need that was found for one request, and the camera that it is about."""

    need: Need
    camera: str | None = None


NOTHING = Needed(OPEN)
"""For addresses without a route: their 404 tells nothing."""


def needs(
    action: Action, camera: str | None = None, *, everywhere: bool = False, is_page: bool = False
) -> Callable[[View], View]:
    """Declare what a route needs; see `Need`."""
    return _declare(Need(action, camera, everywhere, is_page))


def open_to_all(view: View) -> View:
    """Declare that a route asks nobody who they are."""
    return _declare(OPEN)(view)


def _declare(need: Need) -> Callable[[View], View]:
    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, need)
        return view

    return declare


class UndeclaredRoute(RuntimeError):
    """A route does not say what it needs."""


class UncheckedRoute(RuntimeError):
    """A request came to a route whose need the gate has not checked."""


def refuse_unchecked(app: QuartTrio) -> None:
    """Have `app` hold what the gate has checked against the route that runs: they find it by the same rules, but apart.

    Raises UndeclaredRoute.
    """
    needs_of_routes(app)

    def check(scope: Mapping[str, Any], endpoint: str | None, parts: Mapping[str, object] | None) -> None:
        need: Need = OPEN if endpoint is None else getattr(app.view_functions[endpoint], _ATTRIBUTE)
        if need.action is not None and scope.get(NEEDED) != _needed(need, parts or {}):
            raise UncheckedRoute(f"{endpoint} was to run without a check of {need}")

    @app.before_request
    async def check_request() -> None:
        check(request.scope, request.endpoint, request.view_args)

    @app.before_websocket
    async def check_websocket() -> None:
        check(websocket.scope, websocket.endpoint, websocket.view_args)


def needs_of_routes(app: QuartTrio) -> dict[str, Need]:
    """Return what each route needs, by endpoint. Raises UndeclaredRoute."""
    needs = {}
    for rule in app.url_map.iter_rules():
        need = getattr(app.view_functions[rule.endpoint], _ATTRIBUTE, None)
        if need is None:
            raise UndeclaredRoute(f"{rule.rule} needs a declaration: @needs(…) or @open_to_all")
        needs[rule.endpoint] = need
    return needs


def _needed(need: Need, parts: Mapping[str, object]) -> "Needed":
    return Needed(need, None if need.camera is None else str(parts[need.camera]))


class Permissions:
    """The needs of an application's routes."""

    def __init__(self, app: QuartTrio) -> None:
        """Raises UndeclaredRoute."""
        self._adapter: MapAdapter = app.url_map.bind("localhost")
        self._needs = needs_of_routes(app)

    def of(self, scope: Mapping[str, Any]) -> Needed:
        """Return what a request needs. Takes 6 us: nothing is remembered that strangers can fill."""
        path: str = scope["path"]
        method = scope.get("method", "GET")
        try:
            endpoint, parts = self._adapter.match(path, method, websocket=scope["type"] == "websocket")
        except HTTPException:
            return NOTHING
        return _needed(self._needs[endpoint], parts)
