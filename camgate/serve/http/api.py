"""The JSON API: health, the cameras, and this machine."""

from quart import request
from quart_trio import QuartTrio

from camgate.relay.errors import UnknownCamera
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.openapi import openapi_document
from camgate.serve.http.responses import Response, json_response


def camera_health(cameras: list[dict[str, object]]) -> dict[str, object]:
    """Sum up how the cameras are, and name those that somebody should look after."""
    unhealthy = [camera for camera in cameras if not camera["healthy"]]
    counts = {"total": len(cameras), "healthy": len(cameras) - len(unhealthy), "unhealthy": len(unhealthy)}
    named = [
        {"name": each["name"], "state": each["state"], "health_reason": each["health_reason"]} for each in unhealthy
    ]
    return {"cameras": counts, "unhealthy": named}


def add_api_routes(app: QuartTrio, engine: MediaEngine) -> None:
    """Add `/healthz`, `/readyz` and `/api/v1/…`."""

    @app.get("/healthz")
    async def show_health() -> Response:
        """The process runs, whatever its cameras do, so that a restart is never the answer to a dead camera."""
        alive = {"status": "alive"}
        return json_response(alive | camera_health(engine.cameras()) if "verbose" in request.args else alive)

    @app.get("/readyz")
    async def show_readiness() -> Response:
        """Listeners are up and settings loaded, or nobody would get this far; a stop closes the listeners."""
        return json_response({"status": "ready"})

    @app.get("/api/v1/cameras")
    async def list_cameras() -> Response:
        return json_response(engine.cameras())

    @app.get("/api/v1/cameras/<name>")
    async def show_one_camera(name: str) -> Response:
        found = engine.cameras({name})
        if not found:
            raise UnknownCamera(name)
        return json_response(found[0])

    @app.get("/api/v1/server")
    async def show_server() -> Response:
        return json_response(engine.server())

    @app.get("/api/v1/rtsp/clients")
    async def list_rtsp_clients() -> Response:
        return json_response(engine.rtsp_clients())

    @app.get("/api/v1/openapi.json")
    async def describe_api() -> Response:
        return json_response(openapi_document())
