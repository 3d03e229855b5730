"""A camera's last key frame as JPEG: for posters, dashboards and scripts."""

from quart import request
from quart_trio import QuartTrio

from camgate.auth.identity import Action
from camgate.relay.errors import BadWidth
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.permissions import needs
from camgate.serve.http.responses import Response

LEAST_WIDTH = 16
MOST_WIDTH = 8192
"""Of a snapshot, in pixels. It never becomes wider than the camera's picture."""
MAX_AGE_S = 1
"""Whoever shows a snapshot again within a second has it already."""


def add_snapshot_route(app: QuartTrio, engine: MediaEngine) -> None:
    """Add `/api/v1/cameras/NAME/snapshot.jpg`."""

    @app.get("/api/v1/cameras/<name>/snapshot.jpg")
    @needs(Action.VIEW, "name")
    async def show_snapshot(name: str) -> Response:
        picture = await engine.snapshot(name, parse_width_untrusted(request.args.get("width")))
        response = Response(picture.jpeg, content_type="image/jpeg")
        response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
        # Dashboards show it as a picture; whose pages get one is what it takes to log in.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.set_etag(picture.etag)
        await response.make_conditional(request)
        return response


def parse_width_untrusted(text: str | None) -> int:
    """Return the wished width of a snapshot, 0 where none is wished. Raises BadWidth."""
    if text is None:
        return 0
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_WIDTH))
    if not is_number or not LEAST_WIDTH <= int(text) <= MOST_WIDTH:
        raise BadWidth(LEAST_WIDTH, MOST_WIDTH)
    return int(text)
