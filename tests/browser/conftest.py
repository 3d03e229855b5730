"""One browser, one camgate and its cameras for all browser tests; a fresh page, closely watched, for each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import PATIENCE_S, Viewer
from tests.fakes.ports import free_port
from tests.fakes.tools import CHROMIUM, GST_RTSP_SERVER, require_tool

CHROMIUM_COMMAND = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # tests may run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    require_tool(CHROMIUM)
    expect.set_options(timeout=1000 * PATIENCE_S)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM_COMMAND, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def front_camera() -> Iterator[CameraProcess]:
    yield from run_camera(1)


@pytest.fixture(scope="package")
def yard_camera() -> Iterator[CameraProcess]:
    yield from run_camera(2)


def run_camera(number: int) -> Iterator[CameraProcess]:
    require_tool(GST_RTSP_SERVER)
    camera = CameraProcess(number)
    camera.start()
    yield camera
    camera.kill()


@pytest.fixture(scope="package")
def shared_server(
    front_camera: CameraProcess, yard_camera: CameraProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CamgateProcess]:
    cameras = {
        "front": {"url": front_camera.url, "title": "Front door"},
        "yard": {"url": yard_camera.url},
        "loading-dock": {"url": f"rtsp://127.0.0.1:{free_port()}/nobody", "title": "Loading dock"},
    }
    server = CamgateProcess(tmp_path_factory.mktemp("camgate"), cameras)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(shared_server: CamgateProcess) -> CamgateProcess:
    """camgate with the cameras front (1) and yard (2), both live, and loading-dock, which is never there."""
    shared_server.wait_live("front", "yard")
    return shared_server


@pytest.fixture(scope="module")
def modules(browser: Browser, shared_server: CamgateProcess) -> Iterator[Page]:
    """A page that plays nothing, for whoever only calls what the pages' modules hold."""
    context = browser.new_context()
    viewer = Viewer(context.new_page(), shared_server.url).open("/share")
    yield viewer.page
    context.close()
    assert viewer.complaints == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context
    for page in context.pages:
        # A request that is just being answered by the test ends with its page, and is no error of the next test.
        page.unroute_all(behavior="ignoreErrors")
    context.close()


@pytest.fixture
def new_viewer(context: BrowserContext, server: CamgateProcess) -> Iterator[Callable[[], Viewer]]:
    """Makes pages. When the test ends, none of them may have complained in its console."""
    viewers: list[Viewer] = []

    def make() -> Viewer:
        viewers.append(Viewer(context.new_page(), server.url))
        return viewers[-1]

    yield make
    for viewer in viewers:
        assert viewer.complaints == []


@pytest.fixture
def viewer(new_viewer: Callable[[], Viewer]) -> Viewer:
    return new_viewer()
