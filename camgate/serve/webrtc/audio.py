"""One task an audio stream: each frame is written once, then encrypted and sent for one viewer after the other.

Like `sender`, and much less: every frame of sound stands alone, so there are no bursts, no key frames to wait for and
no gaps to hide; a frame that the socket refuses is gone, and the browser conceals it. No browser asks for lost sound
again (none offers NACK for it), so nothing is kept.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from camgate.load.sending import SendingMeter
from camgate.relay.audio import AudioStream
from camgate.relay.media_time import ticks_since
from camgate.relay.subscription import Subscription
from camgate.serve.datagrams import Route
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.serve.webrtc.numbering import ViewerNumbers, packet_nonce, salted
from camgate.serve.webrtc.packets import GCM_TAG_BYTES, MAX_PAYLOAD_BYTES, RTP_HEADER_BYTES
from camgate.serve.webrtc.sender import MAX_START_SEQUENCE, REPORT_INTERVAL_S, YIELD_AFTER_S
from camgate.serve.webrtc.turns import Turns
from camgate.serve.webrtc.wall_clock import unix_now_s
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp
from camgate.wire.rtp.packet import build_rtp_header

ONE_BYTE_A_TICK = frozenset({"PCMU", "PCMA", "G722"})
"""Codecs of 64 kbit/s with a clock of 8 kHz: a packet of theirs can be cut at any byte (RFC 3551 4.5)."""


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """Counters of one viewer's sound; loss, jitter and round trip are what its receiver reports say."""

    packets_sent: int
    bytes_sent: int
    packets_dropped: int
    loss_fraction: float
    jitter_s: float


class AudioPacket:
    """One RTP packet of sound, with room to encrypt it in: the header, and behind it payload and tag."""

    __slots__ = ("_buffer", "_offset", "header", "index", "payload", "place", "view")

    def __init__(self, payload: bytes, index: int, timestamp: int, payload_type: int, ssrc: int) -> None:
        """index: of the packet among all of the stream's; `numbering` says what becomes of it."""
        self.payload = payload
        self.index = index
        self._offset = 0
        # RFC 3551 section 4.1: the marker would say that a talkspurt begins, which makes receivers adapt their delay.
        self._buffer = bytearray(build_rtp_header(payload_type, index, timestamp, ssrc))
        self._buffer += bytes(len(payload) + GCM_TAG_BYTES)
        self.view = memoryview(self._buffer)
        self.header = self.view[:RTP_HEADER_BYTES]
        self.place = self.view[RTP_HEADER_BYTES:]

    def renumber(self, offset: int) -> None:
        """Rewrite the sequence number for viewers whose index is `offset` from the shared one."""
        if offset != self._offset:
            self._offset = offset
            self._buffer[2:4] = (self.index + offset & 0xFFFF).to_bytes(2, "big")


class Listener:
    """Sending state of one viewer of one audio stream: keys, route, numbers, counts. No task of its own."""

    __slots__ = (
        "_aead",
        "_keys",
        "_salted",
        "closed",
        "jitter_s",
        "loss_fraction",
        "next_report_s",
        "numbers",
        "octets_sent",
        "packets_dropped",
        "packets_sent",
        "payload_type",
        "route",
        "ssrc",
        "started",
    )

    def __init__(self, keys: SrtpKeys, route: Route, payload_type: int, ssrc: int) -> None:
        self._keys = keys
        # The keys are those of the pictures; nonces differ by the SSRC (RFC 7714 section 8.1).
        self._aead = AESGCM(keys.gcm_key) if keys.gcm_key is not None else None
        self._salted = salted(keys.gcm_salt, ssrc) if keys.gcm_salt is not None else 0
        self.route = route
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.numbers = ViewerNumbers()
        self.started = False
        self.closed = False
        self.packets_sent = self.octets_sent = self.packets_dropped = 0
        self.next_report_s = 0.0
        self.loss_fraction = self.jitter_s = 0.0

    def send(self, packet: AudioPacket) -> None:
        """Encrypt a packet and send it; what a full socket refuses is counted, its number is used up."""
        if not self.started:
            self.started = True
            self.numbers.start(packet.index)
        packet.renumber(self.numbers.offset)
        data: Sequence[bytes | memoryview]
        if self._aead is not None:
            nonce = packet_nonce(self._salted, packet.index + self.numbers.base)
            self._aead.encrypt_into(nonce, packet.payload, packet.header, packet.place)
            data = (packet.view,)
        else:
            data = (self._keys.outbound.protect(bytes(packet.header) + packet.payload),)
        if self.route.socket.send(data, 0, self.route):
            self.packets_sent += 1
            self.octets_sent += len(packet.payload)
        else:
            self.packets_dropped += 1

    def send_report(self, rtp_timestamp: int, unix_time_s: float, cname: str) -> None:
        """Send an SR with SDES (RFC 3550 section 6.4.1) that ties the RTP clock to the wall clock."""
        report = rtcp.build_sender_report(
            ssrc=self.ssrc,
            unix_time_s=unix_time_s,
            rtp_timestamp=rtp_timestamp,
            packet_count=self.packets_sent,
            octet_count=self.octets_sent,
            cname=cname,
        )
        self.route.send(self._keys.outbound.protect_rtcp(report))

    def send_bye(self) -> None:
        """Say that no more packets of this SSRC follow (RFC 3550 section 6.6)."""
        self.route.send(self._keys.outbound.protect_rtcp(rtcp.build_bye(self.ssrc)))

    def take_report(self, block: rtcp.ReportBlock, clock_hz: int) -> None:
        """Take what a receiver report says of the sound (RFC 3550 section 6.4.1)."""
        self.loss_fraction = block.fraction_lost / 256
        self.jitter_s = block.jitter / clock_hz

    def statistics(self) -> ListenerStatistics:
        """Take a snapshot."""
        return ListenerStatistics(
            self.packets_sent, self.octets_sent, self.packets_dropped, self.loss_fraction, self.jitter_s
        )


class AudioSender:
    """Sends one audio stream to all its WebRTC listeners.

    `run` is its only task, started by the endpoint; `add` and `remove` are called from others and never wait.
    sending, turns: told of each frame. first_index: of its first packet; at random where not given.
    """

    def __init__(
        self,
        stream: AudioStream,
        sending: SendingMeter | None = None,
        turns: Turns | None = None,
        *,
        first_index: int | None = None,
    ) -> None:
        self.stream = stream
        self._sending = sending or SendingMeter()
        self._turns = turns or Turns()
        self.ssrc = secrets.randbits(32)
        if first_index is None:
            first_index = (1 << 16) + secrets.randbelow(MAX_START_SEQUENCE)
        self._next_index = first_index
        self._timestamp_offset = secrets.randbits(32)
        self._listeners: list[Listener] = []
        self._subscription: Subscription | None = None
        self._wanted = trio.Event()
        self._idle = trio.CancelScope()

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    @property
    def clock_hz(self) -> int:
        """Of the stream's timestamps."""
        return self.stream.format.clock_hz

    async def run(self) -> None:
        """Send while there are listeners, wait while there are none; returns when the stream is closed."""
        while True:
            # A listener may come and be gone again before this task gets its turn.
            while not self._listeners:
                if self.stream.closed:
                    return
                await self._wanted.wait()
            with trio.CancelScope() as self._idle, self.stream.subscribe() as subscription:
                self._subscription = subscription
                self._count_listeners()
                try:
                    while True:
                        await self._send(await subscription.receive())
                except trio.EndOfChannel:
                    return
                finally:
                    self._subscription = None

    def add(self, listener: Listener) -> None:
        """Take in a listener: it gets every frame from now on."""
        self._listeners.append(listener)
        self._count_listeners()
        self._wanted.set()

    def remove(self, listener: Listener) -> None:
        """Stop sending to a listener; the last one's leaving ends the subscription."""
        listener.closed = True
        self._listeners.remove(listener)
        self._count_listeners()
        if not self._listeners:
            self._wanted = trio.Event()
            self._idle.cancel()

    def look_for_end(self) -> None:
        """See whether the stream was closed, which a sender that rests is not told. Called now and then."""
        if self.stream.closed:
            self._wanted.set()

    def _count_listeners(self) -> None:
        if self._subscription is not None:
            self._subscription.set_viewers(len(self._listeners))

    async def _send(self, frame: Frame) -> None:
        clock = time.perf_counter
        started_s, busy_s = clock(), 0.0
        pieces = cut(frame, self.stream.format)
        first_index = self._next_index
        self._next_index += len(pieces)
        packets: dict[int, list[AudioPacket]] = {}
        until = started_s + YIELD_AFTER_S
        now = trio.current_time()
        with self._turns.live():
            for listener in tuple(self._listeners):
                if listener.closed:
                    continue
                ready = packets.get(listener.payload_type)
                if ready is None:
                    ready = packets[listener.payload_type] = self._write(pieces, first_index, listener.payload_type)
                for packet in ready:
                    listener.send(packet)
                if now >= listener.next_report_s:
                    self._report(listener, frame, now)
                if clock() > until:
                    busy_s += clock() - started_s
                    await trio.lowlevel.checkpoint()
                    started_s = clock()
                    until = started_s + YIELD_AFTER_S
                    now = trio.current_time()
        delay_s = trio.current_time() - frame.arrival_s
        self._sending.note(busy_s + clock() - started_s, frame.size_bytes * len(self._listeners), delay_s)

    def _write(self, pieces: list[tuple[bytes, int]], first_index: int, payload_type: int) -> list[AudioPacket]:
        return [
            AudioPacket(payload, first_index + place, self._timestamp(rtp_time), payload_type, self.ssrc)
            for place, (payload, rtp_time) in enumerate(pieces)
        ]

    def _report(self, listener: Listener, frame: Frame, now: float) -> None:
        listener.next_report_s = now + REPORT_INTERVAL_S
        # The sound of this moment is told under the time at which it belongs beside the pictures.
        ticks = ticks_since(frame, now, self.clock_hz) - round(self.stream.lip_sync.skew_s(now) * self.clock_hz)
        listener.send_report(self._timestamp(frame.rtp_time + ticks), unix_now_s(), self.name)

    def _timestamp(self, rtp_time: int) -> int:
        return rtp_time + self._timestamp_offset & 0xFFFFFFFF


def cut(frame: Frame, audio: AudioFormat) -> list[tuple[bytes, int]]:
    """Return the RTP payloads of a frame and their media times; none, where it neither fits nor can be cut."""
    (data,) = frame.nals
    if len(data) <= MAX_PAYLOAD_BYTES:
        return [(data, frame.rtp_time)]
    if audio.codec not in ONE_BYTE_A_TICK:
        return []
    starts = range(0, len(data), MAX_PAYLOAD_BYTES)
    return [(data[start : start + MAX_PAYLOAD_BYTES], frame.rtp_time + start) for start in starts]
