"""Cameras that are connected only while somebody watches, and cameras that are not well."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer

LINGER_S = 2

WORDS = """
async ([player, camera]) => {
  const { explain, stateName } = await import("/static/words.js");
  const cameras = { serverAnswers: true, get: () => camera };
  const words = explain({ camera: camera.name, ...player }, cameras);
  return [stateName(cameras, camera.name), words.headline, words.detail];
}
"""


@pytest.fixture(scope="module")
def garage_camera() -> Iterator[CameraProcess]:
    camera = CameraProcess(3)
    camera.start()
    yield camera
    camera.kill()


@pytest.fixture(scope="module")
def demand_server(
    garage_camera: CameraProcess, front_camera: CameraProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CamgateProcess]:
    """camgate with a camera on demand, and one that sends a quarter of the frames that its owner expects."""
    cameras = {
        "garage": {"url": garage_camera.url, "on_demand": True, "linger_s": LINGER_S},
        "front": {"url": front_camera.url, "expected_fps": 100},
    }
    server = CamgateProcess(tmp_path_factory.mktemp("camgate"), cameras, more="[health]\nperiod_s = 1\nmisses = 2\n")
    server.start()
    server.wait_live("front")
    yield server
    server.kill()


def test_a_camera_on_demand_is_connected_while_its_page_is_open(
    context: BrowserContext, garage_camera: CameraProcess, demand_server: CamgateProcess
) -> None:
    assert demand_server.camera("garage")["state"] == "idle"
    assert garage_camera.connections == 0
    viewer = Viewer(context.new_page(), demand_server.url).open("/camera/garage")
    assert viewer.assert_plays().camera == 3
    assert viewer.offers == 1, "the first offer waits for the camera"
    expect(viewer.page.locator("#camera-state")).to_have_text("Live")
    assert garage_camera.connections == 1
    other = Viewer(context.new_page(), demand_server.url).open("/embed/front")
    viewer.page.close()
    other.eventually(lambda: demand_server.camera("garage")["demand"] == "lingering", "it lingers")
    other.eventually(lambda: demand_server.camera("garage")["state"] == "idle", "it is hung up on")
    assert garage_camera.connections == 1
    assert viewer.complaints == []


def test_a_camera_that_is_not_well_says_why(context: BrowserContext, demand_server: CamgateProcess) -> None:
    why = re.compile(r"2\d(\.\d)? frames a second instead of 100\.")
    wall = Viewer(context.new_page(), demand_server.url).open("/")
    expect(wall.page.get_by_role("link", name="front Unhealthy")).to_be_visible()
    expect(wall.page.locator('[data-camera="front"] .figures')).to_have_text(why)
    expect(wall.page.get_by_role("status").first).to_have_text(re.compile("^2 cameras, [12] live, 1 unhealthy"))
    assert_words(wall)
    page = Viewer(context.new_page(), demand_server.url).open("/camera/front").page
    expect(page.locator("#ailment")).to_have_text(why)
    expect(page.locator("#camera-state")).to_have_text("Unhealthy")
    expect(page.locator("#source-frames")).to_have_text(re.compile(r"2\d\.\d of 100\.0"))


def assert_words(viewer: Viewer) -> None:
    """What is said of cameras that are hard to bring about: in any page, since only words are asked for."""

    def words(player_state: str, **camera: object) -> list[str]:
        facts = {"name": "x", "state": "live", "healthy": True, "gop_s": None, "cache_frames": 0} | camera
        said: list[str] = viewer.page.evaluate(WORDS, [{"state": player_state}, facts])
        return said

    assert words("waiting", key_frame_age_s=23.4) == [
        "Live",
        "Waiting for the camera's next key frame",
        "The last one came 23 s ago. Only there can a picture begin.",
    ]
    name, _, detail = words("frozen", healthy=False, health_reason="no key frame for 90 s")
    assert (name, detail) == ("Unhealthy", "No key frame for 90 s.")
    assert words("idle", state="idle")[0] == "On demand"
    name, headline, detail = words("connecting", state="connecting", demand="dialling")
    assert (name, headline) == ("Connecting", "Reaching the camera")
    assert detail == "It is connected while somebody watches."
    name, headline, _ = words("idle", state="idle", needs_attention="refused", last_error="wrong password")
    assert (name, headline) == ("Needs attention", "The camera refuses us")
