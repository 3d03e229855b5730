"""A real browser behind an impaired path: the paths, how it gets onto one, and what it saw there."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from playwright.sync_api import Page, Route

from tests.browser.viewer import Viewer
from tests.fakes.network import Impairment

DELAY_S = 0.02
_BOTTLENECK_BPS = 3_000_000
PATHS = {
    "clean": Impairment(delay_s=DELAY_S),
    "2 % lost": Impairment(loss=0.02, delay_s=DELAY_S),
    "5 % lost": Impairment(loss=0.05, delay_s=DELAY_S),
    "10 % lost": Impairment(loss=0.10, delay_s=DELAY_S),
    "reordered, duplicated": Impairment(reorder=0.05, duplicate=0.05, delay_s=DELAY_S),
    "100 ms jitter": Impairment(jitter_s=0.1, delay_s=DELAY_S),
    "3 Mbit/s, 250 ms queue": Impairment(rate_bps=_BOTTLENECK_BPS, queue_bytes=93_750, delay_s=DELAY_S),
    "3 Mbit/s, 100 ms queue": Impairment(rate_bps=_BOTTLENECK_BPS, queue_bytes=37_500, delay_s=DELAY_S),
}
"""Ways to the browser; the way back is the same without the bottleneck."""

# Records the moment of each picture that is presented, and of the first.
RECORD = """
() => {
  const shown = [];
  const begin = () => {
    const video = document.querySelector("video");
    if (!video) return requestAnimationFrame(begin);
    const present = (now) => { shown.push(now); video.requestVideoFrameCallback(present); };
    video.requestVideoFrameCallback(present);
  };
  addEventListener("DOMContentLoaded", begin);
  globalThis.shownAtMs = shown;
}
"""


class RelayProcess:
    """`tests.fakes.lossy_relay` before a UDP port of camgate's."""

    def __init__(self, to_port: int, path: Impairment, seed: int) -> None:
        back = asdict(path) | {"rate_bps": 0, "queue_bytes": 0}
        command = [sys.executable, "-m", "tests.fakes.lossy_relay", f"--to={to_port}", f"--seed={seed}"]
        ways = [f"--down={json.dumps(asdict(path))}", f"--up={json.dumps(back)}"]
        self._process = subprocess.Popen(
            [*command, *ways], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port: int = self._read()["port"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        message: dict[str, Any] = json.loads(self._process.stdout.readline())
        return message

    def counts(self) -> dict[str, dict[str, int]]:
        """What became of the datagrams so far, "down" (to the browser) and "up"."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        return self._read()

    def stop(self) -> None:
        self._process.communicate()


@contextmanager
def relay_before(to_port: int, path: Impairment, seed: int) -> Iterator[RelayProcess]:
    relay = RelayProcess(to_port, path, seed)
    try:
        yield relay
    finally:
        relay.stop()


def lead_through(page: Page, relay: RelayProcess) -> None:
    """Let the page believe that camgate is where the relay is; and note when pictures are shown."""

    def misdirect(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        body = re.sub(r"(a=candidate:\S+ 1 \S+ \d+ \S+) \d+", rf"\1 {relay.port}", answer.text())
        route.fulfill(response=answer, body=body)

    page.route("**/whep/**", misdirect)
    page.add_init_script(f"({RECORD})()")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a browser saw on a path; times in milliseconds.

    first_ms: from the page's beginning. gaps_ms: between pictures shown, up to the end of the watch. lost: datagrams
    of the way to the browser.
    """

    first_ms: float
    gaps_ms: list[float]
    stats: dict[str, Any]
    relay: dict[str, dict[str, int]]

    @property
    def longest_ms(self) -> float:
        return max(self.gaps_ms)

    @property
    def buffer_ms(self) -> float:
        """How long a picture waited in the browser's jitter buffer."""
        return 1000 * float(self.stats["jitterBufferDelay"]) / max(1, self.stats["jitterBufferEmittedCount"])

    def describe(self) -> str:
        stats, down = self.stats, self.relay["down"]
        return (
            f"first picture {self.first_ms:.0f} ms, {len(self.gaps_ms)} shown, {stats['freezeCount']} freezes "
            f"({1000 * stats['totalFreezesDuration']:.0f} ms), longest gap {self.longest_ms:.0f} ms, "
            f"{stats['nackCount']} NACKs, {stats['pliCount']} PLIs; "
            f"of {down['offered']} packets {down['lost']} lost, {down['overflowed']} did not fit"
        )


def watch(viewer: Viewer, address: str, relay: RelayProcess, watch_s: float) -> Seen:
    """Open a camera's page through a relay and watch for so long from its first picture on."""
    lead_through(viewer.page, relay)
    viewer.open(address)
    viewer.eventually(lambda: viewer.page.evaluate("shownAtMs.length"), "a first picture")
    viewer.page.wait_for_timeout(1000 * watch_s)
    shown_ms, now_ms = viewer.page.evaluate("[shownAtMs, performance.now()]")
    gaps_ms = [later - earlier for earlier, later in zip(shown_ms, [*shown_ms[1:], now_ms], strict=True)]
    return Seen(shown_ms[0], gaps_ms, viewer.inbound_video(), relay.counts())
