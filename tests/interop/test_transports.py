"""Every way that media can come from gst-rtsp-server: UDP, TLS, HTTP tunnels, IPv6."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from camgate.config.model import Transport
from camgate.ingest.arrivals import Arrivals
from camgate.ingest.udp import Address, Deliver, PortPair, UdpMedia
from camgate.relay.source import CameraState
from tests.fakes.certificates import make_certificate
from tests.fakes.gst import gst_camera
from tests.fakes.network import Cable, Impairment, Link
from tests.fakes.watching import assert_counter_rises, watching

pytestmark = pytest.mark.interop

UDP, HTTP = Transport.UDP, Transport.HTTP
FRAMES = 40


async def test_a_camera_that_sends_over_udp_only() -> None:
    async with gst_camera("--transports=udp") as camera, watching(camera) as viewing:
        assert_counter_rises(await viewing.wait_frames(FRAMES))
        assert viewing.source.statistics().transport == "udp"
        assert camera.connections >= 2


async def test_a_camera_that_sends_over_tcp_only_and_is_asked_for_udp() -> None:
    async with gst_camera("--transports=tcp") as camera, watching(camera, transport=UDP) as viewing:
        await viewing.wait_state(CameraState.BACKOFF)
        assert "461 Unsupported" in str(viewing.source.last_error)


class RelayedMedia(UdpMedia):
    """Media that comes through a relay of this test: it loses and reorders, and a forger joins in."""

    def __init__(self, family: socket.AddressFamily, local: Address, camera: Address) -> None:
        super().__init__(family, local, camera)
        path = Impairment(delay_s=0.0, loss=0.02, reorder=0.1, reorder_s=0.03, duplicate=0.02)
        self.cable = Cable(Link(path, seed=1))
        self.forged = 0
        self.forging = True

    def open(self, payload_types: Sequence[int | None], arrivals: Arrivals, deliver: Deliver) -> list[tuple[int, int]]:
        ours = super().open(payload_types, arrivals, deliver)
        relay = PortPair(self._family, self._local)
        self._pairs.append(relay)
        self._watches.enter_context(arrivals.watch(relay.rtp, partial(self._relay, relay.rtp)))
        self._to = ("127.0.0.1", ours[0][0])
        return [relay.ports]

    def _relay(self, port: socket.socket, _now: float) -> None:
        self.cable.send(port.recv(65_536))

    async def run(self) -> None:
        """Deliver what has passed the relay, and a forged packet with each."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
            forger.bind(("127.0.0.2", 0))

            def pass_on(packet: bytes) -> None:
                if self.forging:
                    forger.sendto(packet[:12] + bytes(len(packet) - 12), self._to)
                    self.forged += 1
                # The session may have ended while this was on its way.
                with suppress(OSError):
                    self._pairs[1].rtp.sendto(packet, self._to)

            await self.cable.run(pass_on)


async def test_udp_over_a_network_that_loses_and_reorders_while_somebody_forges_packets() -> None:
    async with trio.open_nursery() as nursery:

        def open_udp(connection: socket.socket) -> UdpMedia:
            media.append(RelayedMedia.beside(connection))
            nursery.start_soon(media[-1].run)  # type: ignore[attr-defined]
            return media[-1]

        media: list[UdpMedia] = []
        async with gst_camera("--gop=10") as camera, watching(camera, transport=UDP, open_udp=open_udp) as viewing:
            assert_counter_rises(await viewing.wait_frames(2 * FRAMES))
            relayed = media[0]
            assert isinstance(relayed, RelayedMedia)
            # A forged packet that was just sent is counted only once it is read: forge no more, then compare.
            relayed.forging = False
            with trio.fail_after(10):
                while (statistics := viewing.source.statistics()).packets_foreign < relayed.forged:
                    await viewing.wait_frames(1)
            assert statistics.packets_foreign == relayed.forged > FRAMES
            assert statistics.packets_reordered > 0
            assert statistics.packets_lost > 0
        nursery.cancel_scope.cancel()


async def test_rtsps_by_fingerprint_and_through_an_https_tunnel(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    async with gst_camera(f"--certificate={certificate.file}", "--username=admin", "--password=secret") as camera:
        for transport, name in ((Transport.AUTO, "tls"), (HTTP, "https")):
            trust = {"tls_fingerprint": certificate.fingerprint}
            async with watching(camera, password="secret", transport=transport, **trust) as viewing:
                assert_counter_rises(await viewing.wait_frames(FRAMES))
                assert viewing.source.statistics().transport == name
        async with watching(camera, password="secret") as viewing:
            await viewing.wait_error("self-signed certificate")
            assert certificate.fingerprint in str(viewing.source.last_error)


async def test_an_http_tunnel() -> None:
    async with gst_camera() as camera, watching(camera, transport=HTTP) as viewing:
        assert_counter_rises(await viewing.wait_frames(FRAMES))
        assert viewing.source.statistics().transport == "http"


async def test_ipv6() -> None:
    async with gst_camera(host="::1") as camera:
        for transport in (Transport.TCP, UDP):
            async with watching(camera, transport=transport) as viewing:
                assert_counter_rises(await viewing.wait_frames(FRAMES))
                assert viewing.source.statistics().transport == transport.value
