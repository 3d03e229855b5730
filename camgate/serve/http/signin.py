"""Signing in and out: the page, what it posts (its script as JSON, itself as a form), and who one is.

The session is a cookie that scripts cannot read and other sites' requests do not carry (SameSite); what changes things
is refused to other sites' pages by the gate, and here where the gate asks nobody who they are.
"""

import math
import re
from html import escape
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qsl

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access, Credentials
from camgate.auth.errors import ForeignPage, LoginRefused, LoginsDown, NotPermitted
from camgate.auth.identity import Action, Identity, Way
from camgate.relay.errors import ViewerError
from camgate.serve.http.access import AccessRules
from camgate.serve.http.bodies import json_object_untrusted, request_body
from camgate.serve.http.identity import SESSION_COOKIE, client_address, identify_or_nobody, session_in_untrusted
from camgate.serve.http.pages import CONTENT_TYPES, WebFiles, set_page_policy
from camgate.serve.http.permissions import open_to_all
from camgate.serve.http.problem import kind_of
from camgate.serve.http.responses import Response, json_response, set_cookie

MAX_CHARS = 1024
"""Of a name or a password."""


HTML = CONTENT_TYPES[".html"]
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 8
"""Of a form."""
MAX_NEXT_CHARS = 2048
PROBLEM_PLACE = '<p id="problem" class="problem" role="alert" hidden></p>'
"""Where the page says what is wrong."""

# A backslash is a slash to browsers, and some white space nothing at all (URL standard, section 4.4).
_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")
_SIGN_PAGE = re.compile(r"/sign(?:in|out)/?(?:[?#].*)?")


class BadLogin(ViewerError):
    """What is posted to the sign-in page, in a form that it does not have."""

    status = HTTPStatus.BAD_REQUEST
    title = "Bad login"

    def __str__(self) -> str:
        return 'Send {"name": …, "password": …} as application/json, each of 1 to 1,024 characters.'


def add_signin_routes(app: QuartTrio, access: Access, files: WebFiles, rules: AccessRules) -> None:
    """Add `/signin`, `/signout` and `/api/v1/session`."""
    signing = Signing(access, files, rules)

    @app.get("/signin")
    @open_to_all
    async def show_signin() -> Response:
        # In another tab, say, or by the browser's way back. But who came as they may not go on would go in a circle.
        may_go_on = request.args.get("why") != kind_of(NotPermitted)
        try:
            return _go_on() if may_go_on and await signing.is_done() else await signing.page()
        except LoginsDown as error:
            # Users of the config can be let in nevertheless.
            return await signing.page(error, HTTPStatus.OK)

    @app.post("/signin")
    @open_to_all
    async def sign_in() -> Response:
        body = await request_body()
        if request.mimetype == FORM:
            return await signing.in_by_form(body)
        if request.mimetype != "application/json":
            # No form of another site's can send this type without asking first.
            raise BadLogin
        return await signing.in_by_script(body)

    @app.post("/signout")
    @open_to_all
    async def sign_out() -> Response:
        return await signing.out()

    @app.get("/api/v1/session")
    @open_to_all
    async def show_who_asks() -> Response:
        """Who asks; `null` for nobody, which is no error: pages ask this to find out whether they are signed in."""
        identity = await identify_or_nobody(access, request.scope)
        return json_response(None) if identity is None else signing.in_words(identity)


class Signing:
    """Answers what is posted to sign in and out. Each method is about the present request."""

    def __init__(self, access: Access, files: WebFiles, rules: AccessRules) -> None:
        self._access = access
        self._files = files
        self._rules = rules

    async def is_done(self) -> bool:
        """Whether the browser is signed in already, or need not be. Raises LoginsDown."""
        session = session_in_untrusted(request.headers.get("Cookie", ""))
        return await self._access.identify(Credentials(session=session)) is not None

    async def page(self, problem: ViewerError | None = None, status: int | None = None) -> Response:
        """The sign-in page, with what is wrong; with the status of that, unless another one is given."""
        text = await self._files.text("signin.html")
        if problem is not None:
            text = text.replace(PROBLEM_PLACE, PROBLEM_PLACE.replace(" hidden></p>", f">{escape(str(problem))}</p>"))
        if status is None:
            status = HTTPStatus.OK if problem is None else problem.status
        response = Response(text, status=status, content_type=HTML)
        if problem is not None and problem.retry_after_s is not None:
            response.headers["Retry-After"] = str(math.ceil(problem.retry_after_s))
        response.headers["Cache-Control"] = "no-store"
        return set_page_policy(response)

    async def in_by_script(self, body: bytes) -> Response:
        """Raises BadLogin, and why the login is refused."""
        identity, session, ends_s = await self._begin(*login_untrusted(body))
        return self._giving(json_response(describe(identity, ends_s)), session)

    async def in_by_form(self, body: bytes) -> Response:
        """As without JavaScript: what is wrong is a page, and what is right leads to where one wanted to go.

        Raises ForeignPage.
        """
        # Else another site could have a browser signed in as somebody else.
        self._refuse_foreign_page()
        try:
            _, session, _ = await self._begin(*login_form_untrusted(body))
        except ViewerError as error:
            return await self.page(error)
        return self._giving(_go_on(), session)

    async def out(self) -> Response:
        """End the session, if there is one. Raises ForeignPage."""
        session = session_in_untrusted(request.headers.get("Cookie", ""))
        if session and not self._access.is_open:
            self._refuse_foreign_page()
            await self._access.end_session(session)
        response = Response(status=204)
        if request.mimetype == FORM:  # which has no script that goes on by itself
            response = _redirection(f"{request.root_path}/signin")
        set_cookie(response, SESSION_COOKIE, "", 0)
        return response

    def in_words(self, identity: Identity) -> Response:
        """Who somebody is. A session that is half over is prolonged: who watches all the time stays signed in."""
        renewed = self._access.renew_session(identity)
        if renewed is None:
            return json_response(describe(identity, identity.expires_at))
        session, ends_s = renewed
        return self._giving(json_response(describe(identity, ends_s)), session)

    async def _begin(self, name: str, password: str) -> tuple[Identity, str, float]:
        if self._access.is_open:
            raise LoginRefused("nobody needs to sign in here, as there are no users")
        address = client_address(request.scope)
        identity = await self._access.sign_in(name, password, address)
        return identity, *self._access.start_session(identity, password, address)

    def _giving(self, response: Response, session: str) -> Response:
        set_cookie(response, SESSION_COOKIE, session, self._access.session_s)
        return response

    def _refuse_foreign_page(self) -> None:
        origin, fetch_site, host = (request.headers.get(name) for name in ("Origin", "Sec-Fetch-Site", "Host"))
        is_https = request.scheme == "https"
        if not self._rules.trusts_with_cookie(origin, fetch_site, host, is_https=is_https):
            raise ForeignPage


def login_untrusted(body: bytes) -> tuple[str, str]:
    """Return name and password of a sign-in. Raises BadLogin."""
    fields = json_object_untrusted(body)
    if fields is None:
        raise BadLogin
    return _checked(fields.get("name"), fields.get("password"))


def login_form_untrusted(body: bytes) -> tuple[str, str]:
    """Return name and password of a sign-in by form. Raises BadLogin."""
    try:
        fields = dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
        )
    except ValueError:
        raise BadLogin from None
    # An empty field is a wrong login to people.
    return _checked(fields.get("name") or "?", fields.get("password") or "?")


def next_path_untrusted(wanted: str, root_path: str = "") -> str | None:
    """Return where to go after signing in, if that is a place of this site for every browser; else None."""
    if len(wanted) > MAX_NEXT_CHARS or not wanted.startswith(f"{root_path}/") or not _PATH.fullmatch(wanted):
        return None
    return None if _SIGN_PAGE.fullmatch(wanted.removeprefix(root_path)) else wanted


def _checked(name: object, password: object) -> tuple[str, str]:
    for text in (name, password):
        if not isinstance(text, str) or not 0 < len(text) <= MAX_CHARS:
            raise BadLogin
    return str(name), str(password)


def describe(identity: Identity, ends_s: float | None) -> dict[str, object]:
    """Say who somebody is, what they may do and until when, ready for JSON."""
    grants: dict[str, list[str]] = {action.value: [] for action in Action}
    for grant in chain(identity.grants, *(link.grants for link in identity.links)):
        grants[grant.action.value] += [each for each in grant.patterns if each not in grants[grant.action.value]]
    return {
        "name": identity.name,
        "way": identity.way.value,
        "can_sign_out": identity.way is Way.SESSION,
        "is_admin": identity.may_everywhere(Action.ADMIN),
        "grants": grants,
        "expires_at": ends_s,
    }


def _go_on() -> Response:
    path = next_path_untrusted(request.args.get("next", ""), request.root_path)
    return _redirection(path or f"{request.root_path}/")


def _redirection(path: str) -> Response:
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path, "Cache-Control": "no-store"})
