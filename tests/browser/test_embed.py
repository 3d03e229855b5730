"""The bare player for dashboards."""

import urllib.request

from playwright.sync_api import expect

from tests.browser.processes import CamgateProcess
from tests.browser.viewer import Viewer


def test_the_bare_player_plays(viewer: Viewer) -> None:
    viewer.open("/embed/front")
    assert viewer.assert_plays().camera == 1
    box = viewer.video().bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1280, 800)


def test_it_may_be_framed_by_its_own_site_and_runs_no_inline_code(server: CamgateProcess) -> None:
    with urllib.request.urlopen(f"{server.url}/embed/front") as response:
        policy = response.headers["Content-Security-Policy"]
        page = response.read().decode()
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page
    assert "style=" not in page


def test_wishes_in_the_address(viewer: Viewer) -> None:
    viewer.open("/embed/front?fit=cover&controls=no").wait_blocks()
    assert viewer.video().evaluate("(video) => getComputedStyle(video).objectFit") == "cover"
    expect(viewer.page.get_by_role("button", name="Full screen")).to_have_count(0)
    viewer.assert_plays()


def test_controls_fade_while_nothing_is_touched(viewer: Viewer) -> None:
    page = viewer.open("/embed/front").page
    viewer.wait_blocks()
    controls = page.locator(".controls")
    page.get_by_role("button", name="Full screen").click()
    viewer.wait_element("fullscreenElement", present=True)
    expect(controls).to_have_css("opacity", "0")  # also over the button that was clicked, which has the focus
    page.mouse.move(200, 200)
    expect(controls).to_have_css("opacity", "1")
    page.keyboard.press("Shift+Tab")  # the one that was clicked is the last
    expect(page.locator(".stage[data-resting]")).to_be_visible()
    assert controls.evaluate("controls => controls.getAnimations().length") == 0
    expect(controls).to_have_css("opacity", "1")  # never while somebody goes through them by keys


def test_an_unknown_camera_is_named(viewer: Viewer) -> None:
    viewer.open("/embed/nobody")
    assert "nobody" in viewer.wait_words("No such camera")
    viewer.forgive("404")
