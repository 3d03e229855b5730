"""Cameras and servers that go away and come back: what the page keeps, what it says, and how it finds its way back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer

KEEP_CONNECTION = """
() => {
  window.kept = camgate.peerConnections()[0];
  return ufrags(kept);
}
"""
INTERRUPTION_MS = 5_000
"""How long a page waits for a connection to come back that the browser calls disconnected."""
UFRAGS = """
window.ufrags = (connection) => [connection.localDescription, connection.remoteDescription].map(
  (description) => /^a=ice-ufrag:(.*)$/m.exec(description.sdp)[1].trim());
"""


def test_a_camera_that_restarts_costs_no_new_session(viewer: Viewer, front_camera: CameraProcess) -> None:
    viewer.page.add_init_script(UFRAGS)
    viewer.open("/camera/front").assert_plays()
    ufrags = viewer.page.evaluate(KEEP_CONNECTION)

    front_camera.kill()
    viewer.wait_words("by itself", "Last picture")
    assert viewer.page.evaluate("kept.connectionState") == "connected"
    viewer.eventually(lambda: viewer.figure("bit-rate") == 0 and viewer.figure("frame-rate") == 0, "figures fall to 0")

    viewer.page.wait_for_timeout(2_500)  # the server tells of the camera each second
    restarted_at, counter = int(time.time() * 1000) & 0xFFFFFFFF, front_camera.counter_now()
    front_camera.start()
    blocks = viewer.assert_plays()
    assert blocks.frame >= counter
    assert blocks.time_ms >= restarted_at
    viewer.wait_state("playing")
    viewer.eventually(lambda: viewer.words().strip() == "", "no words over the picture")
    assert viewer.page.evaluate("camgate.peerConnections()[0] === kept")
    assert viewer.page.evaluate("ufrags(kept)") == ufrags
    assert viewer.offers == 1


def test_a_camera_that_changes_its_resolution_costs_no_new_session(viewer: Viewer, front_camera: CameraProcess) -> None:
    viewer.page.add_init_script(UFRAGS)
    viewer.open("/camera/front").assert_plays()
    ufrags = viewer.page.evaluate(KEEP_CONNECTION)

    for width in (1280, 640):
        before = viewer.wait_blocks()
        front_camera.resize()
        viewer.eventually(
            lambda width=width: viewer.video().evaluate("video => video.videoWidth") == width, f"{width} pixels"
        )
        # The picture's counter goes on, in the new size.
        assert viewer.assert_plays().frame > before.frame
    assert viewer.page.evaluate("camgate.peerConnections()[0] === kept")
    assert viewer.page.evaluate("ufrags(kept)") == ufrags
    assert viewer.offers == 1


def test_a_page_that_waits_for_its_camera_connects_when_it_comes(
    new_viewer: Callable[[], Viewer], front_camera: CameraProcess
) -> None:
    front_camera.kill()
    try:
        viewer = new_viewer().open("/camera/front")
        viewer.wait_words("The camera is away")
    finally:
        front_camera.start()
    viewer.assert_plays()
    viewer.forgive("503")


@pytest.fixture
def own_server(front_camera: CameraProcess, yard_camera: CameraProcess, tmp_path: Path) -> Iterator[CamgateProcess]:
    """A camgate that the test may stop."""
    server = CamgateProcess(tmp_path, {"front": {"url": front_camera.url}, "yard": {"url": yard_camera.url}})
    server.start()
    server.wait_live("front", "yard")
    yield server
    server.kill()


def test_a_server_that_restarts_is_announced_and_found_again(
    context: BrowserContext, own_server: CamgateProcess
) -> None:
    viewer = Viewer(context.new_page(), own_server.url).open("/camera/front")
    wall = Viewer(context.new_page(), own_server.url).open("/")
    viewer.assert_plays()
    wall.assert_plays("yard")

    assert own_server.stop() == 0
    viewer.wait_words("The server has stopped", "by itself")
    assert "does not answer" not in viewer.words()
    viewer.eventually(lambda: viewer.page.evaluate("camgate.peerConnections()") == [], "no connection is left open")
    expect(wall.page.get_by_role("alert")).to_contain_text("The server has stopped")

    own_server.start()
    viewer.assert_plays()
    wall.assert_plays("yard")
    expect(wall.page.get_by_role("alert")).to_be_hidden()
    assert viewer.offers >= 2
    for page in (viewer, wall):
        # Requests that the server's end cut short, or that came when it had begun to end.
        page.forgive("ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "/ws", "503", "404")
        assert page.complaints == []


def test_a_server_that_dies_without_a_word_is_found_again(context: BrowserContext, own_server: CamgateProcess) -> None:
    viewer = Viewer(context.new_page(), own_server.url)
    viewer.page.clock.install()
    viewer.open("/camera/front").assert_plays()
    own_server.kill()
    viewer.wait_words("by itself")
    own_server.start()
    is_lost = "camgate.peerConnections()[0]?.connectionState !== 'connected'"
    viewer.eventually(lambda: viewer.page.evaluate(is_lost), "the browser hears nothing from there")
    viewer.page.clock.fast_forward(INTERRUPTION_MS)
    viewer.assert_plays()


FREEZE_STATS = """
RTCPeerConnection.prototype.getStats = (function (getStats) {
  let kept = null;
  return async function () { return window.frozen ? kept : (kept = await getStats.call(this)); };
})(RTCPeerConnection.prototype.getStats);
"""


def test_a_long_outage_of_the_camera_costs_no_new_session(viewer: Viewer, front_camera: CameraProcess) -> None:
    viewer.page.clock.install()
    viewer.open("/camera/front").assert_plays()
    front_camera.kill()
    viewer.wait_words("by itself", "Last picture")
    expect(viewer.page.locator("#camera-state")).not_to_have_text("Live")
    viewer.page.clock.fast_forward(3_600_000)
    viewer.wait_words("by itself", "Last picture 36")
    front_camera.start()
    viewer.assert_plays()
    assert viewer.offers == 1


def test_pictures_that_stay_away_from_a_live_camera_are_asked_for_anew(viewer: Viewer) -> None:
    viewer.page.clock.install()
    viewer.page.add_init_script(FREEZE_STATS)
    viewer.open("/camera/front").assert_plays()
    viewer.page.evaluate("frozen = true")
    viewer.wait_words("The picture stands still")
    assert viewer.offers == 1
    viewer.page.clock.fast_forward(31_000)
    viewer.eventually(lambda: viewer.offers == 2, "a second session is asked for")
    viewer.page.evaluate("frozen = false")
    viewer.assert_plays()
