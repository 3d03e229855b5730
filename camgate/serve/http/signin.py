"""Signing in and out: the page, what its script posts, and who one is.

The session is a cookie that scripts cannot read and other sites' requests do not carry (SameSite); what changes things
is refused to other sites' pages by the gate.
"""

import json
from http import HTTPStatus

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.errors import LoginRefused
from camgate.auth.identity import Action, Identity, Way
from camgate.relay.errors import ViewerError
from camgate.serve.http.identity import SESSION_COOKIE, credentials_untrusted, identify_or_nobody, session_in_untrusted
from camgate.serve.http.pages import WebFiles, set_page_policy
from camgate.serve.http.permissions import open_to_all
from camgate.serve.http.responses import Response, json_response

MAX_CHARS = 1024
"""Of a name or a password."""


class BadLogin(ViewerError):
    """What the sign-in page's script posts, in a form that it does not have."""

    status = HTTPStatus.BAD_REQUEST
    title = "Bad login"

    def __str__(self) -> str:
        return 'Send {"name": …, "password": …} as application/json, each of 1 to 1,024 characters.'


def add_signin_routes(app: QuartTrio, access: Access, files: WebFiles) -> None:
    """Add `/signin`, `/signout` and `/api/v1/session`."""

    @app.get("/signin")
    @open_to_all
    async def show_signin() -> Response:
        response = await files.response("signin.html")
        response.headers["Cache-Control"] = "no-store"
        return set_page_policy(response)

    @app.post("/signin")
    @open_to_all
    async def sign_in() -> Response:
        if request.mimetype != "application/json":
            # No form of another site's can send this type without asking first.
            raise BadLogin
        name, password = login_untrusted(await request.get_data(cache=False, as_text=False, parse_form_data=False))
        address = credentials_untrusted({**request.scope, "headers": [], "query_string": b""}).address
        if access.is_open:
            raise LoginRefused("nobody needs to sign in here, as there are no users")
        identity = await access.sign_in(name, password, address)
        session, ends_s = access.start_session(identity)
        response = json_response(describe(identity, ends_s))
        _set_cookie(response, session, access.session_s)
        return response

    @app.post("/signout")
    @open_to_all
    async def sign_out() -> Response:
        session = session_in_untrusted(request.headers.get("Cookie", ""))
        if session and not access.is_open:
            access.end_session(session)
        response = Response(status=204)
        _set_cookie(response, "", 0)
        return response

    @app.get("/api/v1/session")
    @open_to_all
    async def show_who_asks() -> Response:
        """Who asks; `null` for nobody, which is no error: pages ask this to find out whether they are signed in."""
        identity = await identify_or_nobody(access, request.scope)
        return json_response(None if identity is None else describe(identity, identity.expires_at))


def login_untrusted(body: bytes) -> tuple[str, str]:
    """Return name and password of a sign-in. Raises BadLogin."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise BadLogin from None
    if not isinstance(fields, dict):
        raise BadLogin
    name, password = fields.get("name"), fields.get("password")
    for text in (name, password):
        if not isinstance(text, str) or not 0 < len(text) <= MAX_CHARS:
            raise BadLogin
    return str(name), str(password)


def describe(identity: Identity, ends_s: float | None) -> dict[str, object]:
    """Say who somebody is and what they may do, ready for JSON."""
    return {
        "name": identity.name,
        "way": identity.way.value,
        "can_sign_out": identity.way is Way.SESSION,
        "is_admin": identity.may_everywhere(Action.ADMIN),
        "expires_at": ends_s,
    }


def _set_cookie(response: Response, session: str, max_age_s: float) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(max_age_s),
        path=request.root_path + "/",
        secure=request.scheme == "https",
        httponly=True,
        samesite="Lax",
    )
