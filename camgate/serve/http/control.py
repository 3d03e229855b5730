"""Changing what camgate does while it runs: what HTTP needs for it, and the routes.

Everything here asks for the right to administrate camgate. Where there are no users, and so nobody to ask, only this
machine may change anything, whatever `--insecure` allows others to see.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Protocol, TypeVar
from urllib.parse import quote

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.identity import Action
from camgate.base.names import composed
from camgate.base.secrets import mask
from camgate.config.address import is_loopback
from camgate.config.errors import Problem as ConfigProblem
from camgate.relay.errors import ViewerError
from camgate.serve.http.bodies import json_body, json_object_untrusted
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

    def config(self) -> dict[str, object]:
        """What runs, ready for JSON, secrets masked."""

    def cameras(self) -> list[dict[str, object]]:
        """How all cameras are configured, those that are switched off among them; see `camera`."""

    def camera(self, name: str) -> dict[str, object]:
        """How a camera is configured, ready for JSON. Raises UnknownCamera.

        Keys: name, origin (`file`, `api`, or `built-in` where there is no file), enabled, settings (secrets masked;
        null where they cannot be used).
        """

    async def add_camera(self, name: str, table: Mapping[str, object], by: str) -> Reloaded:
        """Add a camera, for good. table: its keys, as in a config.

        Raises ConfigRefused, CameraExists, TooManySaved, CannotSave, NothingToReload; so do the others.
        """

    async def change_camera(self, name: str, changes: Mapping[str, object], by: str) -> Reloaded:
        """Change keys of a camera that was added here (RFC 7396: null takes one away). Raises CameraOfFile as well."""

    async def remove_camera(self, name: str, by: str) -> Reloaded:
        """Remove a camera that was added here. Raises CameraOfFile as well."""

    async def switch_camera(self, name: str, by: str, *, on: bool) -> Reloaded:
        """Switch any camera on or off, for good."""

    async def probe(self, name: str | None, table: Mapping[str, object], by: str) -> Mapping[str, object]:
        """Look at a camera, and change nothing.

        table: its keys; of a camera that was added here by `name`, what is to change. Keys of what is returned: error
        (a sentence, where it could not be looked at), is_playable, found (as `camgate probe --json` prints it), picture
        (a JPEG in base64). Raises ConfigRefused, TooManyProbes, and for a name as `change_camera` does.
        """


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


class CameraExists(ViewerError):
    """A camera is to be added by a name that there is."""

    status = HTTPStatus.CONFLICT
    title = "Camera exists"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"There is a camera {self.name!r} already, in capital letters or small; choose another name, or change it."
        )


class CameraOfFile(ViewerError):
    """A camera is to be changed that stands in the config file, which people write."""

    status = HTTPStatus.CONFLICT
    title = "Camera of the file"

    def __init__(self, name: str, file: str) -> None:
        super().__init__(name, file)
        self.name = name
        self.file = file

    def __str__(self) -> str:
        return f"Camera {self.name!r} stands in {self.file}; change it there, and reload."


class TooManySaved(ViewerError):
    """There is no room for one more camera."""

    status = HTTPStatus.CONFLICT
    title = "Too many cameras"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.limit} cameras were added already, as many as can be; remove one, or write it into the config."


class CannotSave(ViewerError):
    """A change cannot be kept over a restart, so it is not made."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    title = "Cannot save"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Nothing was changed, since it cannot be kept in the state directory ({self.reason}); see the log."


class TooManyProbes(ViewerError):
    """As many cameras as can be are looked at now."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many probes"

    def __init__(self, limit: int, *, retry_after_s: float) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.limit} cameras are being looked at, as many as can be; try again in {self.retry_after_s:g} s."


class BadCamera(ViewerError):
    """What is sent is no description of a camera."""

    title = "Bad camera"

    def __str__(self) -> str:
        return (
            "Send one JSON object with the camera's keys, as application/json, when it is added with its name as well."
        )


class NoControl:
    """The `Control` of a server that has no config file, and so keeps nothing."""

    async def reload(self, by: str) -> Reloaded:
        """Refuse."""
        raise NothingToReload

    def config(self) -> dict[str, object]:
        """Refuse."""
        raise NothingToReload

    def cameras(self) -> list[dict[str, object]]:
        """Refuse."""
        raise NothingToReload

    def camera(self, name: str) -> dict[str, object]:
        """Refuse."""
        raise NothingToReload

    async def add_camera(self, name: str, table: Mapping[str, object], by: str) -> Reloaded:
        """Refuse."""
        raise NothingToReload

    async def change_camera(self, name: str, changes: Mapping[str, object], by: str) -> Reloaded:
        """Refuse."""
        raise NothingToReload

    async def remove_camera(self, name: str, by: str) -> Reloaded:
        """Refuse."""
        raise NothingToReload

    async def switch_camera(self, name: str, by: str, *, on: bool) -> Reloaded:
        """Refuse."""
        raise NothingToReload

    async def probe(self, name: str | None, table: Mapping[str, object], by: str) -> Mapping[str, object]:
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
    """Add `/api/v1/reload`, `/api/v1/config`, and what changes cameras."""

    @app.post("/api/v1/reload")
    @changes(access)
    async def reload() -> Response:
        return json_response(asdict(await control.reload(asking().name)))

    @app.get("/api/v1/config")
    @needs(Action.ADMIN, everywhere=True)
    async def show_config() -> Response:
        return json_response(control.config())

    @app.get("/api/v1/config/cameras")
    @needs(Action.ADMIN, everywhere=True)
    async def list_configured() -> Response:
        return json_response(control.cameras())

    @app.get("/api/v1/config/cameras/<name>")
    @needs(Action.ADMIN, everywhere=True)
    async def show_configured(name: str) -> Response:
        return json_response(control.camera(name))

    @app.post("/api/v1/config/cameras")
    @changes(access)
    async def add_camera() -> Response:
        name, table = new_camera_untrusted(await json_body())
        await control.add_camera(name, table, asking().name)
        response = json_response(control.camera(name))
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"{request.root_path}/api/v1/config/cameras/{quote(name)}"
        return response

    @app.post("/api/v1/config/probe")
    @changes(access)
    async def probe_camera() -> Response:
        table = object_untrusted(await json_body())
        name = table.pop("name", None)
        if name is not None and not isinstance(name, str):
            raise BadCamera
        return json_response(await control.probe(name, table, asking().name))

    @app.patch("/api/v1/config/cameras/<name>")
    @changes(access)
    async def change_camera(name: str) -> Response:
        await control.change_camera(name, object_untrusted(await json_body()), asking().name)
        return json_response(control.camera(name))

    @app.delete("/api/v1/config/cameras/<name>")
    @changes(access)
    async def remove_camera(name: str) -> Response:
        await control.remove_camera(name, asking().name)
        return Response(status=204)

    @app.post("/api/v1/config/cameras/<name>/enable")
    @changes(access)
    async def enable_camera(name: str) -> Response:
        await control.switch_camera(name, asking().name, on=True)
        return json_response(control.camera(name))

    @app.post("/api/v1/config/cameras/<name>/disable")
    @changes(access)
    async def disable_camera(name: str) -> Response:
        await control.switch_camera(name, asking().name, on=False)
        return json_response(control.camera(name))


def new_camera_untrusted(body: bytes) -> tuple[str, dict[str, object]]:
    """Return the name and the keys of a camera that is to be added. Raises BadCamera."""
    table = object_untrusted(body)
    name = table.pop("name", None)
    if not isinstance(name, str):
        raise BadCamera
    return composed(name), table


def object_untrusted(body: bytes) -> dict[str, object]:
    """Return one JSON object, all of whose values TOML can hold as well, null apart. Raises BadCamera."""
    table = json_object_untrusted(body, is_strict=True)
    if table is None:
        raise BadCamera
    return table
