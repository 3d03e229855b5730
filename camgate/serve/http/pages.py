"""The pages and the files that they are made of: `web/` of a checkout, `camgate/_web` of an installed package."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import trio
from quart import has_request_context, request
from quart_trio import QuartTrio
from werkzeug.exceptions import NotFound

from camgate.auth.identity import Action, Way
from camgate.base.shipped import shipped
from camgate.relay.errors import UnknownCamera
from camgate.serve.http.engine import MediaEngine
from camgate.serve.http.identity import UNSEEN, asking
from camgate.serve.http.permissions import needs, open_to_all
from camgate.serve.http.problem import MEDIA_TYPE
from camgate.serve.http.responses import Response

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""By file name's end; a file of any other kind is not served. Not from the system, whose table may be anything."""

OWN_PAGES = ("'self'",)

ICE_SERVERS_MARK = b'<meta name="camgate-ice-servers" content="yes">'
"""Says that there are STUN or TURN servers to ask for: where there are none, a player need not ask before its offer."""

MAX_READERS = 4
"""Threads that read files. Of our own, since trio's can all be waiting for a name server that does not answer."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'{sockets}; media-src blob: 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'"
)

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "hid", "microphone", "midi", "payment", "serial", "usb")
)
"""What no page of ours asks for, and nothing that got into one should get. Full screen is for who frames us to give."""


def web_directory() -> Path:
    """Where the pages are."""
    return shipped("web")


class WebFiles:
    """The files of one directory, by the names that URLs call them.

    The table is made once, so that no name from outside ever reaches the file system.
    """

    def __init__(self, directory: Path) -> None:
        self._readers = trio.CapacityLimiter(MAX_READERS)
        self._files = {
            path.relative_to(directory).as_posix(): path
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.suffix in CONTENT_TYPES
        }

    async def response(self, name: str, *, status: int = 200, head: bytes = b"") -> Response:
        """The file as an answer that browsers keep and ask for again each time. Raises NotFound.

        head: what is put at the end of a page's head.
        """
        path, content = await self._read(name)
        content = content.replace(b"</head>", head + b"</head>", 1) if head else content
        response = Response(content, status=status, content_type=CONTENT_TYPES[path.suffix])
        response.headers["Cache-Control"] = "no-cache"
        if status == 200:
            response.set_etag(hashlib.sha256(content).hexdigest()[:16])
            await response.make_conditional(request)
        return response

    async def text(self, name: str) -> str:
        """A file that is text. Raises NotFound."""
        _, content = await self._read(name)
        return content.decode()

    async def _read(self, name: str) -> tuple[Path, bytes]:
        path = self._files.get(name)
        if path is None:
            raise NotFound
        return path, await trio.to_thread.run_sync(path.read_bytes, limiter=self._readers)


def wants_page() -> bool:
    """Whether whoever asks is a browser that would show what it gets, and not a program that would read it."""
    if not has_request_context():  # a WebSocket's handshake
        return False
    if request.method not in ("GET", "HEAD") or request.path.startswith("/api/"):
        return False
    return request.accept_mimetypes.best_match([MEDIA_TYPE, "application/json", "text/html"]) == "text/html"


async def missing_page(files: WebFiles) -> Response:
    """Return the page that says that there is none at the address that is asked for."""
    # The files are named as seen from the root, whose address nobody here knows behind a proxy.
    up = "../" * (request.scope["raw_path"].count(b"/") - 1)
    text = (
        (await files.text("missing.html")).replace('="static/', f'="{up}static/').replace('="./"', f'="{up or "./"}"')
    )
    response = Response(text, status=404, content_type=CONTENT_TYPES[".html"])
    response.headers["Cache-Control"] = "no-store"
    return set_page_policy(response)


def set_page_policy(response: Response, ancestors: Sequence[str] = OWN_PAGES) -> Response:
    """Set what the page that is asked for may load and do, and whose pages may frame it; returns it."""
    host = request.headers.get("Host")
    # Safari before 15.4 does not count WebSockets to this site among 'self'. The gate has checked the host.
    sockets = f" ws://{host} wss://{host}" if host else ""
    framing = " ".join(ancestors) or "'none'"
    policy = CONTENT_SECURITY_POLICY.format(sockets=sockets)
    response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors {framing}"
    response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
    if request.scheme == "https":  # else browsers ignore it, and complain of it in their consoles
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def add_page_routes(app: QuartTrio, engine: MediaEngine, files: WebFiles, frame_ancestors: Sequence[str]) -> None:
    """Add the wall, the page that manages cameras, the camera pages, the player for embedding and the static files."""

    async def page(name: str, camera: str | None = None, ancestors: Sequence[str] = OWN_PAGES) -> Response:
        is_known = camera is None or (engine.has_camera(camera) and UNSEEN not in request.scope)
        # To people the page itself says that there is no such camera, in words and with links: hence HTML and 404.
        if camera is not None and not is_known and "text/html" not in request.headers.get("Accept", ""):
            raise UnknownCamera(camera)
        head = ICE_SERVERS_MARK if engine.has_ice_servers else b""
        response = set_page_policy(await files.response(name, status=200 if is_known else 404, head=head), ancestors)
        if asking().way is not Way.OPEN:
            # What somebody may see stays in no cache, nor behind the browser's way back once they have signed out.
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/")
    @needs(Action.VIEW)
    async def show_wall() -> Response:
        return await page("index.html")

    @app.get("/admin")
    @needs(Action.ADMIN, everywhere=True)
    async def show_admin() -> Response:
        return await page("admin.html")

    @app.get("/camera/<name>")
    @needs(Action.VIEW, "name", is_page=True)
    async def show_camera(name: str) -> Response:
        return await page("camera.html", name)

    @app.get("/embed/<name>")
    @needs(Action.VIEW, "name", is_page=True)
    async def show_embedded(name: str) -> Response:
        return await page("embed.html", name, frame_ancestors)

    @app.get("/static/<path:name>")
    @open_to_all
    async def show_file(name: str) -> Response:
        return await files.response(name)
