"""Media over UDP: through networks that lose and reorder, from cameras that say little, against forgers."""

import socket
import struct
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from camgate.config.model import Transport
from camgate.ingest.arrivals import Arrivals
from camgate.ingest.errors import CameraHungUp, NoTransportWorks, NoUdpPorts, UdpSilent
from camgate.ingest.intake import open_intake
from camgate.ingest.session import REPORT_INTERVAL_S
from camgate.ingest.supervisor import run_camera
from camgate.ingest.transports import Transports
from camgate.ingest.udp import BIND_TRIES, SILENCE_S, Packets, UdpMedia, _warn_small
from camgate.relay.source import CameraState, Source
from camgate.wire.rtp.rtcp import ReceiverReport, parse_rtcp_untrusted
from camgate.wire.rtsp.headers import Transport as TransportHeader
from tests.fakes.camera import GOP_FRAMES, FakeCamera
from tests.fakes.network import Impairment
from tests.fakes.sessions import Sink, error_of, play, play_for, serving, settings
from tests.fakes.udp import FakeUdp

UDP = Transport.UDP


def udp_camera(impairment: Impairment | None = None, *, host: str = "127.0.0.1") -> FakeCamera:
    camera = FakeCamera()
    camera.udp = FakeUdp(impairment, host=host)
    return camera


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_pictures_come_over_udp(host: str, autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = udp_camera(host=host), Sink()
    assert camera.udp is not None
    async with serving(camera):
        await play_for(camera, 4.0, sink=sink, transport=UDP)
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert 95 <= len(sink.frames) <= 101
    assert [frame.is_key for frame in sink.frames[: GOP_FRAMES + 1]] == [True] + [False] * (GOP_FRAMES - 1) + [True]
    rtp_port, rtcp_port = camera.udp.clients
    assert rtp_port % 2 == 0
    assert rtcp_port == rtp_port + 1
    camera.udp.close()


async def test_sound_has_ports_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = udp_camera(), Sink()
    camera.audio = "PCMA/8000"
    async with serving(camera):
        await play_for(camera, 2.0, sink=sink, transport=UDP)
    assert camera.udp is not None
    assert len(set(camera.udp.clients)) == 4
    assert len(sink.frames) >= 48
    assert len(sink.audio_frames) >= 48
    camera.udp.close()


async def test_a_network_that_reorders_and_duplicates_costs_no_picture(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera, sink = udp_camera(Impairment(reorder=0.2, reorder_s=0.09, duplicate=0.1)), Sink()
    async with serving(camera):
        await play_for(camera, 20.0, sink=sink, transport=UDP)
    assert camera.udp is not None
    assert camera.udp.cable.link.counts.reordered > 80
    reception = sink.reception()
    assert reception.transport == "udp"
    assert reception.packets_lost == 0
    assert reception.packets_reordered > 40
    assert reception.packets_late > 40
    assert len(sink.frames) >= 490
    assert sum(frame.is_key for frame in sink.frames) == 20
    camera.udp.close()


async def test_a_network_that_loses_costs_pictures_up_to_the_next_key_frame_and_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera, sink = udp_camera(Impairment(loss=0.005, reorder=0.05)), Sink()
    async with serving(camera):
        await play_for(camera, 60.0, sink=sink, transport=UDP)
    assert camera.udp is not None
    counts = camera.udp.cable.link.counts
    assert counts.lost >= 5
    assert sink.reception().packets_lost == counts.lost
    assert len(sink.frames) >= 1500 - (counts.lost + 1) * GOP_FRAMES
    camera.udp.close()


async def test_the_way_is_opened_and_reports_go_to_the_cameras_port(autojump_clock: trio.testing.MockClock) -> None:
    camera = udp_camera()
    assert camera.udp is not None
    async with serving(camera):
        await play_for(camera, 4 * REPORT_INTERVAL_S + 1, transport=UDP)
    got = camera.udp.receive()
    punches = [packet for channel, packet in got if channel == 0]
    assert [len(packet) for packet in punches] == [12]
    empty, *reports = (parse_rtcp_untrusted(packet)[0] for channel, packet in got if channel == 1)
    assert isinstance(empty, ReceiverReport)
    assert not empty.reports
    assert len(reports) == 4
    assert all(isinstance(report, ReceiverReport) and len(report.reports) == 1 for report in reports)
    camera.udp.close()


async def test_the_session_is_kept_alive_over_tcp(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = udp_camera(), Sink()
    async with serving(camera):
        await play_for(camera, 130.0, sink=sink, transport=UDP)
    assert camera.methods.count("GET_PARAMETER") >= 2
    assert camera.udp is not None
    camera.udp.close()


@pytest.mark.parametrize(
    "answer",
    [
        "RTP/AVP;unicast;client_port={client}",
        "RTP/AVP;unicast;client_port={client};server_port=0-1",
        "RTP/AVP/UDP;unicast;client_port={client};source=camera.local;server_port={server};ssrc= d6d6627",
        "",
    ],
)
async def test_answers_that_say_little(answer: str, autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = udp_camera(), Sink()
    assert camera.udp is not None
    camera.udp.answer = answer
    async with serving(camera):
        await play_for(camera, REPORT_INTERVAL_S + 1, sink=sink, transport=UDP)
    assert len(sink.frames) > 140
    camera.udp.close()


async def test_a_camera_that_names_no_port_is_reported_to_beside_where_it_sends_from(
    autojump_clock: trio.testing.MockClock,
) -> None:
    media, theirs = UdpMedia(socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", 554)), open_pair()
    arrivals = Arrivals()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrivals.run)
        ((rtp_port, _),) = media.open([None], arrivals, lambda packets, now: None)
        media.set_up(0, TransportHeader(protocol="RTP/AVP"))
        media.send_report(1, b"nobody to be told")
        theirs[0].sendto(rtp(1), ("127.0.0.1", rtp_port))
        await trio.sleep(0.1)
        media.send_report(1, b"report")
        assert theirs[1].recv(100) == b"report"
        nursery.cancel_scope.cancel()
    media.close()
    for port in theirs:
        port.close()


def open_pair() -> tuple[socket.socket, socket.socket]:
    pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for _ in range(BIND_TRIES):
        pair[0].bind(("127.0.0.1", 0))
        port = pair[0].getsockname()[1]
        try:
            pair[1].bind(("127.0.0.1", port + 1))
        except OSError:
            pair[0].close()
            pair[0] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        else:
            break
    pair[1].setblocking(False)
    return pair[0], pair[1]


def rtp(sequence: int, ssrc: int = 1) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence, 0, ssrc) + b"\x41"


async def test_packets_from_another_address_are_dropped_while_the_picture_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera, sink = udp_camera(), Sink()
    udp = camera.udp
    assert udp is not None
    async with serving(camera), trio.open_nursery() as nursery:
        nursery.start_soon(lambda: play_for(camera, 10.0, sink=sink, transport=UDP))
        for _ in range(400):
            await trio.sleep(0.02)
            if udp.clients and sink.frames:
                # What would replace the picture: the camera's own source and time, next numbers.
                for sequence in range(60_000, 60_010):
                    udp.forge(rtp(sequence, 0xCA3E7A), source="127.0.0.2")
    assert len(sink.frames) >= 245
    assert sink.reception().packets_foreign > 3000
    udp.close()


class Scene:
    """A `UdpMedia` with one track, and who sends to it."""

    def __init__(self) -> None:
        self.media = UdpMedia(socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", 554))
        self.packets: Packets = []
        self.arrivals = Arrivals()
        self.camera = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.camera.bind(("127.0.0.1", 0))
        self.ports: tuple[int, int] = (0, 0)

    def take(self, packets: Packets, now: float) -> None:
        self.packets += packets

    def send(self, *packets: bytes, port: int = 0) -> None:
        for packet in packets:
            self.camera.sendto(packet, ("127.0.0.1", self.ports[port]))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.arrivals.run)
        scene.ports = scene.media.open([None], scene.arrivals, scene.take)[0]
        yield scene
        nursery.cancel_scope.cancel()
    scene.media.close()
    scene.camera.close()


async def test_foreign_packets_are_counted(scene: Scene, autojump_clock: trio.testing.MockClock) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        for port in scene.ports:
            other.sendto(rtp(1), ("127.0.0.1", port))
    scene.send(rtp(7), rtp(8))
    scene.send(b"rtcp", port=1)
    await trio.sleep(0.1)
    assert sorted(scene.packets) == [(0, rtp(7)), (0, rtp(8)), (1, b"rtcp")]
    statistics = scene.media.statistics()
    assert (statistics.foreign, statistics.packets) == (2, 2)


async def test_a_source_that_the_camera_names_is_taken_from(
    scene: Scene, autojump_clock: trio.testing.MockClock
) -> None:
    scene.media.set_up(0, TransportHeader(protocol="RTP/AVP", source="127.0.0.2"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        other.sendto(rtp(1), ("127.0.0.1", scene.ports[0]))
    await trio.sleep(0.1)
    assert scene.packets == [(0, rtp(1))]


async def test_what_waits_behind_a_gap_is_given_when_the_gap_is_given_up(
    scene: Scene, autojump_clock: trio.testing.MockClock
) -> None:
    scene.send(rtp(1), rtp(3))
    await trio.sleep(0.1)
    assert scene.media.is_holding
    assert scene.media.handle_deadline(scene.media.next_deadline()) == [(0, rtp(3))]
    assert not scene.media.is_holding
    assert scene.media.statistics().lost == 1


async def test_large_datagrams_come_whole(scene: Scene, autojump_clock: trio.testing.MockClock) -> None:
    scene.send(rtp(1) + bytes(60_000))
    await trio.sleep(0.1)
    assert scene.packets == [(0, rtp(1) + bytes(60_000))]


async def test_more_datagrams_than_a_turn_takes_all_come(scene: Scene, autojump_clock: trio.testing.MockClock) -> None:
    scene.send(*(rtp(sequence) for sequence in range(400)))
    await trio.sleep(0.1)
    assert len(scene.packets) == 400


async def test_silence_is_said_where_only_udp_may_be_used(autojump_clock: trio.testing.MockClock) -> None:
    camera = udp_camera()
    assert camera.udp is not None
    camera.udp.is_silent = True
    error = await error_of(camera, transport=UDP)
    assert isinstance(error, UdpSilent)
    assert "no UDP packet came within 3 s: let UDP from it through the firewall" in str(error)
    assert camera.methods[-1] == "TEARDOWN"
    assert SILENCE_S <= trio.current_time() <= SILENCE_S + 2
    camera.udp.close()


async def test_silence_turns_to_tcp_where_that_may_be(autojump_clock: trio.testing.MockClock) -> None:
    """Such as when the camera took UDP when it was last asked, and a firewall came since."""
    camera, sink, transports = udp_camera(), Sink(), Transports(Transport.AUTO)
    assert camera.udp is not None
    camera.udp.is_silent = True
    transports.current = UDP
    async with serving(camera):
        await play_for(camera, 10.0, sink=sink, transports=transports)
    assert len(sink.frames) > 150
    assert camera.methods[:9] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN", *camera.methods[:4]]
    assert transports.current is Transport.TCP
    camera.udp.close()


async def test_a_camera_that_refuses_tcp_is_asked_for_udp(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = udp_camera(), Sink()
    camera.refuses_tcp = True
    async with serving(camera):
        await play_for(camera, 3.0, sink=sink)
    assert camera.udp is not None
    assert len(sink.frames) > 45
    setups = [request.headers["transport"] for request in camera.requests if request.method == "SETUP"]
    assert [setup.partition(";")[0] for setup in setups] == ["RTP/AVP/TCP", "RTP/AVP"]
    assert len(camera.dialled) == 2
    camera.udp.close()


async def test_a_camera_that_refuses_both_is_said_to(autojump_clock: trio.testing.MockClock) -> None:
    camera = udp_camera()
    camera.answers["SETUP"] = 461
    error = await error_of(camera)
    assert isinstance(error, NoTransportWorks)
    assert str(error).startswith("over TCP: the camera answered 461")
    assert "; over UDP: the camera answered 461" in str(error)


async def test_losing_the_rtsp_connection_ends_the_session(autojump_clock: trio.testing.MockClock) -> None:
    camera = udp_camera()

    async def hang_up() -> None:
        await trio.sleep(2)
        camera.hang_up()

    async with serving(camera), trio.open_nursery() as nursery:
        nursery.start_soon(hang_up)
        with pytest.raises(CameraHungUp, match="closed the connection"):
            await play(camera, transport=UDP)
    assert camera.udp is not None
    camera.udp.close()


def test_no_ports_are_said() -> None:
    media = UdpMedia(socket.AF_INET, ("192.0.2.1", 0), ("192.0.2.7", 554))
    with pytest.raises(NoUdpPorts, match="no pair of UDP ports can be had on this machine: Cannot assign"):
        media.open([None], Arrivals(), lambda packets, now: None)


async def test_a_small_receive_buffer_is_told_once(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    told: list[int] = []
    monkeypatch.setattr("camgate.ingest.udp.RECEIVE_BUFFER_BYTES", 1 << 30)
    monkeypatch.setattr("camgate.ingest.udp.log.warning", lambda words, **fields: told.append(fields["bytes"]))
    _warn_small.cache_clear()
    arrivals = Arrivals()
    media = UdpMedia(socket.AF_INET, ("127.0.0.1", 0), ("127.0.0.1", 554))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrivals.run)
        media.open([None] * 3, arrivals, lambda packets, now: None)
        media.close()
        nursery.cancel_scope.cancel()
    _warn_small.cache_clear()
    assert len(told) == 1
    assert 0 < told[0] < 1 << 30


async def test_what_worked_is_asked_for_first_when_the_camera_returns(autojump_clock: trio.testing.MockClock) -> None:
    camera, source = udp_camera(), Source("front")
    assert camera.udp is not None
    camera.refuses_tcp = True
    async with serving(camera), open_intake(camera.dial, camera.udp.open_udp) as intake, trio.open_nursery() as nursery:
        nursery.start_soon(run_camera, settings(camera), source, intake)
        await trio.sleep(15)
        camera.hang_up()
        await trio.sleep(5)
        assert source.state is CameraState.LIVE
        assert source.statistics().transport == "udp"
        nursery.cancel_scope.cancel()
    setups = [request.headers["transport"] for request in camera.requests if request.method == "SETUP"]
    assert ["TCP" in setup for setup in setups] == [True, False, False]
    camera.udp.close()
