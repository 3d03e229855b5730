"""The page of one camera: pictures, figures, the button, sleep, keys, and words for everything that can go wrong."""

import re
import statistics
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.processes import CameraProcess, CamgateProcess, free_port
from tests.browser.viewer import Viewer

SAMPLES = 8
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
    viewer.page.wait_for_timeout(500)
    assert viewer.read_blocks() is None


def test_figures_agree_with_getstats(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    viewer.page.wait_for_timeout(4_000)  # until the window holds nothing of the first burst
    first, shown = viewer.inbound_video(), {"bit-rate": [], "frame-rate": []}
    for _ in range(SAMPLES):
        viewer.page.wait_for_timeout(1_000)
        for name, values in shown.items():
            values.append(viewer.figure(name))
    last = viewer.inbound_video()
    seconds = (last["timestamp"] - first["timestamp"]) / 1000

    def truth(field: str) -> float:
        return float(last[field] - first[field]) / seconds

    assert_within_a_tenth(statistics.mean(shown["bit-rate"]), 8 * truth("bytesReceived"))
    assert_within_a_tenth(statistics.mean(shown["frame-rate"]), truth("framesDecoded"))
    assert_within_a_tenth(viewer.figure("packets"), last["packetsReceived"])
    assert_within_a_tenth(viewer.figure("bytes"), last["bytesReceived"])
    assert_within_a_tenth(viewer.figure("frames"), last["framesDecoded"])
    assert viewer.figure("loss") == 0
    assert viewer.figure("jitter") < 1_000 * last["jitter"] + 20
    assert 0 < viewer.figure("delay") < 1_000
    assert viewer.page.locator("#resolution").inner_text() == f"{last['frameWidth']} × {last['frameHeight']}"
    assert viewer.page.locator("#codec").inner_text() == "H.264"


def assert_within_a_tenth(shown: float, true: float) -> None:
    assert true > 0
    assert abs(shown - true) <= 0.1 * true, (shown, true)


def test_the_button_disconnects_and_connects(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front").wait_blocks()
    deletions: list[str] = []
    viewer.page.on("request", lambda request: request.method == "DELETE" and deletions.append(request.url))
    viewer.page.get_by_role("button", name="Disconnect").click()
    viewer.wait_words("Not connected")
    viewer.eventually(lambda: viewer.page.evaluate("camgate.peerConnections()") == [], "no connection is left open", 5)
    viewer.eventually(lambda: deletions, "the session's resource is deleted")
    assert viewer.figure("bit-rate") == 0
    viewer.page.get_by_role("button", name="Connect", exact=True).click()
    viewer.assert_plays()
    assert viewer.offers == 2


def test_a_hidden_page_rests_and_comes_back_at_once(viewer: Viewer) -> None:
    viewer.page.clock.install()
    viewer.open("/camera/front").wait_blocks()
    viewer.page.evaluate(HIDE, True)
    viewer.page.clock.fast_forward(9_000)
    assert viewer.state() == "playing"  # a glance at another tab costs nothing
    assert viewer.offers == 1
    viewer.page.clock.fast_forward(2_000)
    viewer.wait_state("idle")
    viewer.page.evaluate("dispatchEvent(new Event('online'))")
    assert viewer.state() == "idle"  # every tab of a laptop that wakes up hears this
    viewer.page.evaluate(HIDE, False)
    viewer.assert_plays()
    assert viewer.offers == 2


def test_a_hidden_page_plays_on_in_its_floating_window_only(viewer: Viewer) -> None:
    viewer.page.clock.install()
    viewer.open("/camera/front").wait_blocks()
    floating = (
        "(element) => Object.defineProperty(document, 'pictureInPictureElement', {configurable: true, get: element})"
    )
    viewer.page.evaluate(f"({floating})(() => document.body)")
    viewer.page.evaluate(HIDE, True)
    viewer.page.clock.fast_forward(11_000)
    assert viewer.state() == "playing"
    viewer.page.evaluate(f"({floating})(() => null)")
    leave = "document.querySelector('video').dispatchEvent(new Event('leavepictureinpicture', {bubbles: true}))"
    viewer.page.evaluate(leave)
    viewer.page.clock.fast_forward(11_000)
    viewer.wait_state("idle")


def test_leaving_the_page_ends_the_session(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front").wait_blocks()
    viewer.eventually(lambda: server.camera("front")["viewers"] == 1, "the server counts one viewer")
    viewer.page.goto("about:blank")
    viewer.eventually(lambda: server.camera("front")["viewers"] == 0, "the server counts none", 5)


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


def test_a_blocked_video_port_is_named(viewer: Viewer) -> None:
    blocked = free_port()

    def misdirect(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        body = re.sub(r"(a=candidate:\S+ 1 \S+ \d+ \S+) \d+", rf"\1 {blocked}", answer.text())
        route.fulfill(response=answer, body=body)

    viewer.page.route("**/whep/**", misdirect)
    viewer.open("/camera/front")
    words = viewer.wait_words("cannot get through")
    assert f":{blocked}" in words
    assert "firewall" in words


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
