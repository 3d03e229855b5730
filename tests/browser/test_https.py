"""Chromium plays over HTTPS: from camgate itself, and through NGINX and HAProxy, at their root and below a path.

Somebody signs in each time, so that cookies, redirections and addresses are those of the outside; the counter of the
picture rises, and media go past the proxy.
"""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from camgate.serve.self_signed import make_self_signed, write_pair
from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer
from tests.fakes.accounts import CHEAP
from tests.fakes.ports import free_port
from tests.fakes.proxies import HaProxy, Nginx, ProxyProcess

LOGIN = ("anna", "anna's password")
USER = f'[auth.users.anna]\npassword_hash = "{CHEAP.hash(LOGIN[1])}"\nroles = ["admin"]\n'
PROXIES: dict[str, type[ProxyProcess]] = {"nginx": Nginx, "haproxy": HaProxy}


@dataclass(frozen=True)
class Site:
    """Where camgate is from outside. root: its address without the last slash."""

    server: CamgateProcess
    port: int
    prefix: str

    @property
    def root(self) -> str:
        return f"https://localhost:{self.port}{self.prefix}"

    def request(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask as a tool does, that takes any certificate."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=ssl._create_unverified_context()
        )
        connection.request(method, self.prefix + path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_pair(make_self_signed(["localhost", "127.0.0.1"], 2), tmp_path_factory.mktemp("tls"), force=False)


def run_camgate(folder: Path, camera: CameraProcess | None, server: dict[str, object]) -> Iterator[CamgateProcess]:
    url = f"rtsp://127.0.0.1:{free_port()}/nobody" if camera is None else camera.url
    process = CamgateProcess(folder, {"front": {"url": url}}, more=USER, login=LOGIN, server=server)
    process.start()
    if camera is not None:
        process.wait_live("front")
    yield process
    process.kill()


@pytest.fixture(scope="module")
def direct(
    front_camera: CameraProcess, pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    certificate, key = pair
    settings = {"tls_certificate": str(certificate), "tls_key": str(key), "hsts_s": 300}
    for server in run_camgate(tmp_path_factory.mktemp("direct"), front_camera, settings):
        yield Site(server, server.http_port, "")


@pytest.fixture(scope="module")
def behind(front_camera: CameraProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CamgateProcess]:
    yield from run_camgate(tmp_path_factory.mktemp("behind"), front_camera, {"trusted_proxies": ["127.0.0.1"]})


@pytest.fixture(scope="module", params=list(PROXIES))
def proxy(
    request: pytest.FixtureRequest,
    behind: CamgateProcess,
    pair: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProxyProcess]:
    process = PROXIES[request.param](tmp_path_factory.mktemp(request.param), behind.http_port, *pair)
    process.start()
    yield process
    process.stop()


@pytest.fixture(params=["", "/cams"], ids=["root", "below"])
def proxied(request: pytest.FixtureRequest, behind: CamgateProcess, proxy: ProxyProcess) -> Site:
    return Site(behind, proxy.https_port, request.param)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in(page: Page, site: Site, path: str) -> Viewer:
    viewer = Viewer(page, site.root).open(path)
    expect(page).to_have_url(re.compile(re.escape(f"{site.root}/signin?next=")))
    page.get_by_label("Name").fill(LOGIN[0])
    page.get_by_label("Password").fill(LOGIN[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.root}{path}")
    return viewer


def watch_through(page: Page, site: Site) -> None:
    """From the first address that somebody types to a picture, and back out."""
    sockets: list[str] = []
    deleted: list[tuple[str, int]] = []
    page.on("websocket", lambda socket: sockets.append(socket.url.partition("?")[0]))
    page.on("response", lambda r: deleted.append((r.url, r.status)) if r.request.method == "DELETE" else None)
    viewer = sign_in(page, site, "/")
    assert viewer.assert_plays("front").camera == 1

    page.locator('[data-camera="front"] a').click()
    page.wait_for_url(f"{site.root}/camera/front")
    assert viewer.assert_plays().camera == 1
    pair = viewer.selected_pair()
    assert (pair["state"], pair["remote"]["protocol"], pair["remote"]["port"]) == (
        "succeeded",
        "udp",
        site.server.webrtc_port,
    )
    assert sockets == [f"wss://localhost:{site.port}{site.prefix}/ws"] * 2

    page.get_by_role("button", name="Disconnect").click()
    viewer.eventually(lambda: deleted, "the session is ended at its own address")
    url, status = deleted[-1]
    assert url.startswith(f"{site.root}/whep/front/")
    assert status == 200

    (cookie,) = [each for each in page.context.cookies() if each["name"] == "camgate_session"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["path"]) == (True, True, f"{site.prefix}/")
    assert viewer.complaints == []
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(re.escape(f"{site.root}/signin?next=")))
    viewer.forgive("401")  # a still that the page asked for while it was signed out
    assert viewer.complaints == []


def test_chromium_plays_over_https(direct: Site, page: Page) -> None:
    watch_through(page, direct)
    response, _ = direct.request("GET", "/healthz")
    assert response.headers["Strict-Transport-Security"] == "max-age=300"


def test_a_renewed_certificate_is_shown_and_drops_nobody(direct: Site, pair: tuple[Path, Path], page: Page) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    viewer = sign_in(page, direct, "/camera/front")
    viewer.assert_plays()
    before = ssl.get_server_certificate(("localhost", direct.port))
    renewed = make_self_signed(["localhost", "127.0.0.1"], 3)
    write_pair(renewed, pair[0].parent, force=True)
    shown = viewer.eventually(
        lambda: (now := ssl.get_server_certificate(("localhost", direct.port))) != before and now,
        "the new certificate",
    )
    assert shown == renewed.certificate.decode()
    viewer.assert_plays()
    assert (viewer.offers, len(sockets)) == (1, 1)
    assert viewer.complaints == []


def test_chromium_plays_through_a_proxy(proxied: Site, page: Page) -> None:
    watch_through(page, proxied)


def test_what_clients_write_into_the_proxys_headers_does_not_count(proxied: Site) -> None:
    forged = {
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Accept": "text/html",
    }
    response, _ = proxied.request("GET", "/camera/front", headers=forged)
    assert response.status == 303
    assert response.headers["Location"].startswith(f"{proxied.prefix}/signin?next=")


@pytest.mark.parametrize("kind", list(PROXIES))
def test_nobody_poses_as_another_by_an_address_of_their_own_writing(
    kind: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Who guesses passwords has to wait: were the forged addresses believed, each guess would have one of its own."""
    for server in run_camgate(tmp_path, None, {"trusted_proxies": ["127.0.0.1"]}):
        proxy = PROXIES[kind](tmp_path, server.http_port, *pair)
        proxy.start()
        statuses = []
        for number in range(30):
            login = json.dumps({"name": f"nobody-{number}", "password": "guess"})
            headers = {"Content-Type": "application/json", "X-Forwarded-For": f"203.0.113.{number}"}
            response, _ = Site(server, proxy.https_port, "").request("POST", "/signin", login, headers)
            statuses.append(response.status)
        proxy.stop()
    assert statuses[0] == 401
    assert statuses[-1] == 429


@pytest.mark.parametrize("path", ["/cams", "/"])
def test_plain_http_leads_to_https_under_our_name_only(proxy: ProxyProcess, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.http_port, timeout=30)
    connection.request("GET", f"{path}?a=b", headers={"Host": "evil.example"})
    response = connection.getresponse()
    assert response.status == 308
    assert response.headers["Location"] == f"https://localhost:{proxy.https_port}{path}?a=b"
    connection.close()


def test_the_path_without_its_slash_leads_below_it(proxy: ProxyProcess, behind: CamgateProcess) -> None:
    response, _ = Site(behind, proxy.https_port, "").request("GET", "/cams")
    assert response.status == 308
    assert response.headers["Location"] in ("/cams/", f"https://localhost:{proxy.https_port}/cams/")
