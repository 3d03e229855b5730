"""Pages that the server or the camera refuses: they ask no more often than they may, and say why in plain words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from camgate.base.errors import RemoteError
from camgate.bench.server import NO_LIMITS
from camgate.ingest.errors import (
    CameraHungUp,
    CameraMute,
    CredentialsNoLongerTaken,
    UnsupportedVideo,
    attention_for,
)
from camgate.wire.rtsp.errors import AuthenticationFailed, AuthenticationProblem, NoUsableTrack, UnexpectedStatus
from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer

BURDEN_MB = 400
WORDS = """
async ([state, error, attention]) => {
  const { explain } = await import("/static/words.js");
  const camera = { name: "front", state, last_error: error, needs_attention: attention };
  return explain({ state: "idle", camera: "front" }, { serverAnswers: true, get: () => camera });
}
"""


@pytest.fixture
def small_server(front_camera: CameraProcess, tmp_path: Path) -> Iterator[CamgateProcess]:
    """A camgate with a single place."""
    server = CamgateProcess(tmp_path, {"front": {"url": front_camera.url}}, max_viewers=1)
    server.start()
    server.wait_live("front")
    yield server
    server.kill()


def test_a_full_server_is_asked_no_earlier_than_it_says(context: BrowserContext, small_server: CamgateProcess) -> None:
    first = Viewer(context.new_page(), small_server.url).open("/camera/front")
    first.assert_plays()
    wall, second = (Viewer(context.new_page(), small_server.url).without_clock() for _ in range(2))
    # A tile takes a moment before it connects.
    wall.open("/").eventually(lambda: wall.page.clock.fast_forward(100) or wall.offers, "the wall asks")
    expect(wall.page.locator('[data-camera="front"] .words')).to_contain_text("All viewer places are taken")
    words = second.open("/camera/front").wait_words("All viewer places are taken", "by itself", "Trying again in")
    assert "max_viewers" not in words
    # All pages of a context go by one clock.
    wait_s = second.wait_refused()
    assert wall.wait_refused() == wait_s
    for page in (wall, second):
        page.assert_asks_no_more((wait_s - 1) / 2)
    assert (wall.offers, second.offers) == (1, 1)
    second.page.clock.fast_forward(2_000)
    for page in (wall, second):
        page.eventually(lambda page=page: page.offers == 2, "it asks again")

    wall.page.close()
    first.page.close()
    second.page.clock.resume()
    second.page.get_by_role("button", name="Try now").click()
    second.assert_plays()


def test_a_machine_at_its_limit_says_so_and_who_watches_goes_on(
    context: BrowserContext, front_camera: CameraProcess, tmp_path: Path
) -> None:
    # Of the limits the one that other programs' work has no part in.
    limits = NO_LIMITS | {"max_memory_mb": BURDEN_MB}
    cameras = {"front": {"url": front_camera.url}}
    server = CamgateProcess(tmp_path, cameras, limits=limits, module="tests.fakes.troubled")
    server.start()
    try:
        server.wait_live("front")
        watching = [Viewer(context.new_page(), server.url).open("/camera/front") for _ in range(2)]
        before = [viewer.assert_plays() for viewer in watching]
        server.cause(burden_mb=BURDEN_MB)
        server.wait_log("this machine is at its limit, joins are refused")
        late = Viewer(context.new_page(), server.url).without_clock().open("/camera/front")
        words = late.wait_words("The server is at its limit", "by itself", "Trying again in")
        assert "limits." not in words
        late.assert_asks_after(late.wait_refused())
        for viewer, blocks in zip(watching, before, strict=True):
            assert viewer.assert_plays().frame > blocks.frame
            assert viewer.offers == 1, "nobody who watches has to connect again"
    finally:
        server.kill()


def test_a_wrong_path_is_called_a_mistake(context: BrowserContext, front_camera: CameraProcess, tmp_path: Path) -> None:
    server = CamgateProcess(tmp_path, {"front": {"url": f"{front_camera.url}-misspelt"}})
    server.start()
    try:
        viewer = Viewer(context.new_page(), server.url).open("/camera/front")
        viewer.wait_words("The camera refuses us", "404", "restart camgate")
        expect(viewer.page.locator("#camera-state")).to_have_text("Needs attention")
        wall = Viewer(context.new_page(), server.url).open("/")
        expect(wall.page.locator('[data-camera="front"] .pill')).to_have_text("Needs attention")
    finally:
        server.kill()


def test_an_unknown_camera_is_asked_for_once_and_leads_to_the_others(viewer: Viewer) -> None:
    viewer.without_clock().open("/camera/nobody")
    viewer.wait_words("No such camera", "“nobody”")
    viewer.assert_asks_no_more(3_600)
    assert viewer.offers == 1
    viewer.page.clock.resume()
    viewer.page.get_by_role("link", name="See all cameras").click()
    viewer.assert_plays("front")
    viewer.forgive("404")


@pytest.mark.parametrize(
    ("error", "headline"),
    [
        (AuthenticationFailed(AuthenticationProblem.REFUSED, "DESCRIBE"), "The camera refuses us"),
        (AuthenticationFailed(AuthenticationProblem.NO_CREDENTIALS, "DESCRIBE"), "The camera refuses us"),
        (UnexpectedStatus(404, "Not Found", "DESCRIBE"), "The camera refuses us"),
        (UnexpectedStatus(403, "Forbidden", "DESCRIBE"), "The camera refuses us"),
        (UnsupportedVideo(("JPEG",)), "The camera's video cannot be shown"),
        (NoUsableTrack(["H264"], ["audio PCMA"]), "The camera's video cannot be shown"),
        (CameraMute("malformed RTSP"), "No camera answers at this address"),
    ],
)
def test_what_waiting_does_not_mend_is_no_absence(modules: Page, error: RemoteError, headline: str) -> None:
    for state in ("backoff", "connecting"):
        words = modules.evaluate(WORDS, [state, str(error), attention_for(error)])
        assert words["headline"] == headline
        assert str(error)[1:] in words["detail"]
        assert "return by itself" not in words["detail"]


@pytest.mark.parametrize(
    "error",
    [
        UnexpectedStatus(503, "Service Unavailable", "SETUP"),
        CameraHungUp("The camera closed the connection."),
        CredentialsNoLongerTaken(),
    ],
)
def test_what_passes_by_itself_is_absence(modules: Page, error: RemoteError) -> None:
    words = modules.evaluate(WORDS, ["backoff", str(error), attention_for(error)])
    assert words["headline"] == "The camera is away"
