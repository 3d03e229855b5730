"""Debian's Firefox has no H.264 of its own: it sees cameras in VP8, made for it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.firefox import Firefox
from tests.browser.processes import CamgateProcess
from tests.browser.viewer import PATIENCE_S, READ_BLOCKS
from tests.fakes.tools import FIREFOX, require_tool


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    require_tool(FIREFOX)
    folder = tmp_path / "profile"
    folder.mkdir()
    with Firefox(folder) as browser:
        yield browser


def read_blocks(firefox: Firefox) -> dict[str, int]:
    deadline = time.monotonic() + PATIENCE_S
    seen: Any = None
    while not seen:
        assert time.monotonic() < deadline, firefox.evaluate("document.querySelector('.words').innerText")
        seen = firefox.evaluate(f"({READ_BLOCKS})(document.querySelector('video'))")
    return dict(seen)


def test_firefox_without_h264_sees_the_camera_live(firefox: Firefox, server: CamgateProcess) -> None:
    server.wait_unwatched()  # by pages of other tests
    firefox.open(f"{server.url}/camera/front")
    first = read_blocks(firefox)
    time.sleep(1)
    second = read_blocks(firefox)
    assert (first["camera"], second["camera"]) == (1, 1)
    assert 10 <= second["frame"] - first["frame"] <= 250
    age_ms = (int(1000 * time.time()) - second["timeMs"]) % 2**32
    assert age_ms < 5_000, "an old picture"
    facts = server.camera("front")
    assert [(sent["codec"], sent["way"]) for sent in facts["sent"]] == [("VP8", "transcoded")]
    assert facts["transcoders"][0]["encoder"] == "libvpx"
