"""What Chromium cannot play as it comes is made for it: H.265, B-frames, and VP8 for browsers without H.264."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer

WITHOUT = """
const add = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (kind, ...rest) {
  const transceiver = add.call(this, kind, ...rest);
  const codecs = RTCRtpReceiver.getCapabilities(kind).codecs;
  if (kind === "video") transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => !MISSING.test(mimeType)));
  return transceiver;
};
"""
"""Makes a browser that lacks codecs, for tests only: MISSING stands for a regular expression."""


HEARD = """
async () => {
  const reports = await Promise.all(camgate.peerConnections().map((each) => each.getStats()));
  const sound = reports.flatMap((report) => [...report.values()].filter(({ type }) => type === "inbound-rtp"))
    .find(({ kind }) => kind === "audio");
  return sound ? [sound.totalAudioEnergy, sound.concealedSamples, sound.totalSamplesReceived] : null;
}
"""
"""Energy of the sound so far, and how many of its samples were made up."""


@pytest.fixture(scope="module")
def transcoding(tmp_path_factory: pytest.TempPathFactory, front_camera: CameraProcess) -> Iterator[CamgateProcess]:
    """camgate with an H.265 camera with AAC (5), one with B-frames (6), and front (1), and room for two transcoders."""
    cameras = [CameraProcess(5, "--audio=aac", codec="h265"), CameraProcess(6, "--b-frames")]
    for camera in cameras:
        camera.start()
    settings = {name: {"url": camera.url} for name, camera in zip(("newer", "reordered"), cameras, strict=True)}
    server = CamgateProcess(tmp_path_factory.mktemp("transcoding"), settings | {"front": {"url": front_camera.url}})
    server.append("[transcode]", "max_streams = 2", "linger_s = 1")
    server.start()
    server.wait_live("newer", "reordered", "front")
    yield server
    server.kill()
    for camera in cameras:
        camera.kill()


@pytest.fixture
def new_page(context: BrowserContext, transcoding: CamgateProcess) -> Callable[..., Viewer]:
    def make(without: str = "h265") -> Viewer:
        viewer = Viewer(context.new_page(), transcoding.url)
        viewer.page.add_init_script(WITHOUT.replace("MISSING", f"/{without}/i"))
        return viewer

    return make


@pytest.mark.parametrize(
    ("camera", "number", "without", "codec", "why"),
    [
        ("newer", 5, "h265", "H.264", "H.265 Main, because this browser does not take"),
        ("reordered", 6, "h265", "H.264", "with B-frames, because the main stream has B-frames"),
        ("front", 1, "h26[45]", "VP8", "because this browser does not take the main stream's H.264"),
    ],
)
def test_it_plays_and_the_page_says_why(
    new_page: Callable[..., Viewer],
    transcoding: CamgateProcess,
    camera: str,
    number: int,
    without: str,
    codec: str,
    why: str,
) -> None:
    viewer = new_page(without).open(f"/camera/{camera}")
    assert viewer.assert_plays().camera == number
    words = viewer.page.locator("#codec")
    expect(words).to_contain_text(f"{codec}, transcoded from ")
    expect(words).to_contain_text(why)
    expect(words).to_contain_text("in software")
    (made,) = transcoding.camera(camera)["transcoders"]
    assert (made["codec"], made["viewers"], made["restarts"]) == (codec.replace(".", ""), 1, 0)
    viewer.page.goto("about:blank")
    viewer.eventually(lambda: transcoding.camera(camera)["transcoders"] == [], "no transcoder without viewers")


def test_viewers_stay_while_the_worker_is_killed_and_one_too_many_is_told(
    new_page: Callable[..., Viewer], transcoding: CamgateProcess
) -> None:
    newer, reordered = new_page().open("/camera/newer"), new_page().open("/camera/reordered")
    newer.assert_plays()
    reordered.assert_plays()
    passed_through = new_page().open("/camera/front")
    passed_through.assert_plays()
    refused = new_page("h26[45]").open("/camera/front")
    refused.wait_words("The server is at its limit", "as many other pictures")
    for pid in transcoding.workers():
        os.kill(pid, signal.SIGKILL)

    def restarts() -> list[int]:
        return [made["restarts"] for made in transcoding.camera("newer")["transcoders"]]

    newer.eventually(lambda: restarts() == [1], "a second worker")
    newer.assert_plays()
    reordered.assert_plays()
    assert (newer.offers, reordered.offers) == (1, 1)
    # Who watches another camera notices none of this.
    passed_through.assert_plays()
    assert passed_through.inbound_video()["packetsLost"] == 0
    assert "was ended by SIGKILL" in newer.page.locator("#codec").inner_text()
    newer.page.close()
    refused.page.get_by_role("button", name="Try now").click()
    refused.assert_plays()


def test_aac_is_heard(new_page: Callable[..., Viewer], transcoding: CamgateProcess) -> None:
    viewer = new_page().open("/camera/newer")
    viewer.assert_plays()
    audio = transcoding.camera("newer")["audio"]
    assert (audio["codec"], audio["made_into"]) == ("MPEG4-GENERIC", "OPUS")
    expect(viewer.page.locator("#sound")).to_have_text("AAC, made into Opus for browsers")
    viewer.page.get_by_role("button", name="Sound on").click()
    viewer.eventually(lambda: (viewer.page.evaluate(HEARD) or [0])[0] > 0.01, "sound with energy in it")
    before = viewer.page.evaluate(HEARD)

    def is_tone() -> bool:
        nonlocal before
        viewer.page.wait_for_timeout(1_000)
        after = viewer.page.evaluate(HEARD)
        energy, guessed, samples = (later - earlier for later, earlier in zip(after, before, strict=True))
        before = after
        return energy > 0 and guessed < 0.2 * samples

    # A busy machine plays it with gaps now and then.
    viewer.eventually(is_tone, "a second of a tone that is not made up of the browser's guesses")
