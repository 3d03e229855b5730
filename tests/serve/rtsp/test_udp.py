"""Media by UDP over real sockets on loopback: frames whole, reports heard, nobody else aimed at."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.rtsp.listener import open_udp, serve_rtsp
from camgate.serve.rtsp.service import RtspService
from camgate.serve.rtsp.udp import UdpPorts
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.rtp.rtcp import Bye, SenderReport, build_receiver_report, parse_rtcp_untrusted
from tests.fakes.camera import KEY_SLICE, PPS, SPS
from tests.fakes.frames import VIDEO_FORMAT

HOST = "127.0.0.1"
PATIENCE_S = 10
REPORT = build_receiver_report(1)


class UdpClient:
    """Sets up UDP in words and receives what comes."""

    def __init__(self, stream: trio.SocketStream, port: int) -> None:
        self._stream = stream
        self._url = f"rtsp://{HOST}:{port}/garden"
        self._cseq = 0
        self.rtp, self.rtcp = (trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.depacketizer = H264Depacketizer(payload_type=96)

    async def play(self, parameters: str = "") -> str:
        """Return the Transport header of the answer."""
        await self.rtp.bind((HOST, 0))
        await self.rtcp.bind((HOST, 0))
        ports = f"{self.rtp.getsockname()[1]}-{self.rtcp.getsockname()[1]}"
        answer = await self.request("SETUP", "/track0", f"Transport: RTP/AVP;unicast;{parameters}client_port={ports}")
        session = header(answer, "Session").partition(";")[0]
        assert (await self.request("PLAY", "", f"Session: {session}")).startswith("RTSP/1.0 200 OK")
        return header(answer, "Transport")

    async def request(self, method: str, control: str, line: str) -> str:
        self._cseq += 1
        request = f"{method} {self._url}{control} RTSP/1.0\r\nCSeq: {self._cseq}\r\n{line}\r\n\r\n"
        await self._stream.send_all(request.encode())
        return (await self._stream.receive_some()).decode()

    async def frames(self, count: int) -> list[Frame]:
        received: list[Frame] = []
        with trio.fail_after(PATIENCE_S):
            while len(received) < count:
                received += self.depacketizer.receive_packet_untrusted(await self.rtp.recv(2048), 0.0)
        return received

    async def reports(self) -> list[object]:
        with trio.fail_after(PATIENCE_S):
            return list(parse_rtcp_untrusted(await self.rtcp.recv(2048)))


def header(answer: str, name: str) -> str:
    return answer.partition(f"{name}: ")[2].partition("\r\n")[0]


def picture(number: int, size_bytes: int) -> Frame:
    is_key = number == 0
    slice_nal = (KEY_SLICE if is_key else b"\x41\x9a\x02") + bytes([number + 1]) * size_bytes + b"\x80"
    nals = (SPS, PPS, slice_nal) if is_key else (slice_nal,)
    return Frame(nals, number * 3600, trio.current_time(), is_key)


class Scene:
    """A server with one live camera and one client."""

    def __init__(self, source: Source, ports: UdpPorts, service: RtspService, client: UdpClient) -> None:
        self.source = source
        self.ports = ports
        self.service = service
        self.client = client


@asynccontextmanager
async def serving(cached: list[int]) -> AsyncIterator[Scene]:
    """Serve a camera with pictures of these sizes in its cache."""
    source = Source("garden")
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    for number, size_bytes in enumerate(cached):
        source.publish(picture(number, size_bytes))
    registry = Registry()
    registry.add(source)
    service = RtspService(registry=registry)
    listeners = await trio.open_tcp_listeners(0, host=HOST)
    udp = open_udp(listeners, port=0)
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_rtsp, listeners, service, udp=udp))
        async with await trio.open_tcp_stream(HOST, port) as stream:
            client = UdpClient(stream, port)
            with client.rtp, client.rtcp:
                yield Scene(source, next(iter(udp.values())), service, client)
        nursery.cancel_scope.cancel()
    for ports in udp.values():
        ports.close()


async def test_cached_and_live_pictures_come_whole() -> None:
    async with serving([60_000, 3_000, 1_000]) as scene:
        transport = await scene.client.play()
        first, second = scene.ports.numbers
        assert f"server_port={first}-{second}" in transport
        assert second == first + 1
        frames = await scene.client.frames(3)
        scene.source.publish(picture(3, 5_000))
        frames += await scene.client.frames(1)
        assert [len(frame.nals[-1]) for frame in frames] == [
            len(KEY_SLICE) + 60_001, 3_004, 1_004, 5_004
        ]  # fmt: skip
        assert scene.client.depacketizer.statistics().packets_lost == 0
        (client,) = scene.service.guests.clients()
        assert (client.transport, client.camera) == ("udp", "garden")
        assert client.bytes_sent > 69_000


async def test_a_large_join_is_paced_and_loses_nothing() -> None:
    async with serving([400_000, *[20_000] * 20]) as scene:
        await scene.client.play()
        assert len(await scene.client.frames(21)) == 21
        assert scene.client.depacketizer.statistics().packets_lost == 0


async def test_media_goes_to_the_client_whatever_it_asks_for() -> None:
    async with serving([1_000]) as scene:
        transport = await scene.client.play("destination=127.0.0.2;")
        assert "destination" not in transport
        (frame,) = await scene.client.frames(1)
        assert frame.is_key


async def test_reports_go_both_ways_and_the_end_is_told() -> None:
    async with serving([1_000]) as scene:
        await scene.client.play()
        assert isinstance((await scene.client.reports())[0], SenderReport)
        stranger = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with stranger:
            await stranger.sendto(REPORT, (HOST, scene.ports.numbers[1]))
        await scene.client.rtcp.sendto(b"garbage", (HOST, scene.ports.numbers[1]))
        await scene.client.rtcp.sendto(REPORT, (HOST, scene.ports.numbers[1]))
        with trio.fail_after(PATIENCE_S):
            while scene.ports.strangers < 2:
                await trio.lowlevel.checkpoint()
        scene.source.close()
        assert isinstance((await scene.client.reports())[-1], Bye)
        assert scene.ports.strangers == 2, "the client's own report is no stranger's"


async def test_a_client_that_came_back_is_heard_when_its_dead_connection_ends() -> None:
    ports, heard, client = UdpPorts.bind(socket.AF_INET, HOST, 0), list[str](), (HOST, 5001)
    try:
        dead = ports.heard(client, lambda: heard.append("old"))
        dead.__enter__()
        with ports.heard(client, lambda: heard.append("new")):
            dead.__exit__(None, None, None)
            ports.receive_untrusted(REPORT, client)
        ports.receive_untrusted(REPORT, client)
        assert (heard, ports.strangers) == (["new"], 1)
    finally:
        ports.close()


async def test_a_pair_that_is_taken_is_said() -> None:
    ports = UdpPorts.bind(socket.AF_INET, HOST, 0)
    try:
        for number in ports.numbers:
            with pytest.raises(OSError, match=r"."):
                UdpPorts.bind(socket.AF_INET, HOST, number)
    finally:
        ports.close()


async def test_the_last_port_has_none_above_it() -> None:
    with pytest.raises(OSError, match="no UDP port 65536"):
        UdpPorts.bind(socket.AF_INET, HOST, 65_535)


async def test_link_local_addresses_need_no_pin() -> None:
    ports = UdpPorts.bind(socket.AF_INET6, "::1", 0)
    try:
        rtp, rtcp = ports.routes("fe80::1%lo", (5000, 5001), "fe80::2%lo")
        assert (rtp.address, rtcp.address) == (("fe80::1%lo", 5000), ("fe80::1%lo", 5001))
        assert rtp.ancillary == []
    finally:
        ports.close()
