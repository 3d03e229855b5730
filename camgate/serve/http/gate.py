"""The gate before all routes: refuses requests that no route should see, as problem documents.

It stands before Quart, since Quart fails with a 500 on request targets that are not paths.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope

from camgate.serve.http.access import SAFE_METHODS, AccessRules, parse_authority_untrusted
from camgate.serve.http.problem import Problem


class Gate:
    """An ASGI application around another: checks the request's target, version, Host and Origin."""

    def __init__(self, app: ASGIFramework, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Hand the request on, or answer it with why not."""
        scope = with_origin_form(scope)
        problem = self.refusal(scope)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await send_problem(scope, send, problem)

    def refusal(self, scope: Any) -> Problem | None:
        """Why this request goes no further; None when it may pass."""
        # RFC 9110 section 15.6.6: answer 505 to a major version that we do not speak.
        if not scope["http_version"].startswith("1."):
            return Problem(status=505, detail="This server speaks HTTP/1.1 only; use that version.")
        if not scope["path"].startswith("/"):
            return Problem(status=400, detail="The request's target is not a path; it must begin with a slash.")
        host = header(scope, b"host")
        return self._refuse_host(host) or self._refuse_origin(scope, host)

    def _refuse_host(self, host: str | None) -> Problem | None:
        if host is None:  # HTTP/1.0 only, so no browser.
            return None
        authority = parse_authority_untrusted(host)
        if authority is None:
            return Problem(status=400, detail="The Host header is no host name or address; send the server's own.")
        if self._rules.serves_host(authority.host):
            return None
        # RFC 9110 section 15.5.20: 421 for a request to an authority that we are not.
        detail = "This server does not go by the name in the Host header; use localhost or set server.allowed_hosts."
        return Problem(status=421, detail=detail)

    def _refuse_origin(self, scope: Any, host: str | None) -> Problem | None:
        # Browsers let any page send simple POSTs and open WebSockets to any server, and say in Origin which page it is.
        origin = header(scope, b"origin")
        changes_nothing = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        if origin is None or changes_nothing or self._rules.trusts(origin, host):
            return None
        detail = "Pages of this origin may not use this server; add the origin to server.cors_origins if they should."
        return Problem(status=403, detail=detail)


def with_origin_form(scope: Any) -> Any:
    """RFC 9112 section 3.2.2: a target in absolute form is accepted, and its host goes before the Host header."""
    raw_path = scope["raw_path"]
    if not raw_path.lower().startswith((b"http://", b"https://")):
        return scope
    try:
        target = urlsplit(raw_path.decode("ascii"))
    except ValueError:
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
    return scope | {
        "path": unquote(target.path) or "/",
        "raw_path": target.path.encode() or b"/",
        "headers": [(b"host", target.netloc.encode()), *headers],
    }


async def send_problem(scope: Scope, send: Any, problem: Problem) -> None:
    """Answer a request, or a WebSocket's handshake, with a problem document."""
    items = [*problem.header_items(), ("x-content-type-options", "nosniff")]
    await send_answer(scope, send, problem.status, items, problem.body())


async def send_answer(scope: Scope, send: Any, status: int, items: Iterable[tuple[str, str]], body: bytes) -> None:
    """Answer a request, or a WebSocket's handshake; Content-Length is added to the headers."""
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in items]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{kind}.start", "status": int(status), "headers": headers})
    await send({"type": f"{kind}.body", "body": body, "more_body": False})


def header(scope: Any, name: bytes) -> str | None:
    """A request header's first value; None where it is absent. `name` is in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), None)
