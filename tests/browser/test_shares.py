"""Share links and tokens in addresses, in a real browser: made by a button, opened by a button, once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.fakes.accounts import CHEAP
from tests.fakes.command import camgate_process

PATIENCE_S = 30.0


def wait_playing(page: Page) -> None:
    """Ask again and again: the pages' policy lets nobody evaluate text in them."""
    deadline = time.monotonic() + PATIENCE_S
    while (state := page.evaluate("globalThis.camgate?.players()[0].state")) != "playing":
        assert time.monotonic() < deadline, state
        page.wait_for_timeout(100)


@pytest.fixture(scope="module")
def home(
    front_camera: CameraProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CamgateProcess, Path]]:
    """camgate with the camera front, and anna, who may do everything; and its directory."""
    directory = tmp_path_factory.mktemp("shares")
    user = f'[auth.users.anna]\npassword_hash = "{CHEAP.hash("hush")}"\nroles = ["admin"]\n'
    cameras = {"front": {"url": front_camera.url, "title": "Front door"}}
    server = CamgateProcess(directory, cameras, more=user, login=("anna", "hush"))
    server.start()
    server.wait_live("front")
    yield server, directory
    server.kill()


def test_a_camera_is_shared_with_one_browser(browser: Browser, home: tuple[CamgateProcess, Path]) -> None:
    url = f"{home[0].url}/"
    anna, guest, other = (browser.new_context(viewport={"width": 1100, "height": 700}) for _ in range(3))
    try:
        page = anna.new_page()
        page.goto(f"{url}signin?next=/camera/front")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("hush")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Share").click()
        page.get_by_label("Note").fill("postman")
        page.get_by_role("button", name="Make a link").click()
        expect(page.get_by_label("Link")).not_to_have_value("")
        link = page.get_by_label("Link").input_value()
        assert link.startswith(f"{url}share#")
        expect(page.get_by_text("It works once, until")).to_be_visible()
        theirs = guest.new_page()
        theirs.goto(link)
        expect(theirs).to_have_url(f"{url}share")  # the secret is out of the address
        too_soon = {"status": 429, "headers": {"Retry-After": "1"}, "json": {"detail": "Try again in 1 s."}}
        theirs.route("**/share", lambda route: route.fulfill(**too_soon), times=1)
        theirs.get_by_role("button", name="Watch the camera").click()
        expect(theirs.get_by_role("alert")).to_have_text("Try again in 1 s.")
        theirs.get_by_role("button", name="Watch the camera").click()
        theirs.wait_for_url(f"{url}camera/front")
        wait_playing(theirs)
        expect(theirs.get_by_role("button", name="Share")).to_have_count(0)
        late = other.new_page()
        late.goto(link)
        late.get_by_role("button", name="Watch the camera").click()
        expect(late.get_by_role("alert")).to_contain_text("opened before")
    finally:
        for context in (anna, guest, other):
            context.close()


def test_a_token_in_the_address_of_an_embedded_player_is_enough(
    browser: Browser, home: tuple[CamgateProcess, Path]
) -> None:
    server, directory = home
    state = {"STATE_DIRECTORY": str(directory / "state")}
    made = camgate_process("token", "--camera=front", directory=directory, **state)
    assert made.code == 0, made.err
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"{server.url}/embed/front?token={made.out.strip()}&fit=cover")
        wait_playing(page)
        # The way to the sign-in page and back is kept in histories and logs.
        way = page.evaluate("import('/static/session.js').then((session) => session.signInAddress())")
        assert way == f"{server.url}/signin?next=%2Fembed%2Ffront%3Ffit%3Dcover"
    finally:
        context.close()
