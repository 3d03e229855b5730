"""What keeps the picture close behind the camera, and what the page says of it."""

import time

from tests.browser.viewer import Viewer

LOOKS = 5
PICTURE_MS = 40
MOST_BUFFERED_S = 0.1
"""Ten times what a browser holds back on a clean network when nobody asks it to."""
RECEIVED = """
async () => {
  const connection = camgate.peerConnections()[0];
  const [receiver] = connection.getReceivers();
  const entries = [...(await connection.getStats()).values()];
  const find = (type) => entries.find((entry) => entry.type === type && entry.kind === "video");
  return {
    target: receiver.jitterBufferTarget,
    answer: connection.remoteDescription.sdp,
    inbound: find("inbound-rtp"),
    report: find("remote-outbound-rtp"),
  };
}
"""


def test_the_browser_holds_nothing_back(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    viewer.page.wait_for_timeout(3_000)
    seen = viewer.page.evaluate(RECEIVED)
    assert seen["target"] == 0
    assert "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" in seen["answer"]
    inbound = seen["inbound"]
    assert inbound["jitterBufferDelay"] / inbound["jitterBufferEmittedCount"] < MOST_BUFFERED_S


def test_sender_reports_tell_the_time(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    report = viewer.eventually(lambda: viewer.page.evaluate(RECEIVED)["report"], "a sender report")
    assert abs(report["remoteTimestamp"] / 1000 - time.time()) < 10
    assert report["packetsSent"] > 0


def test_the_delay_shown_is_a_part_of_the_pictures_age(viewer: Viewer) -> None:
    viewer.open("/camera/front").wait_blocks()
    viewer.eventually(lambda: viewer.figure("delay") > 0, "a figure")
    shown, ages = [], []
    for _ in range(LOOKS):
        drawn_ms = viewer.wait_blocks().time_ms
        ages.append((int(time.time() * 1000) - drawn_ms) % (1 << 32))
        shown.append(viewer.figure("delay"))
        viewer.page.wait_for_timeout(1_000)
    assert min(shown) > 0
    assert sorted(shown)[LOOKS // 2] <= max(ages) + PICTURE_MS, (shown, ages)
