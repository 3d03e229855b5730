"""How far apart Chromium plays sound and picture, by the `estimatedPlayoutTimestamp` of both tracks.

Prints a line for each codec, a figure each two seconds; negative is sound behind the picture. A busy machine makes
Chromium's sound late by itself: run it alone.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, CHROMIUM_COMMAND
from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.test_sound import inbound
from tests.browser.viewer import Viewer

CODECS = ("pcma", "g722", "opus")
LOOKS, LOOK_MS = 8, 2_000


def main() -> None:
    cameras = {codec: CameraProcess(number, f"--audio={codec}") for number, codec in enumerate(CODECS)}
    for camera in cameras.values():
        camera.start()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = CamgateProcess(Path(folder), {name: {"url": camera.url} for name, camera in cameras.items()})
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM_COMMAND, args=CHROMIUM_ARGUMENTS)
        try:
            server.wait_live(*CODECS)
            for codec in CODECS:
                viewer = Viewer(browser.new_page(), server.url)
                viewer.open(f"/camera/{codec}").wait_blocks()
                viewer.page.get_by_role("button", name="Sound on").click()
                print(codec, *(f"{skew_ms(viewer):.0f}" for _ in range(LOOKS)), "ms", flush=True)
                viewer.page.close()
        finally:
            browser.close()
            server.kill()
            for camera in cameras.values():
                camera.kill()


def skew_ms(viewer: Viewer) -> float:
    viewer.page.wait_for_timeout(LOOK_MS)
    found = inbound(viewer)
    times = [found[kind].get("estimatedPlayoutTimestamp") for kind in ("sound", "video")]
    return times[0] - times[1] if all(times) else float("nan")


if __name__ == "__main__":
    main()
