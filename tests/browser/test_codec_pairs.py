"""Chromium plays what cameras send: pictures whose counter rises, and the tone, whichever codecs they come in.

The other files hold Constrained Baseline with every sound that is passed on, and H.265 with AAC. In test-full every
pair is played.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.test_sound import assert_heard
from tests.browser.viewer import Viewer

VIDEOS = {
    "baseline": "--profile=constrained-baseline",
    "main": "--profile=main",
    "high": "--profile=high",
    "h265": "--codec=h265",
}
SOUNDS = ("none", "pcma", "opus", "aac")
EVERY = [(video, sound) for video in VIDEOS for sound in SOUNDS]
PAIRS = EVERY if os.environ.get("HYPOTHESIS_PROFILE") == "full" else [("main", "aac"), ("high", "opus")]


@pytest.fixture(params=PAIRS, ids="-".join)
def server_with(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CamgateProcess, bool]]:
    """camgate with a camera of one pair, and whether it has sound."""
    video, sound = request.param
    arguments = [VIDEOS[video], "--width=320", "--height=180"]
    camera = CameraProcess(7, *arguments, *([f"--audio={sound}"] if sound != "none" else []))
    camera.start()
    server = CamgateProcess(tmp_path_factory.mktemp("pair"), {"pair": {"url": camera.url}})
    server.start()
    server.wait_live("pair")
    yield server, sound != "none"
    server.kill()
    camera.kill()


def test_pictures_and_sound_are_played(context: BrowserContext, server_with: tuple[CamgateProcess, bool]) -> None:
    server, has_sound = server_with
    viewer = Viewer(context.new_page(), server.url).open("/camera/pair")
    assert viewer.assert_plays().camera == 7
    button = viewer.page.get_by_role("button", name="Sound on")
    assert button.is_visible() == has_sound
    if has_sound:
        button.click()
        assert_heard(viewer)
    assert viewer.complaints == []
