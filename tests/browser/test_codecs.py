"""Chromium on Linux takes no H.265: it gets the camera's sub-stream, or words, and the picture once there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import Viewer
from tests.fakes.tools import GST_RTSP_SERVER, require_tool

MAIN, SUB = 7, 8


@pytest.fixture
def cameras() -> Iterator[tuple[CameraProcess, CameraProcess]]:
    """A camera of H.265, and its sub-stream in H.264."""
    require_tool(GST_RTSP_SERVER)
    main, sub = CameraProcess(MAIN, codec="h265"), CameraProcess(SUB)
    main.start()
    sub.start()
    yield main, sub
    main.kill()
    sub.kill()


@pytest.fixture
def camgate(cameras: tuple[CameraProcess, CameraProcess], tmp_path: Path) -> Iterator[CamgateProcess]:
    main, sub = cameras
    server = CamgateProcess(tmp_path, {"lane": {"url": main.url, "sub.url": sub.url}, "gate": {"url": main.url}})
    server.append("[transcode]", "max_streams = 0")
    server.start()
    server.wait_live("lane", "gate")
    yield server
    server.kill()


def test_an_h265_camera_is_seen_by_its_sub_stream_or_told_of_in_words(
    context: BrowserContext, camgate: CamgateProcess, cameras: tuple[CameraProcess, CameraProcess]
) -> None:
    assert camgate.camera("lane")["sub"]["state"] == "idle"
    lane = Viewer(context.new_page(), camgate.url)
    lane.open("/camera/lane")
    assert lane.assert_plays().camera == SUB
    lane.eventually(lambda: "sub-stream" in lane.page.inner_text("#codec"), "the page says which stream it shows")
    facts = camgate.camera("lane")
    assert (facts["codec"], facts["sub"]["state"], facts["sub"]["codec"]) == ("H265", "live", "H264")
    assert [(sent["codec"], sent["way"], sent["viewers"]) for sent in facts["sent"]] == [("H264", "sub-stream", 1)]

    gate = Viewer(context.new_page(), camgate.url)
    gate.open("/camera/gate")
    words = gate.wait_words("No picture in this browser")
    assert "The camera sends H.265 Main, the browser takes" in words
    assert "set the camera to H.264" in words
    assert "[cameras.gate.sub]" in words
    # Somebody follows that advice: the page, which was told, shows pictures by itself.
    main, _ = cameras
    main.kill()
    main.codec = "h264"
    main.start()
    assert gate.assert_plays().camera == MAIN
    assert [sent["way"] for sent in camgate.camera("gate")["sent"]] == ["as-is"]
    # And back: pages that play are sent away, and told why there is nothing for them now.
    main.kill()
    main.codec = "h265"
    main.start()
    assert "The camera sends H.265 Main" in gate.wait_words("No picture in this browser")
    gate.eventually(lambda: camgate.camera("gate")["sent"] == [], "nothing is sent")
    gate.forgive("406")
    assert gate.complaints == []
