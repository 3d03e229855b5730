"""`FakeCamera`: a scripted RTSP camera in this process, for tests in virtual time.

    camera = FakeCamera()
    nursery.start_soon(camera.run)
    nursery.start_soon(run_camera, settings, source, intake)

It speaks RTSP over Unix socket pairs, which deliver at once, so that the clock only moves when everybody waits. Its
code shares nothing with camgate's own RTSP and RTP.
"""

import base64
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import trio

from camgate.ingest.errors import CameraAway
from tests.fakes.udp import FakeUdp, split_interleaved

SPS = bytes.fromhex("6742c01ed900a02ff97011000003000100000300320f162e48")
PPS = bytes.fromhex("68cb83cb20")
"""From x264: Constrained Baseline, 640x360."""

H265_VPS = bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240")
H265_SPS = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840")
H265_PPS = bytes.fromhex("4401c0718312")
"""From x265: Main, 640x360."""

KEY_SLICE = b"\x65\x88\x84"
OTHER_SLICE = b"\x41\x9a\x02"
"""Beginnings of slices: first_mb_in_slice is 0, so each begins a picture."""

SETS = {"H264": (SPS, PPS), "H265": (H265_VPS, H265_SPS, H265_PPS)}
SLICES = {"H264": (KEY_SLICE, OTHER_SLICE), "H265": (b"\x26\x01\xad", b"\x02\x01\xd0")}

FPS = 25
GOP_FRAMES = 25
TICKS_A_FRAME = 90_000 // FPS
REPLAY_TICKS = 450


@dataclass(frozen=True)
class Request:
    """One request as the camera saw it, and when."""

    method: str
    url: str
    headers: dict[str, str]
    at_s: float


ByteStream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class FakeCamera:
    """A camera that tests switch off, freeze and spoil by setting its attributes, at any time.

    codec: what it sends: H264, H265, or the name of another, which it only announces.
    away: why TCP connects fail: `refused` at once, `silent` after the caller's timeout; None when they do not.
    answers: status by method instead of 200; 0 means never to answer, None to close the connection instead.
    redirects: where DESCRIBE of a URL is answered with 302, and where to.
    sends_frames, sends_key_frames: pictures, and key frames among them, go out while true.
    sends_before_play_answer: the first pictures go out ahead of the answer to PLAY, as Reolink's do.
    is_key_frame_due: the next picture is a key frame, whatever else is said of them; it is set back with that.
    loses_every: of so many pictures one is lost on the way; None for none.
    floods: how many requests of its own it sends when connected, without ever reading the answers.
    sends_b_frames: every third picture is earlier in media time than the one before it.
    replays_frames: so many pictures come at once at the beginning, 5 ms of media time apart.
    tls: with which it serves RTSPS; None for plain RTSP.
    udp: how it sends over UDP; None where it does not. refuses_tcp: it answers 461 to whoever wants media over TCP.
    stops_after_frames: so many pictures are sent in a connection, then it is closed.
    audio: its sound as in a=rtpmap, such as `PCMA/8000`; None for none. It leads the description, as Foscam's does.
    audio_set_up: status that SETUP of the sound is answered with; 0 and None as in `answers`.
    sends_audio: a packet of sound goes out with each picture while true. spoils_audio: it is garbage.
    lingers_s: how long it keeps its end of a connection open once ours is closed.
    clock_s: its wall clock, in Unix time at time 0; it sends reports each second where it is given.
    encoding_s: how much longer a picture takes from the lens to the network than sound does.
    """

    def __init__(self, *, username: str | None = None, password: str | None = None, codec: str = "H264") -> None:
        self.udp: FakeUdp | None = None
        self.refuses_tcp = False
        self.tls: ssl.SSLContext | None = None
        self.credentials = None if username is None else f"{username}:{password}"
        self.codec = codec
        self.away: str | None = None
        self.answers: dict[str, int | None] = {}
        self.redirects: dict[str, str] = {}
        self.sends_frames = True
        self.sends_key_frames = True
        self.is_key_frame_due = False
        self.sends_b_frames = False
        self.sends_before_play_answer = False
        self.loses_every: int | None = None
        self.floods = 0
        self.replays_frames = 0
        self.stops_after_frames: int | None = None
        self.audio: str | None = None
        self.audio_set_up: int | None = 200
        self.sends_audio = True
        self.spoils_audio = False
        self.lingers_s = 0.0
        self.clock_s: float | None = None
        self.encoding_s = 0.0
        self.dialled: list[tuple[str, int]] = []
        self.dialled_at_s: list[float] = []
        self.requests: list[Request] = []
        self.reports: list[bytes] = []
        self.open_connections = 0
        self._send, self._receive = trio.open_memory_channel[socket.socket](float("inf"))
        self._scopes: set[trio.CancelScope] = set()

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    @property
    def logins(self) -> list[Request]:
        return [request for request in self.requests if "authorization" in request.headers]

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to this camera, as `camgate.ingest.dial.dial_tcp` does to real ones."""
        self.dialled.append((host, port))
        self.dialled_at_s.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.away is not None:
            await trio.sleep(timeout_s if self.away == "silent" else 0)
            raise CameraAway(f"{host}:{port}", f"is away ({self.away})")
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._send.send_nowait(ours)
        return theirs

    async def run(self) -> None:
        """Serve every connection until cancelled."""
        async with trio.open_nursery() as nursery:
            if self.udp is not None:
                nursery.start_soon(self.udp.run)
            async for connection in self._receive:
                nursery.start_soon(self._serve, trio.SocketStream(trio.socket.from_stdlib_socket(connection)))

    def hang_up(self) -> None:
        """Close all connections, as a camera that restarts does."""
        for scope in self._scopes:
            scope.cancel()

    def _protect(self, stream: trio.SocketStream) -> ByteStream:
        if self.tls is None:
            return stream
        return trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)

    def _open(self, stream: ByteStream, nursery: trio.Nursery) -> "Connection":
        return Connection(self, stream, nursery)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.open_connections += 1
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                async with self._protect(stream) as secured, trio.open_nursery() as nursery:
                    await self._open(secured, nursery).run()
                    nursery.cancel_scope.cancel()
            except* trio.BrokenResourceError:
                pass
            finally:
                self._scopes.discard(scope)
                self.open_connections -= 1


class Connection:
    """One connection to a camera: reads its requests and answers them."""

    def __init__(self, camera: FakeCamera, stream: ByteStream, nursery: trio.Nursery) -> None:
        self.camera = camera
        self.stream = stream
        self.nursery = nursery
        self.sending = trio.Lock()
        self.buffer = b""
        self.audio_channel: int | None = None
        self.udp: FakeUdp | None = None
        self.transport = ""
        self.is_set_up = False

    async def run(self) -> None:
        for number in range(self.camera.floods):
            await self._send(f"OPTIONS * RTSP/1.0\r\nCSeq: {number}\r\n\r\n".encode())
        if self.camera.floods:
            await trio.sleep_forever()
        async for chunk in self.stream:
            self.buffer += chunk
            for request in self._requests():
                self.camera.requests.append(request)
                if not await self._answer(request):
                    return
        await trio.sleep(self.camera.lingers_s)

    def _requests(self) -> Iterator[Request]:
        while self.buffer:
            if self.buffer[:1] == b"$":
                length = int.from_bytes(self.buffer[2:4], "big")
                self.camera.reports.append(self.buffer[4 : 4 + length])
                self.buffer = self.buffer[4 + length :]
                continue
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self.buffer = rest
            first, *lines = head.decode().split("\r\n")
            method, url, _ = first.split(" ")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            yield Request(method, url, headers, trio.current_time())

    async def _answer(self, request: Request) -> bool:
        """Answer one request; return False to close the connection."""
        camera = self.camera
        status = camera.answers.get(request.method, 200)
        is_about_audio = request.method == "SETUP" and request.url.endswith("audio")
        if is_about_audio:
            status = camera.audio_set_up
        if status is None:
            return False
        if status == 0:
            return True
        if status == 200 and request.method != "OPTIONS" and not self._is_logged_in(request):
            status = 401
        if request.method == "DESCRIBE" and request.url in camera.redirects:
            status = 302
        if request.method == "SETUP" and status == 200:
            status = self._set_up(request.headers["transport"], is_about_audio=is_about_audio)
        plays = status == 200 and request.method == "PLAY"
        if plays and camera.sends_before_play_answer:
            self.nursery.start_soon(self._send_frames)
            await trio.sleep(0.1)
        await self._respond(request, status)
        if plays and not camera.sends_before_play_answer:
            self.nursery.start_soon(self._send_frames)
        return request.method != "TEARDOWN"

    def _set_up(self, transport: str, *, is_about_audio: bool) -> int:
        """Take note of how a track is to be sent; return the status to answer."""
        wants_udp = "client_port" in transport
        if self.camera.refuses_tcp if not wants_udp else self.camera.udp is None:
            return 461
        channel = int(transport.rpartition("=")[2].partition("-")[0])
        self.transport = transport
        if wants_udp:
            self.udp = self.camera.udp
            assert self.udp is not None
            if not self.is_set_up:
                self.udp.begin()
            self.transport, channel = self.udp.set_up(transport)
        self.is_set_up = True
        if is_about_audio:
            self.audio_channel = channel
        return 200

    def _is_logged_in(self, request: Request) -> bool:
        if self.camera.credentials is None:
            return True
        expected = "Basic " + base64.b64encode(self.camera.credentials.encode()).decode()
        return request.headers.get("authorization") == expected

    async def _respond(self, request: Request, status: int) -> None:
        headers = {"CSeq": request.headers["cseq"], "Server": "FakeCam/1.0"}
        body = b""
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="fake camera"'
        elif status == 302:
            headers["Location"] = self.camera.redirects[request.url]
        elif request.method == "OPTIONS":
            headers["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
        elif request.method == "DESCRIBE":
            body = self._description().encode()
            headers |= {"Content-Type": "application/sdp", "Content-Base": f"{request.url}/"}
        elif request.method == "SETUP":
            headers |= {"Transport": self.transport, "Session": "12345678;timeout=60"}
        headers["Content-Length"] = str(len(body))
        lines = [f"RTSP/1.0 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self._send("\r\n".join(lines).encode() + body)

    async def _send_media(self, data: bytes) -> None:
        if self.udp is None:
            await self._send(data)
        else:
            for channel, packet in split_interleaved(data):
                self.udp.send(channel, packet)

    async def _send(self, data: bytes) -> None:
        async with self.sending:
            await self.stream.send_all(data)

    def _description(self) -> str:
        sets = ",".join(base64.b64encode(nal).decode() for nal in (SPS, PPS))
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=fake", "t=0 0"]
        if self.camera.audio is not None:
            lines += ["m=audio 0 RTP/AVP 96", "a=control:audio", f"a=rtpmap:96 {self.camera.audio}"]
        lines += ["m=video 0 RTP/AVP 96", "a=control:trackID=0"]
        lines += [f"a=rtpmap:96 {self.camera.codec}/90000"]
        vps, sps, pps = (base64.b64encode(nal).decode() for nal in SETS["H265"])
        lines += {
            "H264": [f"a=fmtp:96 packetization-mode=1;profile-level-id=42c01e;sprop-parameter-sets={sets}"],
            "H265": [f"a=fmtp:96 sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"],
        }.get(self.camera.codec, [])
        return "\r\n".join([*lines, ""])

    async def _send_frames(self) -> None:
        camera = self.camera
        sequence = 60_000
        timestamp = 0xFFFF0000
        number = 0
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while number != camera.stops_after_frames:
                if camera.sends_frames:
                    is_key = camera.is_key_frame_due or (camera.sends_key_frames and number % GOP_FRAMES == 0)
                    camera.is_key_frame_due = False
                    nals = _picture(camera.codec, is_key=is_key)
                    step_back = 2 * TICKS_A_FRAME if camera.sends_b_frames and number % 3 == 2 else 0
                    data = b""
                    for nal in nals:
                        data += _interleaved_rtp(nal, sequence, timestamp - step_back, is_last=nal is nals[-1])
                        sequence += 1
                    if camera.clock_s is not None and number % FPS == 0:
                        now_s = camera.clock_s + trio.current_time()
                        data += _sender_report(1, now_s - camera.encoding_s, timestamp)
                        data += _sender_report(3, now_s, 320 * number)
                    if camera.loses_every is None or (number + 1) % camera.loses_every:
                        await self._send_media(data + self._audio_packet(number))
                    number += 1
                if number < camera.replays_frames:
                    timestamp += REPLAY_TICKS
                    continue
                timestamp += TICKS_A_FRAME
                await trio.sleep(1 / FPS)
            camera.hang_up()

    def _audio_packet(self, number: int) -> bytes:
        camera = self.camera
        if self.audio_channel is None or not camera.sends_audio:
            return b""
        packet = struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, 320 * number & 0xFFFFFFFF, 0x50BD) + b"\xd5" * 320
        if camera.spoils_audio:
            packet = packet[: number % 12]
        return b"$" + bytes([self.audio_channel]) + len(packet).to_bytes(2, "big") + packet


def _picture(codec: str, *, is_key: bool) -> tuple[bytes, ...]:
    key_slice, other_slice = SLICES[codec]
    return (*SETS[codec], key_slice + b"\x55" * 900) if is_key else (other_slice + b"\x55" * 300,)


def _interleaved_rtp(nal: bytes, sequence: int, timestamp: int, *, is_last: bool) -> bytes:
    marker = 0x80 if is_last else 0
    packet = struct.pack("!BBHII", 0x80, marker | 96, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 0xCA3E7A) + nal
    return b"$\x00" + len(packet).to_bytes(2, "big") + packet


def _sender_report(channel: int, unix_s: float, timestamp: int) -> bytes:
    ntp = int((unix_s + 2_208_988_800) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
    packet = struct.pack("!BBHIQIII", 0x80, 200, 6, 0xCA3E7A, ntp, timestamp & 0xFFFFFFFF, 0, 0)
    return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet
