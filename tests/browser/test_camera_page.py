"""The page of one camera: pictures, figures, the button, sleep, keys, and words for everything that can go wrong."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer

WINDOW_MS = 2_200
"""What rates are taken over: two seconds, and by how much timers run late."""
RECORD_REPORTS = """
globalThis.reports = [];
RTCPeerConnection.prototype.getStats = (function (getStats) {
  return async function () {
    const report = await getStats.call(this);
    reports.push([...report.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video"));
    return report;
  };
})(RTCPeerConnection.prototype.getStats);
"""
REPORTS_AND_FIGURES = """
(names) => {
  const figure = (name) => Number(document.getElementById(name).getAttribute("value"));
  return [reports, Object.fromEntries(names.map((name) => [name, figure(name)]))];
}
"""
"""Both at the same moment: the page shows what it reads before anything else can happen."""
WATCHING = ("playing", "frozen")
"""A session is up. Two leaps of the clock with no picture in between look like a frozen one, until the next."""
HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def test_the_page_plays(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front")
    assert viewer.assert_plays().camera == 1
    viewer.wait_state("playing")
    viewer.eventually(lambda: viewer.words().strip() == "", "no words over the picture")
    assert viewer.offers == 1
    expect(viewer.page).to_have_title("Front door · camgate")
    expect(viewer.page.locator("#camera-state")).to_have_text("Live")


def test_media_comes_over_the_one_udp_port(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front").wait_blocks()

    def is_settled() -> bool:
        pair = viewer.selected_pair()
        return pair["state"] == "succeeded" and bool(pair["nominated"])

    viewer.eventually(is_settled, "the pair in use is a checked and nominated one")
    pair = viewer.selected_pair()
    assert (pair["remote"]["protocol"], pair["remote"]["port"]) == ("udp", server.webrtc_port)
    expect(viewer.page.locator("#path")).to_have_text(re.compile(rf"^UDP .*:{server.webrtc_port}$"))
    expect(viewer.page.locator("#path-note")).to_be_hidden()


def test_a_paused_picture_is_found_out(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    viewer.video().evaluate("(video) => video.pause()")
    viewer.eventually(lambda: viewer.read_blocks() is None, "the last picture has been shown")


def test_figures_agree_with_getstats(viewer: Viewer) -> None:
    names = ["bit-rate", "frame-rate", "packets", "bytes", "frames", "loss", "jitter", "delay"]
    viewer.page.add_init_script(RECORD_REPORTS)
    viewer.open("/camera/front").wait_blocks()

    def look() -> tuple[list[dict[str, Any]], dict[str, float]]:
        reports, shown = viewer.page.evaluate(REPORTS_AND_FIGURES, names)
        return [report for report in reports if report], shown

    def is_window_full() -> bool:
        reports, _ = look()
        return len(reports) > 3 and reports[-1]["timestamp"] - reports[0]["timestamp"] > 2 * WINDOW_MS

    viewer.eventually(is_window_full, "a window that holds nothing of the first burst")
    reports, shown = look()
    last = reports[-1]
    first = next(report for report in reports if report["timestamp"] >= last["timestamp"] - WINDOW_MS)
    seconds = (last["timestamp"] - first["timestamp"]) / 1000

    def gained(field: str) -> float:
        return float(last[field] - first[field])

    assert shown["bit-rate"] == pytest.approx(8 * gained("bytesReceived") / seconds)
    assert shown["frame-rate"] == pytest.approx(gained("framesDecoded") / seconds)
    assert shown["bit-rate"] > 0
    assert shown["frame-rate"] > 0
    counts = (last["packetsReceived"], last["bytesReceived"], last["framesDecoded"])
    assert (shown["packets"], shown["bytes"], shown["frames"]) == counts
    expected = gained("packetsLost") + gained("packetsReceived")
    assert shown["loss"] == pytest.approx(max(0.0, gained("packetsLost")) / expected)
    assert shown["jitter"] == pytest.approx(1_000 * last["jitter"])
    assert 0 < shown["delay"] < 1_000
    assert viewer.page.locator("#resolution").inner_text() == f"{last['frameWidth']} × {last['frameHeight']}"
    assert viewer.page.locator("#codec").inner_text() == "H.264"


def test_the_button_disconnects_and_connects(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front").wait_blocks()
    deletions: list[str] = []
    viewer.page.on("request", lambda request: request.method == "DELETE" and deletions.append(request.url))
    viewer.page.get_by_role("button", name="Disconnect").click()
    viewer.wait_words("Not connected")
    viewer.eventually(lambda: viewer.page.evaluate("camgate.peerConnections()") == [], "no connection is left open")
    viewer.eventually(lambda: deletions, "the session's resource is deleted")
    assert viewer.figure("bit-rate") == 0
    viewer.page.get_by_role("button", name="Connect", exact=True).click()
    viewer.assert_plays()
    assert viewer.offers == 2


def test_a_hidden_page_rests_and_comes_back_at_once(viewer: Viewer) -> None:
    viewer.page.clock.install()
    viewer.open("/camera/front").wait_blocks()
    viewer.wait_state("playing")
    viewer.stop_clock()
    viewer.page.evaluate(HIDE, True)
    viewer.page.clock.fast_forward(9_000)
    assert viewer.state() in WATCHING  # a glance at another tab costs nothing
    assert viewer.offers == 1
    viewer.page.clock.fast_forward(2_000)
    viewer.wait_state("idle")
    viewer.page.evaluate("dispatchEvent(new Event('online'))")
    assert viewer.state() == "idle"  # every tab of a laptop that wakes up hears this
    viewer.page.clock.resume()
    viewer.page.evaluate(HIDE, False)
    viewer.assert_plays()
    assert viewer.offers == 2


def test_a_hidden_page_plays_on_in_its_floating_window_only(viewer: Viewer) -> None:
    viewer.page.clock.install()
    viewer.open("/camera/front").wait_blocks()
    viewer.wait_state("playing")
    viewer.stop_clock()
    floating = (
        "(element) => Object.defineProperty(document, 'pictureInPictureElement', {configurable: true, get: element})"
    )
    viewer.page.evaluate(f"({floating})(() => document.body)")
    viewer.page.evaluate(HIDE, True)
    viewer.page.clock.fast_forward(11_000)
    assert viewer.state() in WATCHING
    viewer.page.evaluate(f"({floating})(() => null)")
    leave = "document.querySelector('video').dispatchEvent(new Event('leavepictureinpicture', {bubbles: true}))"
    viewer.page.evaluate(leave)
    viewer.page.clock.fast_forward(11_000)
    viewer.wait_state("idle")


def test_leaving_the_page_ends_the_session(viewer: Viewer, server: CamgateProcess) -> None:
    server.wait_unwatched()  # by pages of other tests
    viewer.open("/camera/front").wait_blocks()
    viewer.eventually(lambda: server.camera("front")["viewers"] == 1, "the server counts one viewer")
    viewer.page.goto("about:blank")
    viewer.eventually(lambda: server.camera("front")["viewers"] == 0, "the server counts none")


def test_an_unknown_camera_is_named(viewer: Viewer) -> None:
    viewer.open("/camera/no%20such%20%E2%82%ACcamera")
    words = viewer.wait_words("No such camera")
    assert "no such €camera" in words
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("no such €camera")
    viewer.forgive("404")


def test_a_camera_that_is_away_is_explained(viewer: Viewer) -> None:
    viewer.open("/camera/loading-dock")
    viewer.wait_words("camera", "by itself")
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("Loading dock")
    assert viewer.page.evaluate("camgate.peerConnections().length") <= 1
    viewer.forgive("503")


def test_a_browser_without_webrtc_is_told(viewer: Viewer) -> None:
    viewer.page.add_init_script("delete window.RTCPeerConnection")
    viewer.open("/camera/front")
    assert "no WebRTC" in viewer.wait_words("No picture in this browser")


def test_a_browser_without_a_codec_that_can_be_made_is_told(viewer: Viewer) -> None:
    viewer.page.add_init_script("RTCRtpReceiver.getCapabilities = () => ({ codecs: [{ mimeType: 'video/VP8' }] })")
    viewer.page.route("**/whep/**", without_h264_and_vp8)
    viewer.open("/camera/front")
    words = viewer.wait_words("No picture in this browser")
    assert "The camera sends H.264" in words
    assert "Firefox fetches its H.264 decoder" in words
    viewer.forgive("406")


def without_h264_and_vp8(route: Route) -> None:
    """Let the server see the offer of a browser that can decode neither H.264 nor VP8."""
    offer = route.request.post_data
    route.continue_(
        post_data=offer.replace("H264/90000", "H263/90000").replace("VP8/90000", "VP6/90000") if offer else None
    )


def test_a_picture_that_stands_still_is_said_to(viewer: Viewer, front_camera: CameraProcess) -> None:
    viewer.open("/camera/front").wait_blocks()
    front_camera.freeze()
    try:
        viewer.wait_words("by itself", "Last picture")
        assert viewer.state() == "frozen"
    finally:
        front_camera.thaw()
    viewer.assert_plays()
    assert viewer.offers == 1


def test_the_page_works_by_keyboard(viewer: Viewer) -> None:
    viewer.open("/").wait_blocks("front")
    press_until_focused(viewer.page, "Tab", lambda label: label.startswith("Front door"))
    viewer.page.keyboard.press("Enter")
    viewer.page.wait_for_url("**/camera/front")
    viewer.wait_blocks()
    press_until_focused(viewer.page, "Tab", lambda label: label == "Disconnect")
    viewer.page.keyboard.press("f")
    viewer.wait_element("fullscreenElement", present=True)
    viewer.page.keyboard.press("f")
    viewer.wait_element("fullscreenElement", present=False)
    viewer.page.keyboard.press("Enter")
    viewer.wait_words("Not connected")
    viewer.page.keyboard.press("Space")
    viewer.assert_plays()


def press_until_focused(page: Page, key: str, is_wanted: Callable[[str], bool]) -> None:
    for _ in range(20):
        if is_wanted(page.evaluate("document.activeElement.innerText ?? ''").strip()):
            return
        page.keyboard.press(key)
    raise AssertionError("no element with such a name takes the focus")


def test_every_control_has_a_name_and_states_are_announced(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    page = viewer.page
    for name in ("Disconnect", "Picture in picture", "Full screen"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    assert page.get_by_role("status").count() == 2  # the camera's state, and the words over the picture
    unnamed = (
        page.locator("button:visible")
        .filter(has_not_text=re.compile(r"\w"))
        .and_(page.locator("button:not([aria-label])"))
    )
    assert unnamed.count() == 0


def test_picture_in_picture(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    button = viewer.page.get_by_role("button", name="Picture in picture")
    button.click()
    viewer.wait_element("pictureInPictureElement", present=True)
    viewer.page.get_by_role("button", name="End picture in picture").click()
    viewer.wait_element("pictureInPictureElement", present=False)
