"""Changing what camgate does while it runs: what HTTP needs for it, and the routes.

Everything here asks for the right to administrate camgate. Where there are no users, and so nobody to ask, only this
machine may change anything, whatever `--insecure` allows others to see.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Protocol, TypeVar

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.identity import Action
from camgate.base.secrets import mask
from camgate.config.address import is_loopback
from camgate.config.errors import Problem as ConfigProblem
from camgate.relay.errors import ViewerError
from camgate.serve.http.identity import asking, client_address
from camgate.serve.http.permissions import needs
from camgate.serve.http.responses import Response, json_response

View = TypeVar("View", bound=Callable[..., Awaitable[Response]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What a reload has changed. Cameras by name, all else by key path, such as `limits.max_load`."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Cameras that are there before and after: which of their keys differ."""
    restarted: tuple[str, ...] = ()
    """Those of them that are connected to anew."""
    settings: tuple[str, ...] = ()
    """What else holds from now on."""
    at_next_start: tuple[str, ...] = ()
    """What a running camgate cannot change."""
    ended: int = 0
    """How much was ended of what its holder may have no longer: viewers, WebSockets, RTSP clients."""


class Control(Protocol):
    """Who changes what camgate does."""

    async def reload(self, by: str) -> Reloaded:
        """Read the config anew and take it. by: who says so, for the log. Raises ConfigRefused, NothingToReload."""


class ConfigRefused(ViewerError):
    """A config has mistakes, so that the one before holds on."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Config refused"

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)
        self.errors = [
            {"key": each.key, "file": each.file, "line": each.line, "detail": mask(each.sentence)} for each in problems
        ]

    def __str__(self) -> str:
        first = mask(str(self.problems[0]))
        more = len(self.problems) - 1
        and_more = f" (and {more} more)" if more else ""
        return f"The config is not taken, and the one before holds on: {first}{and_more}."


class NothingToReload(ViewerError):
    """camgate runs without a config file."""

    status = HTTPStatus.CONFLICT
    title = "Nothing to reload"

    def __str__(self) -> str:
        return "This camgate runs without a config file, so there is nothing to read anew."


class ChangesFromElsewhere(ViewerError):
    """Nobody is asked who they are, and somebody on another machine wants to change something."""

    status = HTTPStatus.FORBIDDEN
    title = "Changes from elsewhere"

    def __str__(self) -> str:
        return "Without users camgate is changed from its own machine only; add one with `camgate user hash NAME`."


class NoControl:
    """The `Control` of a server that has no config file."""

    async def reload(self, by: str) -> Reloaded:
        """Refuse."""
        raise NothingToReload


def changes(access: Access) -> Callable[[View], View]:
    """Declare a route that changes what camgate does; see `permissions.needs`."""

    def declare(view: View) -> View:
        @wraps(view)
        async def checked(**parts: str) -> Response:
            if access.is_open and not _is_from_here(client_address(request.scope)):
                raise ChangesFromElsewhere
            return await view(**parts)

        return needs(Action.ADMIN, everywhere=True)(checked)  # type: ignore[return-value]

    return declare


def _is_from_here(address: str) -> bool:
    try:
        return not address or is_loopback(address)
    except ValueError:
        return False  # what a proxy calls somebody whose address it does not tell


def add_control_routes(app: QuartTrio, control: Control, access: Access) -> None:
    """Add `/api/v1/reload`."""

    @app.post("/api/v1/reload")
    @changes(access)
    async def reload() -> Response:
        return json_response(asdict(await control.reload(asking().name)))
