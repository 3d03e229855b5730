"""Who watches: a list for operators, and how to send somebody away."""

from quart import request
from quart_trio import QuartTrio

from camgate.auth.identity import Action
from camgate.base.log import get_logger
from camgate.base.names import composed
from camgate.relay.errors import UnknownViewer
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.identity import Sight, asking
from camgate.serve.http.permissions import needs
from camgate.serve.http.responses import Response, json_response

log = get_logger("serve.http")


def add_viewer_routes(app: QuartTrio, engine: MediaEngine) -> None:
    """Add `/api/v1/viewers` and `/api/v1/cameras/NAME/viewers/ID`."""

    @app.get("/api/v1/viewers")
    @needs(Action.CONTROL)
    async def list_viewers() -> Response:
        """List who watches the cameras that the asker may cut viewers of; `?camera=NAME` (repeated): of these only."""
        sight, wanted = (
            Sight(asking(), engine.groups, Action.CONTROL),
            frozenset(map(composed, request.args.getlist("camera"))),
        )
        return json_response(
            [
                viewer
                for viewer in engine.audience()
                if viewer["camera"] in sight and (not wanted or viewer["camera"] in wanted)
            ]
        )

    @app.delete("/api/v1/cameras/<name>/viewers/<viewer>")
    @needs(Action.CONTROL, "name")
    async def end_viewer(name: str, viewer: str) -> Response:
        if not engine.send_away(name, viewer):
            raise UnknownViewer(name, viewer)
        log.info("viewer sent away", camera=name, viewer=viewer, by=asking().name)
        return Response(status=204)
