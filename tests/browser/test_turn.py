"""Viewers whose network lets them reach nothing but a TURN server: a real coturn, and Chromium that is held to it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from camgate.wire.ice.servers import turn_credentials
from tests.browser.conftest import CHROMIUM_ARGUMENTS, CHROMIUM_COMMAND
from tests.browser.processes import CameraProcess, CamgateProcess
from tests.browser.viewer import PATH_TIMEOUT_MS, Viewer
from tests.fakes.ports import free_port
from tests.fakes.turn import SECRET, Coturn

LOCAL = """
async () => {
  const report = await camgate.peerConnections()[0].getStats();
  const transport = [...report.values()].find((entry) => entry.type === "transport");
  const pair = report.get(transport.selectedCandidatePairId);
  const { candidateType, protocol, relayProtocol, url } = report.get(pair.localCandidateId);
  return { candidateType, protocol, relayProtocol, url };
}
"""
NOTE_REFUSAL = """
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...rest) {
    super(...rest);
    this.addEventListener("icecandidateerror", () => (globalThis.isRefused = true));
  }
};
"""
LONG_AGO = turn_credentials(SECRET, "viewer", 1_000_000_000)


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[Coturn]:
    server = Coturn(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


MakeServer = Callable[..., CamgateProcess]


@pytest.fixture
def make_server(front_camera: CameraProcess, coturn: Coturn, tmp_path: Path) -> Iterator[MakeServer]:
    """Makes a camgate whose viewers are told of coturn."""
    servers: list[CamgateProcess] = []

    def make(*login: str, transport: str = "udp") -> CamgateProcess:
        turn = f'[webrtc.turn.near]\nurls = ["turn:127.0.0.1:{coturn.port}?transport={transport}"]\n'
        more = turn + "".join(f"{line}\n" for line in login or [f'secret = "{SECRET}"'])
        server = CamgateProcess(tmp_path, {"front": {"url": front_camera.url}}, more=more)
        servers.append(server)
        server.start()
        server.wait_live("front")
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_picture_comes_by_way_of_the_turn_server(
    browser: Browser, make_server: MakeServer, coturn: Coturn, transport: str
) -> None:
    server = make_server(transport=transport)
    viewer = Viewer(browser.new_page(), server.url).open("/camera/front?ice=relay")
    viewer.assert_plays()
    local = viewer.page.evaluate(LOCAL)
    assert (local["candidateType"], local["relayProtocol"]) == ("relay", transport)
    assert local["url"] == f"turn:127.0.0.1:{coturn.port}?transport={transport}"
    way = rf"^UDP \S+:{server.webrtc_port} by TURN server 127.0.0.1:{coturn.port} over {transport.upper()}$"
    expect(viewer.page.locator("#path")).to_have_text(re.compile(way))
    expect(viewer.page.locator("#path-note")).to_contain_text("told to use TURN servers only")
    assert viewer.complaints == []
    viewer.page.close()


def test_a_browser_that_may_send_no_udp_reaches_the_turn_server_over_tcp(
    browser: Browser, make_server: MakeServer, coturn: Coturn
) -> None:
    server = make_server(transport="tcp")
    # The other spelling of this switch, with "force", does nothing.
    arguments = [*CHROMIUM_ARGUMENTS, "--webrtc-ip-handling-policy=disable_non_proxied_udp"]
    without_udp = browser.browser_type.launch(executable_path=CHROMIUM_COMMAND, args=arguments)
    try:
        viewer = Viewer(without_udp.new_page(), server.url)
        viewer.page.route("**/whep/**", keep_udp_candidates)
        viewer.open("/camera/front").assert_plays()
        local = viewer.page.evaluate(LOCAL)
        assert (local["candidateType"], local["relayProtocol"]) == ("relay", "tcp")
        expect(viewer.page.locator("#path-note")).to_contain_text(
            f"No UDP on port {server.webrtc_port}: playing over a TURN server"
        )
        assert viewer.complaints == []
    finally:
        without_udp.close()


def keep_udp_candidates(route: Route) -> None:
    """Leave out camgate's TCP candidates, by which such a browser would need no TURN server."""
    if route.request.method != "POST":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(response=answer, body=re.sub(r"a=candidate:\S+ 1 (?i:tcp) .*\r\n", "", answer.text()))


@pytest.mark.parametrize(
    "login",
    [
        ['secret = "south-wind"'],
        [f'username = "{LONG_AGO[0]}"', f'password = "{LONG_AGO[1]}"'],
    ],
    ids=["wrong", "expired"],
)
def test_a_login_that_the_turn_server_refuses_is_called_so(
    browser: Browser, make_server: MakeServer, coturn: Coturn, login: list[str]
) -> None:
    server = make_server(*login)
    viewer = Viewer(browser.new_page(), server.url)
    viewer.page.add_init_script(NOTE_REFUSAL)
    viewer.page.clock.install()
    viewer.open("/camera/front?ice=relay").wait_answer()
    viewer.eventually(lambda: viewer.page.evaluate("globalThis.isRefused"), "the TURN server's refusal")
    viewer.page.clock.fast_forward(PATH_TIMEOUT_MS)
    url = f"turn:127.0.0.1:{coturn.port}?transport=udp"
    words = viewer.wait_words("The TURN server does not help", url, "refuses the login", "both machines' clocks")
    assert login[0].split('"')[1] not in words
    viewer.page.close()


def test_a_turn_server_that_is_not_there_is_named(browser: Browser, make_server: MakeServer, coturn: Coturn) -> None:
    server = make_server()
    coturn.kill()
    viewer = Viewer(browser.new_page(), server.url)
    viewer.page.clock.install()
    viewer.open("/camera/front?ice=relay").wait_answer()
    viewer.page.clock.fast_forward(PATH_TIMEOUT_MS)
    viewer.wait_words("The TURN server does not help", "does not answer")
    viewer.page.close()


def test_without_servers_a_page_asks_for_none_and_with_them_once(
    browser: Browser, make_server: MakeServer, server: CamgateProcess
) -> None:
    plain, helped = server, make_server()
    for camgate, asked in ((plain, 0), (helped, 1)):
        viewer = Viewer(browser.new_page(), camgate.url)
        requests: list[str] = []
        viewer.page.on("request", lambda request, requests=requests: requests.append(request.method))
        viewer.open("/camera/front").assert_plays()
        for _ in range(2):
            viewer.page.get_by_role("button", name="Disconnect").click()
            viewer.page.get_by_role("button", name="Connect", exact=True).click()
            viewer.assert_plays()
        assert requests.count("OPTIONS") == asked, requests
        viewer.page.close()


def test_camgate_asks_the_same_server_by_stun_how_it_is_seen(browser: Browser, tmp_path: Path, coturn: Coturn) -> None:
    server = CamgateProcess(tmp_path, {"front": {"url": "rtsp://127.0.0.1:9/nobody"}})
    server.set_webrtc('advertise = ["stun"]', f'stun = ["stun:127.0.0.1:{coturn.port}"]')
    server.start()
    try:
        seen = f"STUN server sees our port server=stun:127.0.0.1:{coturn.port} address=127.0.0.1:{server.webrtc_port}"
        server.wait_log(seen)
    finally:
        server.kill()
