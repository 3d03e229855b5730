"""The gate before all routes: refuses requests that no route should see, as problem documents.

It stands before Quart, since Quart fails with a 500 on request targets that are not paths.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from hypercorn.typing import ASGIFramework, ASGIReceiveCallable, ASGISendCallable, Scope

from camgate.auth.access import Access, Wanted
from camgate.auth.errors import ForeignPage, LoginRefused, LoginsDown, NotPermitted, SignedOut, UnnamedOrigin
from camgate.auth.identity import Action, Identity, Way
from camgate.base.errors import RemoteError
from camgate.base.names import composed
from camgate.relay.errors import UnknownCamera, ViewerError
from camgate.serve.http.access import SAFE_METHODS, AccessRules, parse_authority_untrusted
from camgate.serve.http.identity import IDENTITY, LOCAL, TOKEN_PARAMETER, UNSEEN, Groups, client_address, identify
from camgate.serve.http.permissions import NEEDED, Needed, Permissions
from camgate.serve.http.problem import Problem, kind_of
from camgate.serve.http.rates import Rates
from camgate.serve.http.responses import common_headers

SIGN_IN_PATH = "/signin"
OFFERS_PATH = "/whep/"


class Gate:
    """An ASGI application around another: checks the request's target, version, Host, Origin, and who sent it."""

    def __init__(self, app: ASGIFramework, rules: AccessRules, guard: "Guard", rates: Rates) -> None:
        self._app = app
        self._rules = rules
        self._guard = guard
        self._rates = rates

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Hand the request on, or answer it with why not."""
        scope = with_composed_path(with_origin_form(scope))
        problem = self.refusal(scope)
        if problem is None:
            try:
                if LOCAL not in scope:
                    self._rates.take_request(client_address(scope))
                await self._guard.admit(scope)
                refuse_forgery(scope, self._rules)
                refuse_unnamed(scope, self._rules)
                if is_offer(scope):
                    self._rates.take_offer(client_address(scope), scope[IDENTITY].account)
            except RemoteError as error:
                problem = self._guard.problem(scope, error)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            # With all that an answer of the routes' carries, so that none tells whether it comes from here.
            items = [*problem.header_items(), *common_headers(self._rules, header(scope, b"origin"))]
            await send_answer(scope, send, problem.status, items, problem.body())

    def refusal(self, scope: Any) -> Problem | None:
        """Why this request goes no further; None when it may pass."""
        # RFC 9110 section 15.6.6: answer 505 to a major version that we do not speak.
        if not scope["http_version"].startswith("1."):
            return Problem(status=505, detail="This server speaks HTTP/1.1 only; use that version.")
        if not scope["path"].startswith("/"):
            return Problem(status=400, detail="The request's target is not a path; it must begin with a slash.")
        if LOCAL in scope:
            return None  # no browser comes that way, nor a name that was pointed here
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
        if origin is None or changes_nothing or self._rules.trusts(origin, host, is_https=is_https(scope)):
            return None
        detail = "Pages of this origin may not use this server; add the origin to server.cors_origins if they should."
        return Problem(status=403, detail=detail)


class Guard:
    """Finds out who asks, and whether they may.

    groups: tells the groups of a camera.
    """

    def __init__(self, access: Access, permissions: Permissions, groups: Groups) -> None:
        self._access = access
        self._permissions = permissions
        self._groups = groups

    async def admit(self, scope: Any) -> None:
        """Write into the scope who asks. Raises why they may not: SignedOut, NotPermitted, UnknownCamera, and so on."""
        needed = self._permissions.of(scope)
        # A route that is open to all must answer whatever is shown: the sign-in page, with a session that is over.
        action = needed.need.action
        if action is None or _is_preflight(scope):
            return
        identity = await identify(self._access, scope, Wanted(action, needed.camera, needed.need.everywhere))
        try:
            self._check(identity, needed)
        except UnknownCamera:
            if not (needed.need.is_page and _takes_html(scope)):
                raise
            scope[UNSEEN] = True
        scope[IDENTITY] = identity
        scope[NEEDED] = needed

    def _check(self, identity: Identity, needed: Needed) -> None:
        action, camera = needed.need.action, needed.camera
        assert action is not None
        if needed.need.everywhere:
            if not identity.may_everywhere(action):
                raise NotPermitted(action.value)
        elif camera is None:
            if not identity.may_somewhere(action):
                raise NotPermitted(action.value)
        elif not identity.may(action, camera, groups := self._groups(camera)):
            # Of cameras that one may not even see, nobody learns that they are there.
            raise (
                NotPermitted(action.value, camera)
                if identity.may(Action.VIEW, camera, groups)
                else UnknownCamera(camera)
            )

    def problem(self, scope: Any, error: RemoteError) -> Problem:
        """Return the answer to a request that may not pass: for people who should sign in, the way to that page."""
        if isinstance(error, SignedOut | NotPermitted | LoginRefused | LoginsDown) and _may_sign_in(scope, error):
            why = "" if isinstance(error, SignedOut | LoginsDown) else f"&why={kind_of(type(error))}"
            location = f"{scope.get('root_path', '')}{SIGN_IN_PATH}?next={quote(_target(scope), safe='')}{why}"
            return Problem(status=303, detail=str(error), headers={"location": location})
        return Problem.of_error(error, is_script=header(scope, b"sec-fetch-mode") is not None)


def is_offer(scope: Any) -> bool:
    """Whether a request that may pass would start a viewer."""
    is_post = scope["type"] == "http" and scope["method"] == "POST"
    return is_post and IDENTITY in scope and scope["path"].startswith(OFFERS_PATH)


def refuse_forgery(scope: Any, rules: AccessRules) -> None:
    """Refuse what a page of another site made a browser send along with our cookie. Raises ForeignPage."""
    identity: Identity | None = scope.get(IDENTITY)
    changes_nothing = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    if identity is None or identity.way not in (Way.SESSION, Way.SHARE) or changes_nothing:
        return
    origin, fetch_site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    if not rules.trusts_with_cookie(origin, fetch_site, header(scope, b"host"), is_https=is_https(scope)):
        raise ForeignPage


def refuse_unnamed(scope: Any, rules: AccessRules) -> None:
    """Have pages that only `*` lets in watch, as far as somebody without a login could. Raises UnnamedOrigin.

    A browser sends a cookie, a password that it remembers, and its address along for every page; a token for none.
    """
    origin = header(scope, b"origin")
    if origin is None or LOCAL in scope:
        return
    if not rules.lets_in_unnamed(origin, header(scope, b"host"), is_https=is_https(scope)):
        return
    identity: Identity | None = scope.get(IDENTITY)
    if identity is None:
        may = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    elif identity.way in (Way.TOKEN, Way.ISSUER):
        may = True
    else:
        shows_password = (header(scope, b"authorization") or "").lower().startswith("basic")
        is_by_browser = shows_password or identity.way in (Way.SESSION, Way.SHARE)
        may = not is_by_browser and scope[NEEDED].need.action in (Action.VIEW, Action.PLAYBACK)
    if not may:
        raise UnnamedOrigin


def _may_sign_in(scope: Any, error: ViewerError) -> bool:
    """Whether a person asks who can be led to the sign-in page."""
    if isinstance(error, LoginsDown) and _shows_token(scope):  # On the way there the token would be lost.
        return False
    if header(scope, b"authorization") is not None:  # A browser's own window asked, and must be told that it is wrong.
        return False
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    # The sign-in page may not be framed by other sites, so there it would be an empty frame.
    is_framed = header(scope, b"sec-fetch-dest") in ("iframe", "frame", "embed", "object")
    if is_framed and header(scope, b"sec-fetch-site") != "same-origin":
        return False
    return _takes_html(scope)


def _takes_html(scope: Any) -> bool:
    return "text/html" in (header(scope, b"accept") or "")


def _shows_token(scope: Any) -> bool:
    parts = scope["query_string"].decode("latin-1").split("&")
    return any(part.startswith(f"{TOKEN_PARAMETER}=") for part in parts)


def _target(scope: Any) -> str:
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    # A token that was refused would be once more, whoever has signed in.
    query = "&".join(part for part in query.split("&") if not part.startswith(f"{TOKEN_PARAMETER}="))
    path = scope.get("root_path", "") + path
    return f"{path}?{query}" if query else path


def _is_preflight(scope: Any) -> bool:
    """Fetch standard, section 3.3.2: preflights carry no credentials."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    return header(scope, b"access-control-request-method") is not None


def is_https(scope: Any) -> bool:
    """Whether the client's side of the connection is encrypted, as far as we know."""
    return scope["scheme"] in ("https", "wss")


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


def with_composed_path(scope: Any) -> Any:
    """Have names of cameras be found however their letters are encoded."""
    path = scope["path"]
    return scope if path.isascii() else scope | {"path": composed(path)}


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
