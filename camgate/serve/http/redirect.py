"""The plain HTTP listener beside HTTPS: sends everybody there, and serves nothing."""

from typing import Any

from hypercorn.typing import ASGIReceiveCallable

from camgate.serve.http.access import AccessRules, parse_authority_untrusted
from camgate.serve.http.gate import header, send_answer, send_problem, with_origin_form
from camgate.serve.http.problem import Problem

HTTPS_PORT = 443


class Redirect:
    """An ASGI application that answers all requests with the same address under HTTPS.

    Only under names that are ours, or anybody's link to us could lead anywhere.
    """

    def __init__(self, rules: AccessRules, https_port: int) -> None:
        self._rules = rules
        self._suffix = "" if https_port == HTTPS_PORT else f":{https_port}"

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        """Answer a request."""
        scope = with_origin_form(scope)
        authority = parse_authority_untrusted(header(scope, b"host") or "")
        if authority is None or not self._rules.serves_host(authority.host):
            detail = "This server does not go by the name in the Host header; set server.allowed_hosts if it should."
            await send_problem(scope, send, Problem(status=421, detail=detail))
            return
        if not scope["path"].startswith("/") or scope["type"] != "http":
            await send_problem(scope, send, Problem(status=400, detail="This port only leads to HTTPS; use https://."))
            return
        host = f"[{authority.host}]" if ":" in authority.host else authority.host
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += f"?{scope['query_string'].decode('latin-1')}"
        # RFC 9110 section 15.4.9: 308 keeps the method and the body.
        items = [("location", f"https://{host}{self._suffix}{target}"), ("connection", "close")]
        await send_answer(scope, send, 308, items, b"")
