"""A camera that sends over UDP only plays in the browser like any other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer
from tests.fakes.tools import GST_RTSP_SERVER, require_tool

NUMBER = 9


@pytest.fixture
def camgate(tmp_path: Path) -> Iterator[CamgateProcess]:
    require_tool(GST_RTSP_SERVER)
    camera = CameraProcess(NUMBER, "--transports=udp")
    camera.start()
    server = CamgateProcess(tmp_path, {"mast": {"url": camera.url}})
    server.start()
    yield server
    server.kill()
    camera.kill()


def test_a_camera_over_udp_plays(context: BrowserContext, camgate: CamgateProcess) -> None:
    camgate.wait_live("mast")
    viewer = Viewer(context.new_page(), camgate.url)
    viewer.open("/camera/mast")
    assert viewer.assert_plays().camera == NUMBER
    assert camgate.camera("mast")["transport"] == "udp"
    viewer.eventually(
        lambda: viewer.page.inner_text("#transport") == "UDP", "the page says how the camera's media comes"
    )
