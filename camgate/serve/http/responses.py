"""How values become responses: JSON, and problem documents."""

import json

from quart import request
from quart_trio.wrappers import TrioResponse

from camgate.serve.http.access import AccessRules
from camgate.serve.http.problem import Problem

BODY_TIMEOUT_S = 10
"""How long a request's body may take: 64 KiB at 52 kbit/s."""

_EXPOSED_HEADERS = "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After"

Response = TrioResponse
"""The class of all answers. Quart's own looks for an asyncio loop when a body is empty."""


def json_response(value: object, *, content_type: str = "application/json") -> Response:
    """A JSON answer that nobody stores. NaN is a bug: browsers cannot read it."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def set_cookie(response: Response, name: str, value: str, max_age_s: float) -> None:
    """Have a browser keep something that no script may read, and that no page of another site has it send along."""
    response.set_cookie(
        name,
        value,
        max_age=int(max_age_s),
        path=request.root_path + "/",
        secure=request.scheme == "https",
        httponly=True,
        samesite="Lax",
    )


def problem_response(problem: Problem) -> Response:
    """A problem document as an answer."""
    response = Response(problem.body(), status=int(problem.status))
    for name, value in problem.header_items():
        response.headers[name] = value
    return response


def common_headers(rules: AccessRules, origin: str | None) -> list[tuple[str, str]]:
    """What every answer carries, unless a route says otherwise; `origin` is the request's."""
    headers = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        # Else any page could have a browser load what it may not read, and learn from how that goes.
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if rules.hsts_s:
        headers.append(("Strict-Transport-Security", f"max-age={rules.hsts_s}"))
    if rules.any_cross_origin:
        headers.append(("Vary", "Origin"))
    if origin is not None and rules.shares_with(origin):
        headers.append(("Access-Control-Allow-Origin", origin))
        headers.append(("Access-Control-Expose-Headers", _EXPOSED_HEADERS))
    return headers
