"""WHEP (draft-ietf-wish-whep-04): one POST opens a viewer's session, PATCH trickles and restarts ICE, DELETE ends it.

Session addresses are unguessable. Even so only the account that began a session may change or end it, and whoever may
control its camera.
"""

import math
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from quart import request
from quart_trio import QuartTrio
from werkzeug.datastructures import Headers
from werkzeug.http import parse_etags

from camgate.auth.identity import Action
from camgate.relay.errors import BadOffer, UnknownCamera, UnknownSession, UnprocessableFragment, ViewerError
from camgate.serve.http.access import parse_authority_untrusted
from camgate.serve.http.bodies import request_body
from camgate.serve.http.engine import Answer, MediaEngine
from camgate.serve.http.gate import header
from camgate.serve.http.identity import IDENTITY, asking, client_address
from camgate.serve.http.permissions import needs
from camgate.serve.http.problem import Problem
from camgate.serve.http.responses import Response, problem_response
from camgate.wire.ice.servers import IceServer, link_values

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_WAIT_S = 10.0
"""How long a viewer may ask us to hold its offer for a camera that is not live: browsers and proxies wait longer."""

_ENDPOINT_HEADERS = {"Accept-Post": SDP, "Allow": "GET, HEAD, OPTIONS, POST"}
_SESSION_HEADERS = {"Accept-Patch": FRAGMENT, "Allow": "DELETE, GET, HEAD, OPTIONS, PATCH"}
_SDP_LINE = re.compile(r"[a-z]=.*")


class BadWait(ViewerError):
    """The `wait` that a viewer asks for is no number of seconds from 0 to 10."""

    title = "Bad wait"

    def __init__(self, given: str) -> None:
        super().__init__(given)
        self.given = given

    def __str__(self) -> str:
        return f"`wait` must be a number of seconds from 0 to {MAX_WAIT_S:g}, not {self.given[:40]!r}."


class IfMatchRequired(ViewerError):
    """A PATCH does not say which ICE session it means (draft section 4.5.1, RFC 6585 section 3)."""

    status = HTTPStatus.PRECONDITION_REQUIRED
    title = "If-Match required"

    def __str__(self) -> str:
        return "Name the ICE session's ETag, or *, in an If-Match header: so late requests can do no harm."


def add_whep_routes(app: QuartTrio, engine: MediaEngine) -> None:
    """Add `/whep/CAMERA` and `/whep/CAMERA/SESSION`."""
    _add_endpoint_routes(app, engine)
    _add_session_routes(app, engine)


def _add_endpoint_routes(app: QuartTrio, engine: MediaEngine) -> None:
    def check_known(camera: str) -> None:
        if not engine.has_camera(camera):
            raise UnknownCamera(camera)

    @app.post("/whep/<camera>")
    @needs(Action.VIEW, "camera")
    async def open_session(camera: str) -> Response:
        check_known(camera)
        if request.mimetype != SDP:
            return _wrong_type(SDP, _ENDPOINT_HEADERS)
        wait = request.args.get("wait")
        answer = await start_session(engine, camera, await request_body(), request.scope, wait=wait)
        servers = engine.ice_servers(asking())
        headers = Headers(session_headers(request.root_path + quote(request.path), answer, servers))
        return Response(answer.sdp, status=201, headers=headers, content_type=SDP)

    @app.get("/whep/<camera>")
    @needs(Action.VIEW, "camera")
    async def show_endpoint(camera: str) -> Response:
        # Draft section 4.2: the Content-Type of an empty answer is how players find out that this is WHEP.
        check_known(camera)
        return Response("", headers=_ENDPOINT_HEADERS, content_type=SDP)

    @app.route("/whep/<camera>", methods=["OPTIONS"])
    @needs(Action.VIEW, "camera")
    async def show_endpoint_options(camera: str) -> Response:
        headers = Headers({**_ENDPOINT_HEADERS, "Cache-Control": "no-store"})
        # RFC 9725 section 4.6: a player may need the servers before it makes its offer. Only of a camera that is there
        # has the gate asked whether one may view it.
        if engine.has_camera(camera):
            headers.extend(link_headers(engine.ice_servers(asking())))
        return Response(status=204, headers=headers)


def _add_session_routes(app: QuartTrio, engine: MediaEngine) -> None:
    def check_own(camera: str, session: str) -> None:
        viewer, identity = engine.viewer(session), asking()
        is_own = viewer.identity.account == identity.account
        if viewer.camera != camera or not (is_own or identity.may(Action.CONTROL, camera, engine.groups(camera))):
            raise UnknownSession(session)

    @app.patch("/whep/<camera>/<session>")
    @needs(Action.VIEW, "camera")
    async def change_session(camera: str, session: str) -> Response:
        check_own(camera, session)
        if request.mimetype != FRAGMENT:
            return _wrong_type(FRAGMENT, _SESSION_HEADERS)
        etag = if_match_untrusted(request.headers.get("If-Match", ""))
        fragment = fragment_untrusted(await request_body())
        restarted = await engine.restart_ice(session, fragment, etag)
        if restarted is not None:
            headers = {"ETag": _quoted(restarted[1])}
            return Response(restarted[0], status=200, headers=headers, content_type=FRAGMENT)
        await engine.add_candidates(session, fragment)
        return Response(status=204)

    @app.delete("/whep/<camera>/<session>")
    @needs(Action.VIEW, "camera")
    async def close_session(camera: str, session: str) -> Response:
        check_own(camera, session)
        # Draft section 4.5.1: If-Match is ignored here.
        if not await engine.close_viewer(session):
            raise UnknownSession(session)
        return Response("", status=200, content_type="text/plain")

    @app.get("/whep/<camera>/<session>")
    @needs(Action.VIEW, "camera")
    async def show_session(camera: str, session: str) -> Response:
        # Draft section 4.1: sessions have no representation, so GET gets a 2xx without content.
        return Response(status=204, headers=_SESSION_HEADERS)

    @app.route("/whep/<camera>/<session>", methods=["OPTIONS"])
    @needs(Action.VIEW, "camera")
    async def show_session_options(camera: str, session: str) -> Response:
        return Response(status=204, headers=_SESSION_HEADERS)


async def start_session(
    engine: MediaEngine, camera: str, body: bytes, scope: Any, *, wait: str | None = None
) -> Answer:
    """Answer a POST that the gate has let through; `wait` is as its query gives it. Raises as the engine does."""
    return await engine.answer_offer(
        camera,
        offer_untrusted(body),
        identity=scope[IDENTITY],
        client=client_address(scope),
        host=host_name(header(scope, b"host")),
        wait_s=None if wait is None else wait_s_untrusted(wait),
    )


def session_headers(path: str, answer: Answer, servers: Iterable[IceServer]) -> list[tuple[str, str]]:
    """The headers of the answer to a POST of `path`: where the session is, and what helps to a path (RFC 9725 4.2)."""
    return [
        ("Location", f"{path}/{answer.session_id}"),
        ("ETag", _quoted(answer.etag)),
        ("Accept-Patch", FRAGMENT),
        *link_headers(servers),
    ]


def link_headers(servers: Iterable[IceServer]) -> list[tuple[str, str]]:
    """The STUN and TURN servers of a viewer as headers."""
    return [("Link", value) for server in servers for value in link_values(server)]


def offer_untrusted(body: bytes) -> str:
    """A POST's body as an SDP offer's text; what it says is the engine's to judge. Raises BadOffer."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadOffer(f"byte {error.start} is not UTF-8") from None
    # RFC 8866 section 5: a description begins with its version, which is 0.
    if not text.startswith(("v=0\r", "v=0\n")):
        raise BadOffer("it does not begin with the line v=0")
    if "\0" in text:
        raise BadOffer("it holds a zero byte")
    return text


def fragment_untrusted(body: bytes) -> str:
    """A PATCH's body as an SDP fragment's text (RFC 8840 section 9). Raises UnprocessableFragment."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise UnprocessableFragment(f"byte {error.start} is not UTF-8") from None
    lines = [line for line in text.splitlines() if line]
    if not lines or not all(_SDP_LINE.fullmatch(line) for line in lines) or "\0" in text:
        raise UnprocessableFragment("its lines must have the form TYPE=VALUE")
    return text


def wait_s_untrusted(text: str) -> float:
    """The query's `wait`, in seconds. Raises BadWait."""
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s <= MAX_WAIT_S:  # NaN fails every comparison.
        raise BadWait(text)
    return wait_s


def if_match_untrusted(value: str) -> str | None:
    """The ETag in an If-Match header's value; None for `*`. Raises IfMatchRequired where there is not just one."""
    given = parse_etags(value)
    if given.star_tag:
        return None
    # Weak tags never match here (RFC 9110 section 13.1.1), so they do not count.
    tags = given.as_set()
    if len(tags) != 1:
        raise IfMatchRequired
    return next(iter(tags))


def host_name(host: str | None) -> str | None:
    """The name or address in a Host header, without port and brackets."""
    authority = parse_authority_untrusted(host) if host else None
    return authority.host if authority else None


def _wrong_type(wanted: str, headers: dict[str, str]) -> Response:
    # RFC 5789 section 2.2 wants Accept-Patch with a 415; Accept-Post is its sister.
    given = request.mimetype or "none"
    detail = f"The body's Content-Type must be {wanted}, not {given[:80]}."
    return problem_response(Problem(status=415, detail=detail, headers=headers))


def _quoted(etag: str) -> str:
    return f'"{etag}"'
