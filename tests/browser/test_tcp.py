"""Chromium whose network lets no UDP through: it plays by TCP, and by UDP where there is a choice."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import CHROMIUM_ARGUMENTS, CHROMIUM_COMMAND
from tests.browser.processes import CamgateProcess
from tests.browser.viewer import Viewer
from tests.fakes.tools import CHROMIUM, require_tool

NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"


@pytest.fixture
def browser_without_udp(browser: Browser) -> Iterator[Browser]:
    """A second browser by the same driver, which runs once."""
    require_tool(CHROMIUM)
    other = browser.browser_type.launch(executable_path=CHROMIUM_COMMAND, args=[*CHROMIUM_ARGUMENTS, NO_UDP])
    yield other
    other.close()


def test_without_udp_it_plays_by_tcp(browser_without_udp: Browser, server: CamgateProcess) -> None:
    viewer = Viewer(browser_without_udp.new_page(), server.url)
    viewer.open("/camera/front")
    first = viewer.assert_plays()
    pair = viewer.selected_pair()
    assert (pair["remote"]["protocol"], pair["remote"]["candidateType"]) == ("tcp", "host")
    assert pair["remote"]["port"] == server.webrtc_port
    assert viewer.assert_plays().frame > first.frame
    expect(viewer.page.locator("#path")).to_have_text(re.compile(rf"^TCP \S+:{server.webrtc_port}$"))
    expect(viewer.page.locator("#path-note")).to_contain_text(f"No UDP on port {server.webrtc_port}: playing over TCP.")
    assert viewer.complaints == []


def test_udp_goes_first(viewer: Viewer, server: CamgateProcess) -> None:
    viewer.open("/camera/front")
    viewer.assert_plays()
    # Where the machine is busy, TCP may be heard first; a browser changes to the better pair then.
    viewer.eventually(lambda: viewer.selected_pair()["remote"]["protocol"] == "udp", "UDP is the way in use")
