"""A viewer that receives as a browser does: NACKs, key frame requests, pictures decoded in order, freezes.

The rules and figures are libwebrtc's (nack_requester.cc, video_receive_stream2.h, the statistics of W3C webrtc-stats);
a picture is shown as soon as it can be decoded, or after the least playout delay that the sender asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

import pylibsrtp
import trio

from camgate.wire.rtp import rtcp
from camgate.wire.rtp.packet import RtpPacket, parse_rtp_untrusted

TICK_S = 0.02
"""How often it looks whether something is due again."""
NACK_AGAIN_S = 0.1
"""One round trip; what a viewer that sends no media takes for it."""
MAX_NACKS = 10
"""How often a packet is asked for."""
MAX_MISSING = 1_000
WAIT_FOR_KEY_S = 0.2
WAIT_FOR_FRAME_S = 3.0
REPORT_INTERVAL_S = 1.0
REORDERED_S = 0.03
SSRC = 0x5EE5
FREEZE_WINDOW = 30


@dataclass(slots=True)
class Shown:
    """One picture that was shown."""

    at_s: float
    number: int
    is_key: bool


@dataclass(slots=True)
class _Missing:
    since_s: float
    asked: int = 0
    next_s: float = 0.0


@dataclass(slots=True)
class BrowserCounts:
    """What the browser sent and met."""

    packets: int = 0
    repeats: int = 0
    nack_packets: int = 0
    nack_messages: int = 0
    key_frame_requests: int = 0
    given_up: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Report:
    """State for receiver reports (RFC 3550 A.3)."""

    base: int = -1
    received: int = 0
    expected_prior: int = 0
    received_prior: int = 0
    next_s: float = 0.0


class Browser:
    """Takes datagrams, shows pictures, answers with SRTCP by `send`.

    session: opens what camgate sends; protector: seals what we send. number_of: reads a picture's number out of the
    payload of its first slice.
    """

    def __init__(
        self,
        media_ssrc: int,
        session: pylibsrtp.Session,
        protector: pylibsrtp.Session,
        send: Callable[[bytes], None],
        number_of: Callable[[list[bytes]], int],
    ) -> None:
        self._media_ssrc = media_ssrc
        self._session = session
        self._protector = protector
        self._send = send
        self._number_of = number_of
        self._packets: dict[int, RtpPacket] = {}
        self._missing: dict[int, _Missing] = {}
        self._newest = -1
        self._needed: int | None = None
        self._last_decoded_s = 0.0
        self._last_asked_s = float("-inf")
        self._last_packet_s = float("-inf")
        self._report = _Report()
        self._delay_s = 0.0
        self._earliest_s: float | None = None
        self._first_timestamp = 0
        self.shown: list[Shown] = []
        self.counts = BrowserCounts()

    async def run(self) -> None:
        """Ask again for what does not come."""
        self._last_decoded_s = trio.current_time()
        while True:
            await trio.sleep(TICK_S)
            now = trio.current_time()
            self._nack(now)
            self._ask_for_key_frame(now)
            if self._report.base >= 0 and now >= self._report.next_s:
                self._send_report(now)

    def receive(self, datagram: bytes) -> None:
        if 192 <= datagram[1] <= 223:
            return
        try:
            packet = parse_rtp_untrusted(self._session.unprotect(datagram))
        except pylibsrtp.Error:
            self.counts.repeats += 1
            return
        now = self._last_packet_s = trio.current_time()
        self.counts.packets += 1
        self.counts.bytes += len(datagram)
        self._note_delays(datagram, packet.timestamp, now)
        self._take(self._extend(packet.sequence), packet, now)
        self._decode(now)

    def _note_delays(self, datagram: bytes, timestamp: int, now: float) -> None:
        if datagram[0] & 0x10:
            # RFC 8285 one-byte form; playout-delay is the only extension, its minimum 12 bits of 10 ms.
            self._delay_s = (int.from_bytes(datagram[17:20], "big") >> 12) / 100
        if self._earliest_s is None:
            self._first_timestamp = timestamp
        late_s = now - self._captured_s(timestamp)
        self._earliest_s = late_s if self._earliest_s is None else min(self._earliest_s, late_s)

    def _captured_s(self, timestamp: int) -> float:
        """Seconds since the first packet's timestamp, which random offsets let wrap at any time."""
        return ((timestamp - self._first_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000) / 90_000

    def _time_to_show(self, timestamp: int, now: float) -> float:
        assert self._earliest_s is not None
        return max(now, self._captured_s(timestamp) + self._earliest_s + self._delay_s) if self._delay_s else now

    def _extend(self, sequence: int) -> int:
        if self._newest < 0:
            return sequence
        delta = (sequence - self._newest) & 0xFFFF
        return self._newest + (delta - 0x10000 if delta >= 0x8000 else delta)

    def _take(self, index: int, packet: RtpPacket, now: float) -> None:
        report = self._report
        if report.base < 0:
            report.base, report.next_s = index, now + REPORT_INTERVAL_S
        missing = self._missing.pop(index, None)
        # As libwebrtc's receive statistics do it: what comes much later than in its order was sent again.
        report.received += missing is None or now - missing.since_s < REORDERED_S
        if self._needed is None or index >= self._needed:
            self._packets[index] = packet
        if self._newest >= 0:
            for lost in range(self._newest + 1, index):
                self._missing[lost] = _Missing(now)
        if index > self._newest + 1 and self._newest >= 0:
            self._limit_missing(now)
            self._nack(now)
        self._newest = max(self._newest, index)

    def _limit_missing(self, now: float) -> None:
        if len(self._missing) > MAX_MISSING:
            self._missing.clear()
            self._request_key_frame(now)

    def _nack(self, now: float) -> None:
        due = [index for index, missing in self._missing.items() if missing.next_s <= now]
        wanted = []
        for index in due:
            missing = self._missing[index]
            if missing.asked == MAX_NACKS:
                del self._missing[index]
                self.counts.given_up += 1
                continue
            missing.asked += 1
            missing.next_s = now + NACK_AGAIN_S
            wanted.append(index & 0xFFFF)
        if wanted:
            self.counts.nack_messages += 1
            self.counts.nack_packets += len(wanted)
            self._send_rtcp(rtcp.build_nack(SSRC, self._media_ssrc, wanted))

    def _ask_for_key_frame(self, now: float) -> None:
        patience_s = WAIT_FOR_KEY_S if self._needed is None else WAIT_FOR_FRAME_S
        if now - max(self._last_decoded_s, self._last_asked_s) >= patience_s and now - self._last_packet_s < 5:
            self._request_key_frame(now)

    def _request_key_frame(self, now: float) -> None:
        self._last_asked_s = now
        self.counts.key_frame_requests += 1
        self._send_rtcp(rtcp.build_picture_loss_indication(SSRC, self._media_ssrc))

    def _send_report(self, now: float) -> None:
        report = self._report
        report.next_s = now + REPORT_INTERVAL_S
        expected = self._newest - report.base + 1
        lost = (expected - report.expected_prior) - (report.received - report.received_prior)
        interval = expected - report.expected_prior
        fraction = max(0, min(255, lost * 256 // interval)) if interval else 0
        report.expected_prior, report.received_prior = expected, report.received
        cumulative = max(0, expected - report.received)
        block = rtcp.ReportBlock(self._media_ssrc, fraction, cumulative, self._newest & 0xFFFFFFFF, 0, 0, 0)
        self._send_rtcp(rtcp.build_receiver_report(SSRC, [block]))

    def _send_rtcp(self, message: bytes) -> None:
        self._send(self._protector.protect_rtcp(message))

    def _decode(self, now: float) -> None:
        while True:
            start = self._next_picture()
            if start is None:
                return
            end = self._complete(start)
            assert end is not None
            payloads = [self._packets[index].payload for index in range(start, end + 1)]
            at_s = self._time_to_show(self._packets[start].timestamp, now)
            self.shown.append(Shown(at_s, self._number_of(payloads), _starts_key_frame(payloads[0])))
            self._last_decoded_s = now
            self._needed = end + 1
            self._packets = {index: packet for index, packet in self._packets.items() if index > end}
            self._missing = {index: missing for index, missing in self._missing.items() if index > end}

    def _next_picture(self) -> int | None:
        """Where the picture starts that can be decoded now: the next one, or else the first whole key frame."""
        if self._needed is not None and self._complete(self._needed) is not None:
            return self._needed
        starts = sorted(index for index, packet in self._packets.items() if _starts_key_frame(packet.payload))
        return next((start for start in starts if self._complete(start) is not None), None)

    def _complete(self, start: int) -> int | None:
        index = start
        while (packet := self._packets.get(index)) is not None:
            if packet.marker:
                return index
            index += 1
        return None


def _starts_key_frame(payload: bytes) -> bool:
    """A key frame starts with its parameter sets: in a STAP-A, or the SPS alone."""
    return payload[0] & 0x1F in (7, 24)


@dataclass(frozen=True, slots=True)
class Watching:
    """How watching was, from the first picture on until `until_s`."""

    pictures: int
    freezes: list[float] = field(default_factory=list)
    longest_s: float = 0.0


def watching(shown: list[Shown], until_s: float) -> Watching:
    """Count freezes as webrtc-stats does: intervals of 3 times the mean of the last 30 and of 150 ms more than it."""
    times = [*(picture.at_s for picture in shown), until_s]
    intervals = [b - a for a, b in pairwise(times)]
    freezes = []
    for place, interval in enumerate(intervals):
        window = intervals[max(0, place - FREEZE_WINDOW) : place]
        mean = fmean(window) if window else 0.04
        if interval >= max(3 * mean, mean + 0.15):
            freezes.append(interval)
    return Watching(len(shown), freezes, max(intervals, default=0.0))
