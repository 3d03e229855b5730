"""The modules behind the pages that need no camera: figures, waiting times, addresses."""

import pytest
from playwright.sync_api import Page

from camgate.wire.ice.servers import IceServer, link_values

STATS = """
async (samples) => {
  const { StatsWindow } = await import("/static/stats.js");
  const stats = new StatsWindow();
  return samples.map((sample) => stats.receive(new Map([["in", { type: "inbound-rtp", kind: "video", ...sample }]])));
}
"""
WAITS = """
async () => {
  const { Backoff } = await import("/static/backoff.js");
  const backoff = new Backoff();
  const waits = Array.from({ length: 12 }, () => backoff.next());
  backoff.reset();
  return [...waits, backoff.next()];
}
"""
LINKS = """
async (header) => (await import("/static/ice.js")).readLinks(header)
"""
NAMES = """
async (paths) => {
  const { cameraAddress, cameraOfThisPage, whepAddress } = await import("/static/addresses.js");
  // Else it would be looked for wherever the page says that it is: its address is relative.
  const icon = document.querySelector("link[rel=icon]");
  icon.href = icon.href;
  const names = paths.map((path) => { history.replaceState(null, "", path); return cameraOfThisPage(); });
  return { names, pages: names.map(cameraAddress), whep: names.map(whepAddress) };
}
"""
PLAYER_STATES = """
async (steps) => {
  const { Player } = await import("/static/player.js");
  const { Cameras } = await import("/static/cameras.js");
  const player = new Player("front", document.createElement("video"), new Cameras());
  return steps.map((step) => { player[step](); return player.state; });
}
"""


def sample(second: float, received: int) -> dict[str, object]:
    """A report of a stream that came at 25 frames and 100 packets a second until `received` seconds."""
    return {
        "timestamp": second * 1000,
        "packetsReceived": 100 * received,
        "bytesReceived": 100_000 * received,
        "framesDecoded": 25 * received,
        "packetsLost": received,
        "totalProcessingDelay": 25 * received * 0.02,
        "jitter": 0.004,
    }


def test_figures_are_rates_over_two_seconds(modules: Page) -> None:
    figures = modules.evaluate(STATS, [sample(t, t) for t in range(10)])[-1]
    assert figures["bitsPerSecond"] == pytest.approx(800_000)
    assert figures["framesPerSecond"] == pytest.approx(25)
    assert figures["packetsPerSecond"] == pytest.approx(100)
    assert figures["lossShare"] == pytest.approx(1 / 101)
    assert figures["delayMs"] == pytest.approx(20)
    assert figures["jitterMs"] == pytest.approx(4)
    assert (figures["packets"], figures["packetsLost"]) == (900, 9)


def test_figures_fall_to_zero_when_nothing_comes(modules: Page) -> None:
    samples = [sample(t, min(t, 5)) for t in range(10)]
    figures = modules.evaluate(STATS, samples)
    assert figures[5]["bitsPerSecond"] > 0
    for late in figures[7:]:
        assert late["bitsPerSecond"] == late["framesPerSecond"] == late["lossShare"] == late["jitterMs"] == 0
        assert late["delayMs"] is None
        assert late["packets"] == 500


def test_packets_found_again_are_no_negative_loss(modules: Page) -> None:
    lost = [sample(0, 0) | {"packetsLost": 9}, sample(1, 1) | {"packetsLost": 2}]
    assert modules.evaluate(STATS, lost)[-1]["lossShare"] == 0


def test_waiting_times_double_up_to_a_limit_and_begin_anew(modules: Page) -> None:
    *waits, after_reset = modules.evaluate(WAITS)
    for attempt, wait in enumerate(waits):
        longest = min(500 * 2**attempt, 15_000)
        assert longest / 2 <= wait <= longest
    assert 250 <= after_reset <= 500


def test_a_player_that_is_asleep_only_remembers_what_is_wanted(modules: Page) -> None:
    states = modules.evaluate(PLAYER_STATES, ["sleep", "start", "wake", "stop", "wake"])
    assert states == ["idle", "idle", "connecting", "idle", "idle"]


@pytest.mark.parametrize(
    ("header", "servers"),
    [
        ("", []),
        ('<https://a.example/>; rel="next"', []),
        ('<stun:a.example>; rel="ice-server"', [{"urls": ["stun:a.example"], "maxAgeS": 0}]),
        (
            '<turn:a.example?transport=udp>; rel="ice-server"; username="5:an,na"; credential="c\\"d;e\\\\"; '
            'credential-type="password"; max-age=60, <stun:b.example>;rel=ice-server',
            [
                {
                    "urls": ["turn:a.example?transport=udp"],
                    "username": "5:an,na",
                    "credential": 'c"d;e\\',
                    "maxAgeS": 60,
                },
                {"urls": ["stun:b.example"], "maxAgeS": 0},
            ],
        ),
    ],
)
def test_link_headers_are_read_as_written(modules: Page, header: str, servers: list[dict[str, object]]) -> None:
    assert modules.evaluate(LINKS, header) == servers


def test_the_links_that_camgate_writes_are_read(modules: Page) -> None:
    server = IceServer(("turn:a.example", "turns:b.example"), 'us"er\\', "c,r;e d", 90)
    login = {"username": server.username, "credential": server.credential, "maxAgeS": 90}
    read = modules.evaluate(LINKS, ", ".join(link_values(server)))
    assert read == [{"urls": [url], **login} for url in server.urls]


def test_a_pages_camera_is_called_as_the_server_calls_it(modules: Page) -> None:
    was = modules.evaluate("location.pathname")
    found = modules.evaluate(NAMES, ["/camera/K%C3%BCche%20hinten", "/embed/Ku%CC%88che%20hinten"])
    modules.evaluate("(path) => history.replaceState(null, '', path)", was)
    assert found["names"] == ["K\u00fcche hinten"] * 2
    for address in (*found["pages"], *found["whep"]):
        assert address.endswith("/K%C3%BCche%20hinten")
