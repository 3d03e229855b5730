"""What a page says when the answer comes and the video does not, in words that name the cause, each provoked."""

import contextlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from playwright.sync_api import Error as PlaywrightError

from tests.browser.processes import CamgateProcess
from tests.browser.viewer import PATH_TIMEOUT_MS, Viewer
from tests.fakes.ports import free_port

LOCKED = """
// Not by userActivation: what a test evaluates counts as a gesture.
const play = HTMLMediaElement.prototype.play;
let clicked = false;
addEventListener("click", () => (clicked = true), true);
HTMLMediaElement.prototype.play = function () {
  if (clicked) return play.call(this);
  return Promise.reject(new DOMException("play() can only be initiated by a user gesture.", "NotAllowedError"));
};
"""
WORDS = """
async (problem) => {
  const { explain } = await import("/static/words.js");
  const player = { state: "retrying", camera: "front", problem, retryAt: Date.now() };
  return explain(player, { serverAnswers: true, get: () => undefined });
}
"""
ADDRESSES = ["UDP 192.0.2.7:8108", "UDP [2001:db8::7]:8108", "TCP 192.0.2.7:8108"]


def change_answers(viewer: Viewer, change: Callable[[str], str]) -> None:
    def fulfill(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(response=answer, body=change(answer.text()))

    viewer.page.route("**/whep/**", fulfill)


def open_without_path(viewer: Viewer) -> int:
    """Open a camera's page, tell it of a port where nobody is, and let the time pass that it tries it; returns it."""
    port = free_port()
    change_answers(viewer, lambda answer: re.sub(r"(a=candidate:\S+ 1 \S+ \d+ \S+) \d+", rf"\1 {port}", answer))
    viewer.page.clock.install()
    viewer.open("/camera/front")
    viewer.wait_answer()
    viewer.page.clock.fast_forward(PATH_TIMEOUT_MS)
    return port


def test_a_video_port_that_cannot_be_reached_is_told_with_what_was_tried(viewer: Viewer) -> None:
    port = open_without_path(viewer)
    words = viewer.wait_words("The video cannot get through", f"UDP and TCP 127.0.0.1:{port}", "Trying again")
    assert f"Open UDP {port} and TCP {port} in the firewall" in words
    assert "docs/connectivity.md" in words
    assert "TURN" not in words


def test_a_page_that_may_not_reach_the_local_network_says_so(
    viewer: Viewer, context: BrowserContext, server: CamgateProcess
) -> None:
    target = context.new_cdp_session(viewer.page).send("Target.getTargetInfo")["targetInfo"]
    session = context.browser.new_browser_cdp_session()  # type: ignore[union-attr]
    for name in ("local-network-access", "local-network", "loopback-network"):
        whose = {"origin": server.url, "browserContextId": target["browserContextId"]}
        permission = {"permission": {"name": name}, "setting": "denied", **whose}
        with contextlib.suppress(PlaywrightError):  # a name of another version of Chromium
            session.send("Browser.setPermission", permission)
    open_without_path(viewer)
    words = viewer.wait_words("The browser keeps this page from the local network")
    assert "Local network access" in words


def test_dtls_that_fails_is_not_taken_for_a_closed_port(viewer: Viewer, server: CamgateProcess) -> None:
    change_answers(viewer, lambda answer: re.sub(r"(a=fingerprint:sha-256 )..", r"\g<1>00", answer))
    # The server may have given the session up already, and Chromium complains of the 404 that a DELETE then gets.
    viewer.page.route("**/whep/front/*", lambda route: route.fulfill(status=200))
    viewer.open("/camera/front")
    viewer.wait_words("The encrypted connection cannot be set up", "DTLS")


def test_a_browser_that_starts_no_video_by_itself_offers_to_play(viewer: Viewer) -> None:
    viewer.page.add_init_script(LOCKED)
    viewer.open("/camera/front")
    viewer.wait_words("The browser waits for you", "press “Play”")
    viewer.page.get_by_role("button", name="Play", exact=True).click()
    viewer.assert_plays()
    expect(viewer.page.locator(".words")).not_to_contain_text("The browser waits for you")


def path(**facts: object) -> dict[str, object]:
    tried = {"addresses": ADDRESSES, "relayErrors": [], "relays": 0, "isRelayOnly": False, "isLocalRefused": False}
    return {"kind": "no-path", "message": "", "path": tried | facts}


def relay_error(code: int, text: str) -> dict[str, object]:
    return {"url": "turn:t.example?transport=tcp", "code": code, "text": text}


@pytest.mark.parametrize(
    ("problem", "parts"),
    [
        (path(), ["UDP and TCP 192.0.2.7:8108, or UDP [2001:db8::7]:8108", "Open UDP 8108 and TCP 8108"]),
        (path(addresses=[]), ["this browser cannot reach the video port", "Open the video port"]),
        (path(relays=1, isRelayed=True), ["took the login, and could not reach these addresses either"]),
        (path(relays=1), ["The TURN server does not answer"]),
        (
            path(relays=1, relayErrors=[relay_error(401, "Unauthorized")]),
            ["turn:t.example?transport=tcp refuses the login (401 Unauthorized)", "clocks"],
        ),
        (
            path(relays=1, relayErrors=[relay_error(486, "Allocation Quota Reached")]),
            ["has no place for one more (486)"],
        ),
        (path(relays=1, relayErrors=[relay_error(300, "Try Alternate")]), ["cannot be used (300 Try Alternate)"]),
        (
            path(relays=1, relayErrors=[relay_error(701, "timed out.")]),
            ["turn:t.example?transport=tcp does not answer"],
        ),
        (path(isRelayOnly=True), ["was told to use TURN servers only", "[webrtc.turn.NAME]"]),
        (path(isLocalRefused=True), ["Local network access", "local address"]),
        ({"kind": "no-keys", "message": ""}, ["DTLS", "VPN"]),
    ],
)
def test_the_words_for_what_was_tried(modules: Page, problem: dict[str, object], parts: list[str]) -> None:
    words = modules.evaluate(WORDS, problem)
    assert words["mood"] == "bad"
    for part in parts:
        assert part in words["detail"]
    assert "undefined" not in words["detail"]
    assert "  " not in words["detail"]
