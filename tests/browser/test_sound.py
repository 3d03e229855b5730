"""Sound in a browser: every codec that is passed on is heard, and nothing that happens to it costs a picture."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import PATIENCE_S, Viewer

CODECS = ("pcma", "pcmu", "g722", "opus")
INBOUND = """
async (video) => {
  const [shown] = video.srcObject?.getVideoTracks() ?? [];
  const plays = (connection) => connection.getReceivers().some(({ track }) => track === shown);
  const found = { sound: null, video: null };
  for (const entry of (await camgate.peerConnections().find(plays)?.getStats())?.values() ?? []) {
    if (entry.type === "inbound-rtp") found[entry.kind === "audio" ? "sound" : "video"] = entry;
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def cameras() -> Iterator[dict[str, CameraProcess]]:
    cameras = {
        codec: CameraProcess(number, f"--audio={codec}", "--width=320", "--height=180")
        for number, codec in enumerate((*CODECS, "garbage"))
    }
    for camera in cameras.values():
        camera.start()
    yield cameras
    for camera in cameras.values():
        camera.kill()


@pytest.fixture(scope="module")
def loud_server(
    cameras: dict[str, CameraProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CamgateProcess]:
    server = CamgateProcess(
        tmp_path_factory.mktemp("loud"), {name: {"url": camera.url} for name, camera in cameras.items()}
    )
    server.start()
    yield server
    server.kill()


@pytest.fixture
def new_listener(context: BrowserContext, loud_server: CamgateProcess) -> Iterator[Callable[[], Viewer]]:
    listeners: list[Viewer] = []
    loud_server.wait_live(*CODECS, "garbage")

    def make() -> Viewer:
        listeners.append(Viewer(context.new_page(), loud_server.url))
        return listeners[-1]

    yield make
    for listener in listeners:
        assert listener.complaints == []


@pytest.fixture
def listener(new_listener: Callable[[], Viewer]) -> Viewer:
    return new_listener()


def inbound(viewer: Viewer, tile: str | None = None) -> dict[str, Any]:
    """What getStats says of the sound (None where none was negotiated) and the video that a player gets."""
    found: dict[str, Any] = viewer.video(tile).evaluate(INBOUND)
    return found


def assert_heard(viewer: Viewer, tile: str | None = None) -> None:
    """The tone is decoded, and goes on. Its level is 0.5 and 0.25 by turns; a busy machine plays it with gaps."""

    def sound() -> dict[str, Any]:
        return inbound(viewer, tile)["sound"] or {}

    viewer.eventually(lambda: sound().get("audioLevel", 0) > 0.1, "the tone", 2 * PATIENCE_S)
    energy = sound()["totalAudioEnergy"]
    viewer.eventually(lambda: sound().get("totalAudioEnergy", 0) > energy + 0.01, "more of it")


def test_tiles_of_all_codecs_are_heard_one_at_a_time_once_somebody_wants_to(listener: Viewer) -> None:
    listener.open("/")
    for codec in CODECS:
        listener.eventually(lambda codec=codec: listener.read_blocks(codec), f"a picture of {codec}")  # type: ignore[misc]
        assert inbound(listener, codec)["sound"] is None, "sound that nobody hears is not asked for"
    heard = listener.page.locator('.sound[data-on="true"]')
    for codec in CODECS:
        button = listener.page.locator(f'[data-camera="{codec}"] .sound')
        expect(button).to_be_visible()
        button.click()
        assert_heard(listener, codec)
        expect(heard).to_have_count(1)
        assert listener.video(codec).evaluate("(video) => !video.muted && !video.paused")
    assert listener.page.url.endswith("/"), "a tile's button is no link"
    button.click()
    expect(heard).to_have_count(0)
    assert listener.assert_plays(CODECS[-1])


def test_a_page_begins_muted_and_plays_on_when_the_sound_stops(
    listener: Viewer, cameras: dict[str, CameraProcess]
) -> None:
    listener.open("/camera/pcma").wait_blocks()
    muted = "(video) => video.muted"
    mute = listener.page.get_by_role("button", name="Sound on")
    expect(mute).to_be_visible()
    assert listener.video().evaluate(muted)
    mute.click()
    assert not listener.video().evaluate(muted)
    assert_heard(listener)
    expect(listener.page.get_by_role("button", name="Sound off")).to_be_visible()
    cameras["pcma"].fall_silent()
    came = wait_silent(listener)
    assert_no_gap(listener)
    assert inbound(listener)["sound"]["packetsReceived"] == came
    listener.page.keyboard.press("m")
    assert listener.video().evaluate(muted)


def wait_silent(viewer: Viewer) -> int:
    """Returns how many packets of sound have come, once no more do for half a second: ten times what is between two."""
    counts = [-1]

    def are_equal() -> bool:
        viewer.page.wait_for_timeout(500)
        counts.append(inbound(viewer)["sound"]["packetsReceived"])
        return counts[-1] == counts[-2]

    viewer.eventually(are_equal, "the sound stops")
    return counts[-1]


def test_a_bare_player_has_its_button_too(listener: Viewer) -> None:
    listener.open("/embed/opus").wait_blocks()
    listener.page.get_by_role("button", name="Sound on").click()
    assert_heard(listener)


def test_a_camera_without_sound_plays_and_has_no_button(viewer: Viewer) -> None:
    viewer.open("/camera/front")
    viewer.assert_plays()
    assert inbound(viewer)["sound"] is None
    for name in ("mute", "volume"):
        expect(viewer.page.locator(f'[data-part="{name}"]')).to_be_hidden()


def test_sound_that_is_garbage_costs_no_picture(listener: Viewer) -> None:
    listener.open("/camera/garbage").wait_blocks()
    listener.page.get_by_role("button", name="Sound on").click()
    assert_no_gap(listener)
    listener.eventually(lambda: inbound(listener)["sound"]["packetsReceived"] > 50, "more than 50 packets of sound")


def assert_no_gap(viewer: Viewer) -> None:
    """Pictures come for two seconds as if nothing was."""
    before = inbound(viewer)["video"]
    viewer.page.wait_for_timeout(2_000)
    after = inbound(viewer)["video"]
    seconds = (after["timestamp"] - before["timestamp"]) / 1000
    # Of 25; a busy machine draws and decodes a little less.
    assert after["framesDecoded"] - before["framesDecoded"] > 15 * seconds
