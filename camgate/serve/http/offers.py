"""A short way for offers: `POST /whep/CAMERA` answered without Quart, which takes half of the time that HTTP takes.

Only for requests in the form that players send; any other goes on to the routes, which know every case and answer the
same (tests hold them against each other). So what is decided for all requests belongs into the gate, which stands
before both. Owns no task: when the client leaves, its connection cancels the answer.
"""

from http import HTTPStatus
from typing import Any

import trio
from hypercorn.typing import ASGIFramework, ASGIReceiveCallable

from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.relay.errors import UnknownCamera
from camgate.serve.http.access import AccessRules
from camgate.serve.http.connection import MAX_MESSAGE_BYTES
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.gate import header, send_answer
from camgate.serve.http.identity import IDENTITY
from camgate.serve.http.problem import Problem
from camgate.serve.http.responses import BODY_TIMEOUT_S, common_headers
from camgate.serve.http.whep import SDP, session_headers, start_session

log = get_logger("serve.http")

_PREFIX = "/whep/"
_LENGTH_DIGITS = len(str(MAX_MESSAGE_BYTES))


class OfferLane:
    """An ASGI application around another: answers the offers that it can, and hands on all else."""

    def __init__(self, app: ASGIFramework, engine: MediaEngine, rules: AccessRules) -> None:
        self._app = app
        self._engine = engine
        self._rules = rules

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        """Answer a request, or hand it on."""
        camera = self._camera(scope)
        if camera is None:
            await self._app(scope, receive, send)
            return
        answer = await self._answer(camera, scope, receive)
        if answer is not None:
            status, items, body = answer
            items += common_headers(self._rules, header(scope, b"origin"))
            await send_answer(scope, send, status, items, body)

    def _camera(self, scope: Any) -> str | None:
        """Return the camera that an offer is for; None for requests that are not for us."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return None
        path: str = scope["path"]
        camera = path.removeprefix(_PREFIX)
        # Escaped and nested names are the routes' to read.
        if camera in ("", path) or "/" in camera or path.encode() != scope["raw_path"]:
            return None
        # RFC 9112 section 6.3: chunks go before the length, which then bounds nothing.
        if header(scope, b"transfer-encoding") is not None:
            return None
        length = header(scope, b"content-length") or ""
        is_short = len(length) <= _LENGTH_DIGITS and length.isdecimal() and int(length) <= MAX_MESSAGE_BYTES
        return camera if is_short and header(scope, b"content-type") == SDP else None

    async def _answer(self, camera: str, scope: Any, receive: ASGIReceiveCallable) -> "_Answer | None":
        """Read the offer and have it answered; None when the client has left."""
        try:
            if not self._engine.has_camera(camera):
                raise UnknownCamera(camera)
            with trio.move_on_after(BODY_TIMEOUT_S) as reading:
                body = await _read(receive)
            if reading.cancelled_caught:
                return _problem(Problem.of_status(HTTPStatus.REQUEST_TIMEOUT))
            if body is None:
                return None
            answer = await start_session(self._engine, camera, body, scope)
        except RemoteError as error:
            return _problem(Problem.of_error(error))
        except Exception as error:
            log.exception("answering an HTTP request failed", error=type(error).__name__)
            return _problem(Problem.of_status(HTTPStatus.INTERNAL_SERVER_ERROR))
        path, servers = scope.get("root_path", "") + scope["path"], self._engine.ice_servers(scope[IDENTITY])
        items = [("content-type", SDP), *session_headers(path, answer, servers)]
        return HTTPStatus.CREATED, items, answer.sdp.encode()


_Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


def _problem(problem: Problem) -> _Answer:
    return problem.status, problem.header_items(), problem.body()


async def _read(receive: ASGIReceiveCallable) -> bytes | None:
    """Return a request's body; None when the client has left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
