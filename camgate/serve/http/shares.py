"""Share links: made, listed and taken back by whoever controls a camera; opened by anybody, once.

A link's secret stands behind the `#`, which browsers send to nobody: it is in no log, no Referer, and no request of a
chat program that looks at links. Only the page's button, pressed by a person, uses it up.
"""

import math
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from quart import request
from quart_trio import QuartTrio

from camgate.auth.access import Access
from camgate.auth.identity import Action
from camgate.auth.shares import MAX_LABEL_CHARS, MAX_SPAN_S, MIN_SPAN_S, longest_until
from camgate.relay.errors import UnknownCamera, ViewerError
from camgate.serve.http.bodies import json_body, json_object_untrusted, request_body
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.identity import MAX_LINKS, SHARE_COOKIE, asking, shares_in_untrusted
from camgate.serve.http.pages import WebFiles, set_page_policy
from camgate.serve.http.permissions import needs, open_to_all
from camgate.serve.http.responses import Response, json_response, set_cookie

MAX_SECRET_CHARS = 256
SHARES = "/api/v1/cameras/<name>/shares"


class BadShare(ViewerError):
    """What is to be shared, or opened, is not described as it should be."""

    status = HTTPStatus.BAD_REQUEST
    title = "Bad share"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return self.what


def add_share_routes(app: QuartTrio, engine: MediaEngine, access: Access, files: WebFiles) -> None:
    """Add `/share` and the shares of each camera."""
    clock = access.clock

    @app.get(SHARES)
    @needs(Action.CONTROL, "name")
    async def list_shares(name: str) -> Response:
        _check_known(engine, name)
        return json_response([share.facts() for share in access.shares.of_camera(name)])

    @app.post(SHARES)
    @needs(Action.CONTROL, "name")
    async def make_share(name: str) -> Response:
        _check_known(engine, name)
        span_s, label = wanted_share_untrusted(await json_body(), clock())
        wanted_s, (longest_s, why) = clock() + span_s, longest_until(asking(), clock())
        share, secret = await access.make_share(name, asking(), wanted_s, label)
        url = f"{request.scheme}://{request.host}{request.root_path}/share#{secret}"
        note = {"note": why} if wanted_s > longest_s else {}
        response = json_response({**share.facts(), "url": url, **note})
        response.status_code = HTTPStatus.CREATED
        response.headers["Location"] = f"{request.root_path}/api/v1/cameras/{quote(name)}/shares/{share.share_id}"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.delete(f"{SHARES}/<share>")
    @needs(Action.CONTROL, "name")
    async def end_share(name: str, share: str) -> Response:
        await access.end_share(name, share)
        return Response(status=204)

    @app.get("/share")
    @open_to_all
    async def show_share() -> Response:
        response = await files.response("share.html")
        response.headers["Cache-Control"] = "no-store"
        return set_page_policy(response)

    @app.post("/share")
    @open_to_all
    async def open_share() -> Response:
        if request.mimetype != "application/json":
            # No form of another site's can send this type without asking first.
            raise BadShare('Send {"secret": …} as application/json; the page at /share does.')
        share, cookie = await access.open_share(secret_untrusted(await request_body()), engine.has_camera)
        response = json_response({"camera": share.camera, "until": share.ends_s})
        response.headers["Cache-Control"] = "no-store"
        for name in _outdated(access):
            set_cookie(response, name, "", 0)
        set_cookie(response, f"{SHARE_COOKIE}_{share.share_id}", cookie, max(1, math.ceil(share.ends_s - clock())))
        return response


def _outdated(access: Access) -> list[str]:
    """Return the cookies of links that make room for one more: those that do not hold any more, else the oldest."""
    held = shares_in_untrusted(request.headers.get("Cookie", ""))
    holding = [name for name, cookie in held.items() if access.links([cookie])]
    kept = holding[-(MAX_LINKS - 1) :]
    return [name for name in held if name not in kept]


def _check_known(engine: MediaEngine, camera: str) -> None:
    if not engine.has_camera(camera):
        raise UnknownCamera(camera)


def wanted_share_untrusted(body: bytes, now_s: float) -> tuple[float, str]:
    """Return for how many seconds a link is to work, and its label. Raises BadShare."""
    fields = _object(body)
    if ("seconds" in fields) == ("until" in fields):
        raise BadShare("Say for how long, with either `seconds` or `until` (Unix time).")
    given, label = fields.get("seconds", fields.get("until")), fields.get("label", "")
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadShare("`seconds` and `until` are numbers.")
    span_s = given if "seconds" in fields else given - now_s
    if not MIN_SPAN_S <= span_s <= MAX_SPAN_S:
        raise BadShare(f"A link works for {MIN_SPAN_S:.0f} s at least and {MAX_SPAN_S / 86_400:.0f} days at most.")
    if not isinstance(label, str) or len(label) > MAX_LABEL_CHARS or not (label.isprintable()):
        raise BadShare(f"`label` is up to {MAX_LABEL_CHARS} characters that can be printed.")
    return float(span_s), label


def secret_untrusted(body: bytes) -> str:
    """Return the secret of a link that is to be opened. Raises BadShare."""
    secret = _object(body).get("secret")
    if not isinstance(secret, str) or not 0 < len(secret) <= MAX_SECRET_CHARS:
        raise BadShare('Send {"secret": …} as application/json; the page at /share does.')
    return secret


def _object(body: bytes) -> dict[str, Any]:
    fields = json_object_untrusted(body)
    if fields is None:
        raise BadShare("Send one JSON object.")
    return fields
