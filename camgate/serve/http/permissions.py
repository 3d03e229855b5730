"""What each route needs: declared where the route is added, looked up by the gate before any route runs.

A route without a declaration is a bug that keeps the server from starting.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from camgate.auth.identity import Action

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "camgate_need"
MAX_REMEMBERED = 4096
"""Addresses whose need is remembered."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one must be permitted to use a route.

    action: None for a route that is open to all. camera: the part of the address that names the camera which the
    action is about; None where it is about camgate itself (`everywhere`), or about those cameras that one may use it
    for.
    """

    action: Action | None
    camera: str | None = None
    everywhere: bool = False


OPEN = Need(None)


@dataclass(frozen=True, slots=True)
class Needed:
    """A need that was found for one request, and the camera that it is about."""

    need: Need
    camera: str | None = None


NOTHING = Needed(OPEN)
"""For addresses without a route: their 404 tells nothing."""


def needs(action: Action, camera: str | None = None, *, everywhere: bool = False) -> Callable[[View], View]:
    """Declare what a route needs; see `Need`."""
    return _declare(Need(action, camera, everywhere))


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


class Permissions:
    """The needs of an application's routes."""

    def __init__(self, app: QuartTrio) -> None:
        """Raises UndeclaredRoute."""
        self._adapter: MapAdapter = app.url_map.bind("localhost")
        self._needs: dict[str, Need] = {}
        for rule in app.url_map.iter_rules():
            need = getattr(app.view_functions[rule.endpoint], _ATTRIBUTE, None)
            if need is None:
                raise UndeclaredRoute(f"{rule.rule} needs a declaration: @needs(…) or @open_to_all")
            self._needs[rule.endpoint] = need
        self.of = lru_cache(MAX_REMEMBERED)(self._of)

    def _of(self, kind: str, method: str, path: str) -> Needed:
        try:
            endpoint, parts = self._adapter.match(path, method, websocket=kind == "websocket")
        except HTTPException:
            return NOTHING
        need = self._needs[endpoint]
        return Needed(need, None if need.camera is None else str(parts[need.camera]))
