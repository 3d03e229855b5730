"""Joins that are not as usual: a camera whose key frames are far apart, and sequence numbers that wrap."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.processes import CamgateProcess, ClipCameraProcess
from tests.browser.viewer import Viewer
from tests.fakes.near_wrap import PACKETS_BEFORE

MBIT, GOP_S = 16.0, 5.0
"""A group of pictures of 10 MB: the cache holds the first 4 MiB of it, so the last three seconds of each have none."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CamgateProcess]:
    camera = ClipCameraProcess(mbit=MBIT, gop_s=GOP_S)
    camera.start()
    server = CamgateProcess(
        tmp_path_factory.mktemp("joins"), {"big": {"url": camera.url}}, module="tests.fakes.near_wrap"
    )
    server.start()
    server.wait_live("big")
    yield server
    server.kill()
    camera.stop()


def play_through_the_wrap(viewer: Viewer) -> None:
    """Pictures come on, none is lost, until twice the packets have come that are before the wrap."""
    enough = 2 * PACKETS_BEFORE
    viewer.eventually(lambda: viewer.inbound_video()["packetsReceived"] > enough, f"{enough} packets")
    viewer.eventually(lambda: frames_to_decode(viewer) < 10, "all of them are decoded")
    assert viewer.inbound_video()["pliCount"] == 0
    assert viewer.read_blocks() is not None


def frames_to_decode(viewer: Viewer) -> int:
    figures = viewer.inbound_video()
    return int(figures["framesReceived"] - figures["framesDecoded"] - figures["framesDropped"])


def test_pictures_come_on_when_sequence_numbers_wrap(
    context: BrowserContext, viewer: Viewer, server: CamgateProcess
) -> None:
    viewer.eventually(lambda: server.camera("big")["cache_frames"] > 0, "pictures to begin with")
    viewer.open("/camera/big").wait_blocks()
    second = Viewer(context.new_page(), server.url).open("/camera/big")
    second.wait_blocks()
    play_through_the_wrap(viewer)
    play_through_the_wrap(second)
    assert second.complaints == []


def test_the_page_says_that_it_waits_for_a_key_frame(viewer: Viewer, server: CamgateProcess) -> None:
    # The first group of a session is shorter: who joins this camera gets what is past of it at once.
    viewer.eventually(lambda: round(server.camera("big")["gop_s"] or 0) == GOP_S, "two key frames of one session")
    viewer.open("/camera/big").page.get_by_role("button", name="Disconnect").click()
    # Not at the end of one, when the picture would come before the words.
    viewer.eventually(lambda: server.camera("big")["cache_frames"] > 0, "a new group of pictures")
    viewer.eventually(lambda: server.camera("big")["cache_frames"] == 0, "a group of pictures that is not kept")
    viewer.page.get_by_role("button", name="Connect", exact=True).click()
    words = viewer.wait_words("Waiting for the camera's next key frame")
    assert "one every 5 s" in words
    viewer.wait_blocks()
    viewer.eventually(lambda: viewer.words().strip() == "", "no words over the picture")
    assert "too far apart" in viewer.page.locator("#key-frames").inner_text()
