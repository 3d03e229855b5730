"""The wall: all cameras with their states; tiles that can be seen play, the others don't."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.viewer import Viewer

SIZE = """
async (address) => {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => [image.width, image.height], () => null);
}
"""
PLAYING = "camgate.players().filter(({ state }) => state === 'playing').map(({ camera }) => camera).sort()"


def test_two_cameras_play(viewer: Viewer) -> None:
    viewer.open("/")
    assert viewer.assert_plays("front").camera == 1
    assert viewer.assert_plays("yard").camera == 2
    viewer.eventually(lambda: viewer.page.evaluate(PLAYING) == ["front", "yard"], "both tiles know that they play")


def test_tiles_tell_names_and_states(viewer: Viewer) -> None:
    viewer.open("/")
    page = viewer.page
    expect(page.get_by_role("status")).to_have_text(re.compile("^3 cameras, 2 live"))
    expect(page.get_by_role("link", name="Front door Live")).to_be_visible()
    expect(page.get_by_role("link", name="yard Live")).to_be_visible()
    expect(page.locator('[data-camera="loading-dock"] .pill')).to_have_text(re.compile("Away|Connecting"))
    assert viewer.offers <= 2, "a camera that is away is not asked for"


def test_a_tile_leads_to_its_camera(viewer: Viewer) -> None:
    viewer.open("/")
    viewer.page.get_by_role("link", name="Loading dock").click()
    viewer.page.wait_for_url("**/camera/loading-dock")
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("Loading dock")
    viewer.forgive("503")


def test_only_visible_tiles_play(viewer: Viewer) -> None:
    viewer.page.set_viewport_size({"width": 360, "height": 240})
    viewer.open("/").assert_plays("front")
    viewer.page.locator('[data-camera="loading-dock"]').scroll_into_view_if_needed()
    viewer.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    viewer.eventually(lambda: "front" not in viewer.page.evaluate(PLAYING), "the tile above stops")
    viewer.page.evaluate("scrollTo(0, 0)")
    viewer.assert_plays("front")


def test_the_filter_finds_by_title_and_name(viewer: Viewer) -> None:
    viewer.open("/").wait_blocks("yard")
    page = viewer.page
    page.get_by_label("Find a camera by name").fill("door")
    expect(page.locator('[data-camera="front"]')).to_be_visible()
    expect(page.locator('[data-camera="yard"]')).to_be_hidden()
    viewer.eventually(lambda: page.evaluate(PLAYING) == ["front"], "a tile that is filtered out stops")
    page.get_by_label("Find a camera by name").fill("nonsense")
    expect(page.get_by_text("No camera has such a name.")).to_be_visible()
    page.get_by_label("Find a camera by name").fill("")
    viewer.assert_plays("yard")


def test_the_wall_fits_a_phone(viewer: Viewer) -> None:
    viewer.page.set_viewport_size({"width": 360, "height": 640})
    for path in ("/", "/camera/front"):
        viewer.open(path).wait_blocks("front" if path == "/" else None)
        assert viewer.page.evaluate("document.documentElement.scrollWidth") == 360


def test_states_come_by_polling_where_no_socket_gets_through(viewer: Viewer) -> None:
    viewer.page.route_web_socket("**/ws", lambda socket: socket.close())
    viewer.open("/")
    expect(viewer.page.get_by_role("status")).to_have_text(re.compile("^3 cameras, 2 live"))
    viewer.assert_plays("front")


def test_motion_is_reduced_where_wished(viewer: Viewer) -> None:
    viewer.page.emulate_media(reduced_motion="reduce")
    viewer.open("/").wait_blocks("front")
    animation = "getComputedStyle(document.querySelector('.pill'), '::before').animationName"
    assert viewer.page.evaluate(animation) == "none"


def test_two_cameras_and_ten_viewers_at_once(new_viewer: Callable[[], Viewer]) -> None:
    viewers = [new_viewer().open(f"/embed/{camera}") for camera in ("front", "yard") for _ in range(5)]
    first = [viewer.wait_blocks() for viewer in viewers]
    second = [viewer.wait_blocks() for viewer in viewers]
    assert [blocks.camera for blocks in second] == [1] * 5 + [2] * 5
    assert all(later.frame > earlier.frame for earlier, later in zip(first, second, strict=True))
    for viewer in viewers:
        viewer.wait_state("playing")
        assert viewer.offers == 1


def test_a_still_stands_in_where_the_live_picture_does_not_come(viewer: Viewer) -> None:
    viewer.page.route("**/whep/**", lambda route: None)
    viewer.open("/")
    address = viewer.eventually(lambda: viewer.video("front").get_attribute("poster"), "a poster")
    # A busy machine may not make it in time, and says when to ask again.
    assert viewer.eventually(lambda: viewer.page.evaluate(SIZE, address), "a still that can be shown") == [480, 270]
    assert viewer.video("loading-dock").get_attribute("poster") is None
