"""What a test can ask of a page: the counter in its picture, its figures, its words, and what went wrong in it.

The picture is read from the video element through a canvas, so a number proves that this very picture was decoded
and presented; `camgate.demo.blocks` describes the pattern.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from playwright.sync_api import ConsoleMessage, Locator, Page

T = TypeVar("T")

PATIENCE_S = 20.0
"""For what takes well under a second on a quiet machine."""

SETUP_SCRIPT = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""

READ_BLOCKS = """
async (video) => {
  const presented = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(true)));
  const tooLate = new Promise((resolve) => setTimeout(() => resolve(false), 3000));
  if (!await Promise.race([presented, tooLate])) return null;
  const cell = Math.floor(video.videoWidth / 40);
  const canvas = new OffscreenCanvas(35 * cell, 3 * cell);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const row = (index) => {
    const y = Math.floor((index + 0.5) * cell);
    const bits = Array.from({ length: 35 }, (_, i) => {
      return context.getImageData(Math.floor((i + 0.5) * cell), y, 1, 1).data[0] >= 128 ? 1 : 0;
    });
    const parity = bits.slice(2).reduce((sum, bit) => sum ^ bit, 0);
    if (bits[0] !== 1 || bits[1] !== 0 || parity) return null;
    return bits.slice(2, 34).reduce((number, bit) => number * 2 + bit, 0);
  };
  const [frame, timeMs, camera] = [row(0), row(1), row(2)];
  return frame === null || timeMs === null || camera === null ? null : { frame, timeMs, camera };
}
"""

INBOUND_VIDEO = """
async () => {
  const connection = camgate.peerConnections()[0];
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") return entry;
  }
}
"""

SELECTED_PAIR = """
async () => {
  const report = await camgate.peerConnections()[0].getStats();
  for (const entry of report.values()) {
    if (entry.type !== "transport") continue;
    const pair = report.get(entry.selectedCandidatePairId);
    return { state: pair.state, nominated: pair.nominated, remote: report.get(pair.remoteCandidateId) };
  }
}
"""


@dataclass(frozen=True, slots=True)
class Blocks:
    """One picture's counter: its number, Unix time of drawing (ms, modulo 2**32) and the camera's number."""

    frame: int
    time_ms: int
    camera: int


class Viewer:
    """One page of a browser, watched: requests for sessions are counted, complaints are kept."""

    def __init__(self, page: Page, server_url: str) -> None:
        self.page = page
        self._server_url = server_url
        self.offers = 0
        self.complaints: list[str] = []
        page.add_init_script(SETUP_SCRIPT)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_request(self, request: Any) -> None:
        if request.method == "POST" and "/whep/" in request.url:
            self.offers += 1

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._server_url

    def open(self, path: str) -> "Viewer":
        self.page.goto(self._server_url + path)
        return self

    def eventually(self, look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
        """Look again and again until there is something true to see; returns it."""
        deadline = time.monotonic() + patience_s
        while not (seen := look()):
            assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
            self.page.wait_for_timeout(50)  # time in which the page's events reach us
        return seen

    def video(self, camera: str | None = None) -> Locator:
        """The page's only video, or that of a tile on the wall."""
        return self.page.locator(f'[data-camera="{camera}"] video' if camera else "video")

    def read_blocks(self, camera: str | None = None) -> Blocks | None:
        """The counter of the next picture that is presented; None when none comes or it cannot be read."""
        seen = self.video(camera).evaluate(READ_BLOCKS)
        return Blocks(seen["frame"], seen["timeMs"], seen["camera"]) if seen else None

    def wait_blocks(self, camera: str | None = None) -> Blocks:
        return self.eventually(lambda: self.read_blocks(camera), "a picture whose counter can be read")

    def assert_plays(self, camera: str | None = None) -> Blocks:
        """Pictures follow each other: the counter rises by what the time between two looks makes likely."""
        first = self.wait_blocks(camera)
        self.page.wait_for_timeout(1_000)
        second = self.wait_blocks(camera)
        assert second.camera == first.camera
        assert 10 <= second.frame - first.frame <= 250, (first, second)
        return second

    def words(self) -> str:
        """Headline and explanation over the picture."""
        return self.page.locator(".words").inner_text()

    def wait_words(self, *parts: str, patience_s: float = PATIENCE_S) -> str:
        def look() -> str:
            words = self.words()
            return words if all(part in words for part in parts) else ""

        try:
            return self.eventually(look, f"{parts} among the words", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {self.words()!r}") from None

    def figure(self, name: str) -> float:
        """The raw value of a figure on a camera's page."""
        return float(self.page.locator(f"#{name}").get_attribute("value") or 0)

    def wait_element(self, name: str, *, present: bool) -> None:
        """Wait for the document's `fullscreenElement` or `pictureInPictureElement` to come or go.

        Not by Playwright's wait_for_function, whose second look breaks the page's security policy.
        """
        self.eventually(lambda: self.page.evaluate(f"document.{name} !== null") == present, f"{name}: {present}")

    def wait_state(self, *states: str) -> None:
        """The state of the page's only player, by its own account."""
        self.eventually(lambda: self.state() in states, f"state {states}, now {self.state()}")

    def state(self) -> str:
        return str(self.page.evaluate("camgate.players()[0].state"))

    def inbound_video(self) -> dict[str, Any]:
        """What getStats says of the video that comes in."""
        found: dict[str, Any] = self.page.evaluate(INBOUND_VIDEO)
        return found

    def selected_pair(self) -> dict[str, Any]:
        """The ICE candidate pair in use."""
        found: dict[str, Any] = self.page.evaluate(SELECTED_PAIR)
        return found

    def forgive(self, *parts: str) -> None:
        """Complaints that this test provokes, such as the browser's own line for an answer 503."""
        self.complaints = [line for line in self.complaints if not any(part in line for part in parts)]
