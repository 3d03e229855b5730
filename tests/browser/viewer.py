"""What a test can ask of a page: the counter in its picture, its figures, its words, and what went wrong in it.

The picture is read from the video element through a canvas, so a number proves that this very picture was decoded
and presented; `camgate.demo.blocks` describes the pattern.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from playwright.sync_api import ConsoleMessage, Locator, Page, Response

from tests.browser.processes import FPS

T = TypeVar("T")

PATIENCE_S = 30.0
"""For what takes well under a second on a quiet machine."""
PATH_TIMEOUT_MS = 10_000
"""How long a page waits for a path from the answer on."""
LIVE_MS = 400
CLOCK_WRAP_MS = 1 << 32
MOST_BEHIND = 250
"""So many pictures may a camera's counter be behind its clock; one that starts anew is in time."""

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
    """One page of a browser, watched: requests for sessions are counted, complaints are kept.

    refusals: answers that there is no picture at present.
    """

    def __init__(self, page: Page, server_url: str) -> None:
        self.page = page
        self._server_url = server_url
        self.offers = 0
        self.refusals: list[Response] = []
        self.complaints: list[str] = []
        page.add_init_script(SETUP_SCRIPT)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A busy machine may not make a still in time, and says so; live pictures come nevertheless.
        is_late_still = "/snapshot.jpg" in message.location["url"] and "503" in message.text
        if message.type in ("error", "warning") and not is_late_still:
            self.complaints.append(message.text)

    def _on_request(self, request: Any) -> None:
        if request.method == "POST" and "/whep/" in request.url:
            self.offers += 1

    def _on_response(self, response: Response) -> None:
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE and "/whep/" in response.url:
            self.refusals.append(response)

    def wait_refused(self) -> float:
        """Returns what the last refusal gives as the time, in seconds, after which to ask again."""
        self.eventually(lambda: self.refusals, "a refusal")
        return float(self.refusals[-1].headers["retry-after"])

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
        """Pictures come live: after one has been seen, one is shown that was drawn still later, by the same camera.

        So it is none of those that a new viewer gets at once. The counter rises as its clock makes likely.
        """
        first = self.wait_blocks(camera)
        seen_ms = time.time() * 1000

        def later() -> Blocks | None:
            blocks = self.read_blocks(camera)
            drawn_after_ms = 0.0 if blocks is None else (blocks.time_ms - seen_ms) % CLOCK_WRAP_MS
            return blocks if LIVE_MS <= drawn_after_ms < CLOCK_WRAP_MS / 2 else None

        second = self.eventually(later, f"a picture drawn {LIVE_MS} ms after {first} was seen")
        elapsed_s = (second.time_ms - first.time_ms) % CLOCK_WRAP_MS / 1000
        assert second.camera == first.camera
        # A busy camera takes pictures late, and makes up for at most a second of them.
        assert first.frame < second.frame <= first.frame + FPS * elapsed_s + MOST_BEHIND, (first, second)
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

    def without_clock(self) -> "Viewer":
        """Let no time pass in the page, nor in others of its context, but by `page.clock.fast_forward`."""
        self.page.clock.install()
        self.page.clock.pause_at(time.time() + 10)
        return self

    def assert_asks_after(self, wait_s: float) -> None:
        """The next offer comes when so much of the page's time has passed, and not before. Its clock stands still."""
        offers = self.offers
        self.assert_asks_no_more(wait_s - 1)
        self.page.clock.fast_forward(2_000)
        self.eventually(lambda: self.offers > offers, "it asks again")

    def assert_asks_no_more(self, while_s: float) -> None:
        """No offer comes while so much of the page's time passes at once."""
        offers = self.offers
        self.page.clock.fast_forward(1000 * while_s)
        # Requests are heard of in their order.
        self.page.evaluate("async () => (await fetch('/healthz')).status")
        assert self.offers == offers, "it asks too early"

    def wait_answer(self) -> None:
        """Returns once the page's only player has the server's answer."""
        has_answer = "Boolean(camgate.peerConnections()[0]?.remoteDescription)"
        self.eventually(lambda: self.page.evaluate(has_answer), "an answer")

    def stop_clock(self) -> None:
        """Let no time pass in the page but by `page.clock.fast_forward`; `page.clock.install` must have been called."""
        # Not to the present, which would be past when the page hears of it.
        self.page.clock.pause_at(self.page.evaluate("Date.now()") / 1000 + 10)

    def forgive(self, *parts: str) -> None:
        """Complaints that this test provokes, such as the browser's own line for an answer 503."""
        self.complaints = [line for line in self.complaints if not any(part in line for part in parts)]
