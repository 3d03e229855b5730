"""The JSON API: health, the cameras, and this machine."""

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.identity import Action, Identity
from camgate.relay.errors import UnknownCamera
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.identity import Sight, asking, identify
from camgate.serve.http.openapi import openapi_document
from camgate.serve.http.permissions import needs, open_to_all
from camgate.serve.http.responses import Response, json_response


def camera_health(cameras: list[dict[str, object]]) -> dict[str, object]:
    """Sum up how the cameras are, and name those that somebody should look after."""
    unhealthy = [camera for camera in cameras if not camera["healthy"]]
    counts = {"total": len(cameras), "healthy": len(cameras) - len(unhealthy), "unhealthy": len(unhealthy)}
    named = [
        {"name": each["name"], "state": each["state"], "health_reason": each["health_reason"]} for each in unhealthy
    ]
    return {"cameras": counts, "unhealthy": named}


def _visible(engine: MediaEngine, identity: Identity) -> list[dict[str, object]]:
    """Describe the cameras that somebody may view."""
    sight = Sight(identity, engine.groups)
    return engine.cameras(None if sight.is_whole else [name for name in engine.camera_names() if name in sight])


def add_api_routes(app: QuartTrio, engine: MediaEngine, access: Access) -> None:
    """Add `/healthz`, `/readyz` and `/api/v1/…`."""

    @app.get("/healthz")
    @open_to_all
    async def show_health() -> Response:
        """The process runs, whatever its cameras do, so that a restart is never the answer to a dead camera."""
        alive = {"status": "alive"}
        if "verbose" not in request.args:
            return json_response(alive)
        return json_response(alive | camera_health(_visible(engine, await identify(access, request.scope))))

    @app.get("/readyz")
    @open_to_all
    async def show_readiness() -> Response:
        """Listeners are up and settings loaded, or nobody would get this far; a stop closes the listeners."""
        return json_response({"status": "ready"})

    @app.get("/api/v1/cameras")
    @needs(Action.VIEW)
    async def list_cameras() -> Response:
        return json_response(_visible(engine, asking()))

    @app.get("/api/v1/cameras/<name>")
    @needs(Action.VIEW, "name")
    async def show_one_camera(name: str) -> Response:
        found = engine.cameras({name})
        if not found:
            raise UnknownCamera(name)
        return json_response(found[0])

    @app.get("/api/v1/server")
    @needs(Action.CONTROL, everywhere=True)
    async def show_server() -> Response:
        return json_response(engine.server())

    @app.get("/api/v1/openapi.json")
    @open_to_all
    async def describe_api() -> Response:
        return json_response(openapi_document(request.root_path or "/"))
