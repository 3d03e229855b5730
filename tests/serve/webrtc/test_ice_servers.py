"""Each viewer gets credentials of its own that end; what is configured for all is as it is written."""

from camgate.config.model import TurnSettings, WebRtcSettings
from camgate.serve.webrtc.ice_servers import IceServers
from camgate.wire.ice.servers import IceServer, turn_credentials

NOW_S = 1_700_000_000.9


def test_nobody_is_told_of_servers_that_are_not_there() -> None:
    servers = IceServers(WebRtcSettings())
    assert not servers.are_configured
    assert servers.for_viewer("anna") == ()


def test_credentials_are_made_for_each_and_anew_each_time() -> None:
    near = TurnSettings(urls=("turn:near.example",), secret="north", lifetime_s=600)
    now = [NOW_S]
    servers = IceServers(WebRtcSettings(turn={"near": near}), lambda: now[0])
    username, credential = turn_credentials("north", "anna", 1_700_000_600)
    assert servers.for_viewer("anna") == (IceServer(("turn:near.example",), username, credential, 600),)
    now[0] += 60
    assert servers.for_viewer("anna")[0].username == "1700000660:anna"
    assert servers.for_viewer("bert")[0].username == "1700000660:bert"


def test_all_servers_are_named_stun_first() -> None:
    far = TurnSettings(urls=("turns:far.example",), username="camgate", password="east")
    servers = IceServers(WebRtcSettings(stun=("stun:a.example", "stun:b.example"), turn={"far": far}))
    assert servers.are_configured
    assert servers.for_viewer("anna") == (
        IceServer(("stun:a.example", "stun:b.example")),
        IceServer(("turns:far.example",), "camgate", "east"),
    )


def test_credentials_end_with_the_right_to_view() -> None:
    near = TurnSettings(urls=("turn:near.example",), secret="north", lifetime_s=600)
    servers = IceServers(WebRtcSettings(turn={"near": near}), lambda: NOW_S)
    for until_s, lifetime_s in ((NOW_S + 60, 60), (NOW_S + 900, 600), (NOW_S - 5, 1), (None, 600)):
        (server,) = servers.for_viewer("anna", until_s)
        assert server.lifetime_s == lifetime_s
        assert server.username == f"{int(NOW_S + lifetime_s)}:anna"
