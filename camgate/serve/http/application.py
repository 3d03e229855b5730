"""The web application: all routes, what each answer carries, and what becomes of errors."""

import trio
from quart import request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from camgate.auth.access import Access
from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.config.model import ServerSettings
from camgate.serve.http.access import AccessRules
from camgate.serve.http.api import add_api_routes
from camgate.serve.http.connection import MAX_MESSAGE_BYTES
from camgate.serve.http.control import Control, add_control_routes
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.feed import CameraFeed
from camgate.serve.http.logs import add_log_route
from camgate.serve.http.metrics import NO_METRICS, MetricsPage, add_metrics_route
from camgate.serve.http.pages import WebFiles, add_page_routes, missing_page, wants_page
from camgate.serve.http.permissions import refuse_unchecked
from camgate.serve.http.problem import Problem
from camgate.serve.http.rates import Rates
from camgate.serve.http.responses import BODY_TIMEOUT_S, Response, common_headers, problem_response
from camgate.serve.http.shares import add_share_routes
from camgate.serve.http.signaling import add_signaling_routes
from camgate.serve.http.signin import add_signin_routes
from camgate.serve.http.snapshot import add_snapshot_route
from camgate.serve.http.viewers import add_viewer_routes
from camgate.serve.http.whep import add_whep_routes

log = get_logger("serve.http")

PREFLIGHT_MAX_AGE_S = 600
"""How long browsers may remember what we allow another site: Chromium caps it at two hours."""

_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = "Content-Type, If-Match, Authorization"


def build_application(
    engine: MediaEngine,
    settings: ServerSettings,
    rules: AccessRules,
    feed: CameraFeed,
    files: WebFiles,
    access: Access,
    rates: Rates,
    control: Control,
    stopping: trio.Event,
    metrics: MetricsPage = NO_METRICS,
) -> QuartTrio:
    """Put the routes together. What they need is checked by `gate.Guard`, before them. Raises UndeclaredRoute."""
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_MESSAGE_BYTES
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT_S
    # Quart's own OPTIONS would hide WHEP's, which must name media types.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # Else `/api//v1` would be answered by a redirection in HTML.
    app.url_map.merge_slashes = False
    add_whep_routes(app, engine)
    add_signaling_routes(app, engine, feed, access.leases, rates, stopping)
    add_api_routes(app, engine, access)
    add_viewer_routes(app, engine)
    add_log_route(app)
    add_control_routes(app, control, access)
    add_metrics_route(app, metrics)
    add_snapshot_route(app, engine)
    add_share_routes(app, engine, access, files)
    add_signin_routes(app, access, files, rules)
    add_page_routes(app, engine, files, settings.frame_ancestors)
    _add_error_handlers(app, files)
    _add_common_headers(app, rules)
    refuse_unchecked(app)
    return app


def _add_error_handlers(app: QuartTrio, files: WebFiles) -> None:
    @app.errorhandler(HTTPException)
    async def answer_framework_error(error: HTTPException) -> Response:
        if error.code == 404 and wants_page():
            return await missing_page(files)
        problem = Problem.of_status(error.code or 500)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            problem = Problem.of_status(405, Allow=", ".join(sorted(error.valid_methods)))
        return problem_response(problem)

    @app.errorhandler(RemoteError)
    async def answer_remote_error(error: RemoteError) -> Response:
        return problem_response(Problem.of_error(error, is_script="Sec-Fetch-Mode" in request.headers))

    @app.errorhandler(Exception)
    async def answer_bug(error: Exception) -> Response:
        log.exception("answering an HTTP request failed", error=type(error).__name__)
        return problem_response(Problem.of_status(500))


def _add_common_headers(app: QuartTrio, rules: AccessRules) -> None:
    @app.before_request
    async def answer_preflight() -> Response | None:
        """Fetch standard, section 3.3.2: a browser asks before a page of another site may send what forms cannot."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
        }
        is_allowed = rules.shares_with(request.headers.get("Origin", ""))
        return Response(status=204, headers=headers if is_allowed else {})

    @app.after_request
    async def add_headers(response: Response) -> Response:
        for name, value in common_headers(rules, request.headers.get("Origin")):
            # What a route has set itself is its own: pages have another Content-Security-Policy.
            response.headers.setdefault(name, value)
        return response
