"""One camera, camgate's sender and peer, an impaired path and a browser behind it, all in virtual time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random

import pylibsrtp
import trio
from aiortc.rtcdtlstransport import RTCCertificate

from camgate.relay.stream import Stream
from camgate.serve.datagrams import Route
from camgate.serve.webrtc import burst
from camgate.serve.webrtc.dtls import Certificate
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.peer import IceCredentials, Peer
from camgate.serve.webrtc.sender import Sender
from camgate.serve.webrtc.viewer import Viewer
from camgate.wire.codec.frame import Frame
from tests.fakes.browser import Browser
from tests.fakes.network import Cable, Impairment, Link
from tests.fakes.receiver import srtp_keys, srtp_session

FPS = 25
TICKS = 3600
SPS, PPS = b"\x67\x42\xc0\x1f" + bytes(10), b"\x68\xce\x3c\x80"
NUMBER_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """What the camera sends, on average; sizes vary by a fifth."""

    bitrate_bps: int = 2_000_000
    gop_s: float = 2.0
    key_bytes: int = 80_000
    seed: int = 1


class NumberedCamera:
    """Publishes frames of a real camera's sizes; each slice begins with the frame's number."""

    def __init__(self, stream: Stream, settings: CameraSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._random = Random(settings.seed)
        self._gop = round(settings.gop_s * FPS)
        self._mean = (settings.bitrate_bps / 8 * settings.gop_s - settings.key_bytes) / (self._gop - 1)
        self.published_s: list[float] = []

    async def run(self) -> None:
        began_s = trio.current_time()
        while True:
            self.frame()
            await trio.sleep_until(began_s + len(self.published_s) / FPS)

    def frame(self) -> None:
        count = len(self.published_s)
        key = count % self._gop == 0
        size = int((self._settings.key_bytes if key else self._mean) * self._random.uniform(0.8, 1.2))
        body = count.to_bytes(NUMBER_BYTES, "big") + b"\xaa" * size
        nals = (SPS, PPS, b"\x65" + body) if key else (b"\x41" + body,)
        now = trio.current_time()
        self.published_s.append(now)
        self._stream.publish(Frame(nals, count * TICKS, now, key))


def number_of(payloads: Sequence[bytes]) -> int:
    """Read a camera's frame number out of a picture's payloads."""
    slices = [payload for payload in payloads if payload[0] & 0x1F in (1, 5, 28)]
    start = 2 if slices[0][0] & 0x1F == 28 else 1
    return int.from_bytes(slices[0][start : start + NUMBER_BYTES], "big")


class CableSocket:
    """Stands for `UdpSocket`, before a cable. No nonce may protect two packets: checks it packet by packet."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable
        self._sent: dict[bytes, bytes] = {}
        self.bytes = 0

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: Route) -> bool:
        data = b"".join(buffers)
        size = segment_bytes or len(data)
        for start in range(0, len(data), size):
            datagram = data[start : start + size]
            if not 192 <= datagram[1] <= 223:
                assert self._sent.setdefault(datagram[2:4], datagram) == datagram, "a nonce was used for two packets"
            self.bytes += len(datagram)
            self._cable.send(datagram)
        return True


@cache
def _certificate() -> RTCCertificate:
    return Certificate().current()


class LossyViewer:
    """A peer of camgate's, both directions of its path, and the browser at the other end."""

    def __init__(self, sender: Sender, down: Impairment, up: Impairment, seed: int) -> None:
        self.down = Cable(Link(down, seed))
        self.up = Cable(Link(up, seed + 1))
        self.socket = CableSocket(self.down)
        self.sender = sender
        profile = HeaderProfile(96, 5)
        keys = srtp_keys(srtp_session(pylibsrtp.Policy.SSRC_ANY_INBOUND))
        route = Route(self.socket, ("192.0.2.9", 9), [])  # type: ignore[arg-type]
        self.viewer = Viewer(keys, route, profile, sender.ssrc)
        self.peer = Peer("front", sender, profile, IceCredentials.generate(), (), _certificate())
        self.peer.viewer = self.viewer
        self.browser = Browser(
            sender.ssrc,
            srtp_session(pylibsrtp.Policy.SSRC_ANY_INBOUND),
            srtp_session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND),
            self.up.send,
            number_of,
        )

    def _take_srtcp(self, datagram: bytes) -> None:
        self.peer.receive_srtcp_untrusted(datagram)
        # Reports tell the round trip by the wall clock, which stands still in virtual time.
        self.viewer.round_trip_s = self.down.latest_s + self.up.latest_s

    async def run(self) -> None:
        """Join, and watch until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.down.run, self.browser.receive)
            nursery.start_soon(self.up.run, self._take_srtcp)
            nursery.start_soon(self.browser.run)
            nursery.start_soon(burst.send_bursts, self.viewer)
            self.sender.add(self.viewer)


@dataclass
class LossyScene:
    """A live camera and its sender."""

    stream: Stream
    camera: NumberedCamera
    sender: Sender
    nursery: trio.Nursery
    viewers: list[LossyViewer] = field(default_factory=list)

    def join(self, down: Impairment, up: Impairment | None = None, seed: int = 1) -> LossyViewer:
        """Let a viewer join; `up` is how RTCP fares, as the way down when not given."""
        viewer = LossyViewer(self.sender, down, up or down, seed)
        self.viewers.append(viewer)
        self.nursery.start_soon(viewer.run)
        return viewer


@asynccontextmanager
async def lossy_scene(settings: CameraSettings) -> AsyncIterator[LossyScene]:
    """Run a camera and its sender for the block."""
    stream = Stream("front")
    async with trio.open_nursery() as nursery:
        scene = LossyScene(stream, NumberedCamera(stream, settings), Sender(stream), nursery)
        nursery.start_soon(scene.sender.run)
        nursery.start_soon(scene.camera.run)
        yield scene
        nursery.cancel_scope.cancel()
