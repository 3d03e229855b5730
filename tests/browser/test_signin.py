"""Signing in and out in a real browser: who sees which cameras, and what a page says when its session ends."""

import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from camgate.serve.http.pages import web_directory
from camgate.serve.http.signin import PROBLEM_PLACE
from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import PATIENCE_S, Viewer
from tests.fakes.accounts import CHEAP

USERS = {"anna": "admin", "ben": "front-only"}
PLAYING = "camgate.players().filter(({ state }) => state === 'playing').map(({ camera }) => camera).sort()"


def password(name: str) -> str:
    return f"{name}'s <password> & more"


@pytest.fixture(scope="module")
def guarded_server(
    front_camera: CameraProcess, yard_camera: CameraProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CamgateProcess]:
    """camgate with the cameras front and yard; anna may see both, ben the first."""
    lines = ["[auth.roles.front-only]", 'view = ["front"]']
    for name, role in USERS.items():
        lines += [f"[auth.users.{name}]", f'password_hash = "{CHEAP.hash(password(name))}"', f'roles = ["{role}"]']
    server = CamgateProcess(
        tmp_path_factory.mktemp("guarded"),
        {"front": {"url": front_camera.url, "title": "Front door"}, "yard": {"url": yard_camera.url}},
        more="\n".join(lines) + "\n",
        login=("anna", password("anna")),
    )
    server.start()
    server.wait_live("front", "yard")
    yield server
    server.kill()


@pytest.fixture
def new_page(context: BrowserContext, guarded_server: CamgateProcess) -> Iterator[Callable[[], Viewer]]:
    """Makes pages, none of which may have complained when the test ends."""
    viewers: list[Viewer] = []

    def make() -> Viewer:
        viewers.append(Viewer(context.new_page(), guarded_server.url))
        return viewers[-1]

    yield make
    for viewer in viewers:
        assert viewer.complaints == []


def fill(page: Page, name: str, word: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(word)
    page.get_by_role("button", name="Sign in").click()


def sign_in(viewer: Viewer, name: str, path: str = "/") -> Viewer:
    viewer.open(path)
    fill(viewer.page, name, password(name))
    viewer.page.wait_for_url(f"**{path}")
    return viewer


def test_who_signs_in_sees_the_cameras_that_are_theirs(new_page: Callable[[], Viewer]) -> None:
    viewer = new_page().open("/")
    page = viewer.page
    expect(page).to_have_url(re.compile(r"/signin\?next=%2F$"))
    expect(page.get_by_label("Name")).to_be_focused()
    assert page.get_by_label("Password").get_attribute("autocomplete") == "current-password"
    fill(page, "ben", password("ben"))
    page.wait_for_url("**/")
    assert viewer.assert_plays("front").camera == 1
    expect(page.locator("[data-camera]")).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text(re.compile("^1 camera, 1 live"))
    expect(page.get_by_text("ben", exact=True)).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("camgate_session", True, "Lax")
    assert page.evaluate("document.cookie") == ""

    viewer.open("/camera/yard")
    expect(page.get_by_text("There is no camera “yard” here")).to_be_visible()
    viewer.forgive("404")


def test_an_administrator_sees_all(new_page: Callable[[], Viewer]) -> None:
    viewer = sign_in(new_page(), "anna")
    viewer.eventually(lambda: viewer.page.evaluate(PLAYING) == ["front", "yard"], "both play")


def test_one_comes_back_to_where_one_wanted_to_go(new_page: Callable[[], Viewer]) -> None:
    viewer = sign_in(new_page(), "ben", "/camera/front?from=mail")
    viewer.assert_plays()
    expect(viewer.page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "/%5Cevil.example/", "https://evil.example/", "javascript:alert(1)"]
)
def test_but_not_to_another_site(new_page: Callable[[], Viewer], guarded_server: CamgateProcess, wanted: str) -> None:
    viewer = new_page().open(f"/signin?next={wanted}")
    fill(viewer.page, "ben", password("ben"))
    expect(viewer.page).to_have_url(f"{guarded_server.url}/")


def test_a_wrong_login_is_one_sentence(new_page: Callable[[], Viewer]) -> None:
    viewer = new_page().open("/signin")
    for name in ("ben", "nobody"):
        fill(viewer.page, name, "guess")
        expect(viewer.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        expect(viewer.page.get_by_label("Password")).to_be_focused()
    fill(viewer.page, "ben", "")
    expect(viewer.page.get_by_role("alert")).to_have_text("Write your name and your password.")
    fill(viewer.page, "ben", password("ben"))
    viewer.assert_plays("front")
    viewer.forgive("401")


def test_the_button_can_be_read_under_the_pointer(new_page: Callable[[], Viewer]) -> None:
    page = new_page().open("/signin").page
    page.emulate_media(reduced_motion="reduce")
    button = page.get_by_role("button", name="Sign in")
    colors = "button => [getComputedStyle(button).backgroundColor, getComputedStyle(button).color]"
    at_rest = button.evaluate(colors)
    button.hover()
    assert button.evaluate("button => button.matches(':hover')")
    assert button.evaluate(colors) == at_rest


def test_signing_out_ends_it_here_and_in_the_other_tab(new_page: Callable[[], Viewer]) -> None:
    first = new_page()
    first.page.clock.install()
    sign_in(first, "ben", "/camera/front").assert_plays()
    second = new_page().open("/")
    second.assert_plays("front")
    # Who believes to have left, and has not, leaves the cameras to whoever comes next.
    second.page.route("**/signout", lambda route: route.abort(), times=1)
    second.page.get_by_role("button", name="Sign out").click()
    expect(second.page.get_by_role("alert").filter(has_text="You are still signed in")).to_contain_text(
        "The server does not answer."
    )
    second.forgive("ERR_FAILED")
    # Whatever is answered when the page asks whether that is so, it does not ask for ever.
    first.page.route("**/api/v1/session", lambda route: route.fulfill(json={"name": "ben", "can_sign_out": True}))
    second.page.get_by_role("button", name="Sign out").click()
    second.page.wait_for_url(re.compile(r"/signin\?next=%2F$"))

    first.wait_words("Signed out", "Sign in again")
    first.page.unroute("**/api/v1/session")
    first.assert_asks_no_more(600)
    expect(first.page.get_by_role("button", name="Try now")).to_be_hidden()
    first.page.get_by_role("link", name="Sign in").click()
    fill(first.page, "ben", password("ben"))
    first.page.wait_for_url("**/camera/front")
    first.assert_plays()

    # Signed in again in one tab, the other need not be.
    second.page.reload()
    second.assert_plays("front")
    first.forgive("401", "no valid credentials")
    second.forgive("401")


def test_the_wall_says_signed_out_and_plays_again_once_signed_in(new_page: Callable[[], Viewer]) -> None:
    wall = sign_in(new_page(), "ben")
    wall.assert_plays("front")
    other = new_page().open("/camera/front")
    other.page.get_by_role("button", name="Sign out").click()
    other.page.wait_for_url("**/signin?*")
    expect(wall.page.get_by_role("alert")).to_contain_text("Signed out. Sign in again to see the cameras.")
    expect(wall.page.locator('[data-camera="front"] .pill')).to_have_text("Unknown")
    fill(other.page, "ben", password("ben"))
    other.assert_plays()
    wall.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wall.assert_plays("front")
    expect(wall.page.get_by_role("alert")).to_be_hidden()
    expect(wall.page.get_by_role("button", name="Sign out")).to_be_visible()
    wall.forgive("401")


def test_the_wall_goes_on_by_what_another_tab_has_signed_in(
    new_page: Callable[[], Viewer], guarded_server: CamgateProcess
) -> None:
    wall = sign_in(new_page(), "ben")
    wall.assert_plays("front")
    (first,) = wall.page.context.cookies()
    other = new_page().open("/signin?why=not-permitted")
    fill(other.page, "ben", password("ben"))
    other.assert_plays("front")
    offers = wall.offers
    with wall.page.expect_event("websocket"):
        headers = {"Cookie": f"{first['name']}={first['value']}", "Origin": guarded_server.url}
        request = urllib.request.Request(f"{guarded_server.url}/signout", method="POST", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.status == 204
    wall.eventually(lambda: wall.offers > offers, "a new connection")
    wall.assert_plays("front")
    expect(wall.page.get_by_role("alert")).to_be_hidden()
    wall.forgive("404")  # of the connection that was ended, and is given back


def test_a_page_waits_while_logins_cannot_be_checked(new_page: Callable[[], Viewer]) -> None:
    viewer = sign_in(new_page(), "ben")
    page = viewer.page
    down = {"type": "urn:camgate:problem:logins-down", "detail": "You are still signed in."}
    page.route("**/api/v1/cameras", lambda route: route.fulfill(status=503, json=down))
    page.route_web_socket("**/ws", lambda socket: socket.close())
    viewer.open("/")
    expect(page.get_by_role("alert")).to_contain_text("Logins cannot be checked right now.")
    page.unroute("**/api/v1/cameras")
    expect(page.get_by_role("alert")).to_be_hidden()
    viewer.forgive("503")

    notice = "You are still signed in, but logins cannot be checked at present."
    form = (
        (web_directory() / "signin.html")
        .read_text()
        .replace(PROBLEM_PLACE, PROBLEM_PLACE.replace(" hidden>", f">{notice}"))
    )
    page.route(re.compile(r"/signin\?"), lambda route: route.fulfill(body=form, content_type="text/html"))
    page.clock.install()
    viewer.open("/signin?next=/camera/front")
    expect(page.get_by_role("alert")).to_have_text(notice)
    page.clock.fast_forward(10_000)
    expect(page).to_have_url(f"{viewer.url}/camera/front")


def test_a_session_outlives_a_restart(context: BrowserContext, front_camera: CameraProcess, tmp_path: Path) -> None:
    user = f'[auth.users.ben]\npassword_hash = "{CHEAP.hash(password("ben"))}"\nroles = ["viewer"]\n'
    login = ("ben", password("ben"))
    server = CamgateProcess(tmp_path, {"front": {"url": front_camera.url}}, more=user, login=login)
    server.start()
    try:
        viewer = sign_in(Viewer(context.new_page(), server.url), "ben", "/camera/front")
        viewer.assert_plays()
        server.stop()
        server.start()
        viewer.assert_plays()
        assert "/signin" not in viewer.page.url
    finally:
        server.kill()


def test_whoever_guesses_is_told_how_long_to_wait(
    context: BrowserContext, front_camera: CameraProcess, tmp_path: Path
) -> None:
    user = f'[auth.users.ben]\npassword_hash = "{CHEAP.hash(password("ben"))}"\nroles = ["viewer"]\n'
    server = CamgateProcess(tmp_path, {"front": {"url": front_camera.url}}, more=user)
    server.start()
    try:
        # The page's clock stands, so that its words do.
        page = Viewer(context.new_page(), server.url).without_clock().open("/signin").page
        button = page.locator("button")
        statuses: list[int] = []
        while 429 not in statuses:
            # A guess that comes late has no longer to wait; but each makes the wait for the next one twice as long.
            assert len(statuses) < 10
            expect(button).to_be_enabled()
            with page.expect_response("**/signin") as answer:
                fill(page, "ben", "guess")
            statuses.append(answer.value.status)
            expect(page.get_by_role("alert")).to_be_visible()
        assert statuses[:5] == [401] * 5
        expect(page.get_by_role("alert")).to_have_text("Too many sign-ins have failed. The next one has to wait.")
        expect(button).to_have_text(re.compile(r"^Try again in \d+ s$"))
        expect(button).to_be_disabled()
        page.clock.resume()
        expect(button).to_have_text("Sign in", timeout=120_000)
        fill(page, "ben", password("ben"))
        page.wait_for_url(f"{server.url}/")
    finally:
        server.kill()


def test_it_works_without_javascript(browser: Browser, guarded_server: CamgateProcess) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{guarded_server.url}/camera/front")
        fill(page, "ben", "guess")
        expect(page.get_by_role("alert")).to_have_text("The login was refused: the user name or the password is wrong.")
        fill(page, "ben", password("ben"))
        expect(page).to_have_url(f"{guarded_server.url}/camera/front")
    finally:
        context.close()


OPEN_PAGES = {"signin.html": "/signin", "share.html": "/share", "missing.html": "/nowhere"}
PAGES = {"index.html": "/", "camera.html": "/camera/front", "embed.html": "/embed/front"}
ADMIN_PAGES = {"admin.html": "/admin"}


def test_no_page_breaks_its_own_policy(new_page: Callable[[], Viewer]) -> None:
    """Violations are complaints, of which there may be none."""
    files = {path.name for path in web_directory().glob("*.html")}
    assert files == OPEN_PAGES.keys() | PAGES.keys() | ADMIN_PAGES.keys(), "a page is not walked"
    viewer = new_page()
    for path in (*OPEN_PAGES.values(), *PAGES.values(), *ADMIN_PAGES.values()):
        if path == "/":
            sign_in(viewer, "anna")
        answer = viewer.page.goto(viewer.url + path)
        assert answer is not None
        assert answer.url == viewer.url + path
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        if path in PAGES.values():
            viewer.assert_plays("front" if path == "/" else None)
        else:
            viewer.page.wait_for_load_state("networkidle")
    viewer.forgive("404")  # of the page for addresses without one
    # And the policy is in force: what it forbids is a complaint.
    viewer.page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    viewer.eventually(lambda: "CSP violation" in "".join(viewer.complaints), "the violation is noticed")
    viewer.complaints.clear()
