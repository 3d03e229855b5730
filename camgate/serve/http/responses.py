"""How values become responses: JSON, and problem documents."""

import json

from quart_trio.wrappers import TrioResponse

from camgate.serve.http.problem import Problem

Response = TrioResponse
"""The class of all answers. Quart's own looks for an asyncio loop when a body is empty."""


def json_response(value: object, *, content_type: str = "application/json") -> Response:
    """A JSON answer that nobody stores. NaN is a bug: browsers cannot read it."""
    body = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def problem_response(problem: Problem) -> Response:
    """A problem document as an answer."""
    response = Response(problem.body(), status=int(problem.status))
    for name, value in problem.header_items():
        response.headers[name] = value
    return response
