"""One viewer as the sender sees it: keys, route, numbers, and how many bytes it got. No task of its own."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pylibsrtp
import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from camgate.base.budget import Budget
from camgate.serve.datagrams import Route
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.serve.webrtc.numbering import ViewerNumbers, packet_nonce, salted
from camgate.serve.webrtc.pace import Pace
from camgate.serve.webrtc.packets import (
    GCM_TAG_BYTES,
    Batch,
    FrameBuffer,
    HeaderProfile,
    PacketizedFrame,
    find_frame,
)
from camgate.serve.webrtc.repeats import Repeats
from camgate.serve.webrtc.wall_clock import unix_now_s
from camgate.wire.rtp import rtcp

RETRANSMIT_BURST_PACKETS = 600
RETRANSMIT_PACKETS_PER_S = 400
"""What one viewer's NACKs may ask for: about the packet rate of a 4 Mbit/s camera, in bursts of one large key frame."""
KEY_FRAME_REQUEST_INTERVAL_S = 1.0
"""A viewer that asks for key frames more often is answered at this pace; browsers ask each 200 ms while waiting."""
CLOCK_HZ = 90_000
BURST_KEPT_S = 5.0
"""How long a burst's own packets can be asked for again."""
PATIENT_S = 60.0
"""After the last bad second. A change of the delay can be seen, so it comes seldom."""


@dataclass(frozen=True, slots=True)
class ViewerStatistics:
    """Counters of one viewer's media; loss, jitter and round trip are what its receiver reports say."""

    packets_sent: int
    bytes_sent: int
    frames_sent: int
    frames_dropped: int
    packets_retransmitted: int
    nacks_received: int
    nacks_cut_short: int
    """That named more than its budget for repeats held."""
    key_frame_requests: int
    loss_fraction: float
    jitter_s: float
    round_trip_s: float | None
    frames_waiting: int
    """For its own task: of a burst, or behind one."""
    frames_kept: int
    """Of its last burst, for retransmission."""
    repeats_waiting: int
    """Packets that it asked for, and that its pace holds back."""


class Viewer:
    """Sending state of one viewer of one stream.

    waiting_for_key: it gets nothing until the next key frame.
    bursting: frames that its peer task is sending, its own ones first, then the live ones that came meanwhile; None
    when it is in step with the others. burst_planned: set by the sender to wake that task.
    first_frame_s: when it began to be sent frames; set by who sends the first one.
    own_frames, own_offset: the last burst's own frames and the offset they were numbered under.
    pace: how fast its large frames may be sent; None where its path takes them at once.
    """

    __slots__ = (
        "_aead",
        "_has_key_until_s",
        "_keys",
        "_last_key_request_s",
        "_patient_until_s",
        "_profiles",
        "_salted",
        "burst_planned",
        "bursting",
        "closed",
        "first_frame_s",
        "frames_dropped",
        "frames_sent",
        "jitter_s",
        "key_frame_requests",
        "last_index",
        "last_timestamp",
        "loss_fraction",
        "nacks_received",
        "next_report_s",
        "numbers",
        "octets_sent",
        "own_frames",
        "own_frames_until_s",
        "own_offset",
        "pace",
        "packets_retransmitted",
        "packets_sent",
        "profile",
        "repeats",
        "retransmissions",
        "round_trip_s",
        "route",
        "ssrc",
        "waiting_for_key",
        "wants_burst",
    )

    def __init__(self, keys: SrtpKeys, route: Route, profile: HeaderProfile, ssrc: int) -> None:
        self._keys = keys
        self._aead = AESGCM(keys.gcm_key) if keys.gcm_key is not None else None
        self._salted = salted(keys.gcm_salt, ssrc) if keys.gcm_salt is not None else 0
        self.route = route
        self.profile = profile
        self.ssrc = ssrc
        self.numbers = ViewerNumbers()
        self.closed = False
        self.waiting_for_key = True
        self.wants_burst = False
        self.bursting: deque[PacketizedFrame] | None = None
        self.burst_planned = trio.Event()
        self.own_frames: list[PacketizedFrame] = []
        self.own_frames_until_s = 0.0
        self.own_offset = 0
        self.pace: Pace | None = None
        self.repeats = Repeats()
        self.last_index = -1
        self.last_timestamp = 0
        self.packets_sent = self.octets_sent = self.frames_sent = self.frames_dropped = 0
        self.packets_retransmitted = self.nacks_received = self.key_frame_requests = 0
        self.first_frame_s: float | None = None
        self.next_report_s = 0.0
        self.loss_fraction = 0.0
        self.jitter_s = 0.0
        self.round_trip_s: float | None = None
        self.retransmissions = Budget(RETRANSMIT_BURST_PACKETS, RETRANSMIT_PACKETS_PER_S)
        self._last_key_request_s = self._has_key_until_s = float("-inf")
        self._profiles = [(0, profile)]
        self._patient_until_s = float("-inf")

    def send_frame(self, buffer: FrameBuffer) -> int:
        """Encrypt a frame into `buffer` and send it; returns how many batches of it went out.

        The numbers of a frame that began to leave are used up: what a full socket kept back, a NACK can bring.
        """
        sent = 0
        for parts, segment_bytes, packets in self.encrypt(buffer):
            if not self.send_batch(parts, segment_bytes, packets):
                break
            sent += 1
        return sent

    def encrypt(self, buffer: FrameBuffer) -> Iterable[Batch]:
        """Encrypt a frame for this viewer; returns what to send: (parts, segment size or 0, packets) a call."""
        frame = buffer.frame
        buffer.renumber(self.numbers.offset)
        self.last_index = frame.end_index + self.numbers.offset - 1
        self.last_timestamp = frame.timestamp
        self.frames_sent += 1
        if self._aead is None:
            return self._encrypt_cm(buffer)
        # The loop that all of camgate's cost a packet is in: nothing here that can be done once a frame.
        encrypt = self._aead.encrypt_into
        salted_ssrc = self._salted
        index = frame.first_index + self.numbers.base
        for payload, header, place in buffer.slots:
            encrypt((salted_ssrc ^ index).to_bytes(12, "big"), payload, header, place)
            index += 1
        return buffer.batches

    def _encrypt_cm(self, buffer: FrameBuffer) -> Iterator[Batch]:
        """AES_CM_128_HMAC_SHA1_80 by libsrtp, for the few peers without GCM; its tag is 10 bytes.

        Batch by batch: of a frame that a full socket refuses, libsrtp must not see more than its window of 1,024
        packets, or it refuses the next frame, which takes the same numbers.
        """
        protect = self._keys.outbound.protect
        first = 0
        for _, segment_bytes, count in buffer.batches:
            batch = [protect(bytes(header) + payload) for payload, header, _ in buffer.slots[first : first + count]]
            yield batch, len(batch[0]) if segment_bytes else 0, count
            first += count

    def send_batch(self, parts: Sequence[bytes | memoryview], segment_bytes: int, packets: int) -> bool:
        """Send one batch of `encrypt`; False when the socket is full."""
        route = self.route
        if not route.socket.send(parts, segment_bytes, route):
            return False
        self.packets_sent += packets
        self.octets_sent += sum(map(len, parts))
        return True

    def resend(self, frame: PacketizedFrame, position: int, offset: int) -> int:
        """Send one packet again: the same bytes under the same nonce (RFC 4585; RFC 3711 section 3.3.2).

        Returns its size.
        """
        viewer_index = frame.first_index + position + offset
        profile = self._profile_of(viewer_index)
        if profile is None:
            return 0
        header = frame.header(position, profile, self.ssrc, offset)
        payload = frame.payloads[position]
        if self._aead is not None:
            nonce = packet_nonce(self._salted, viewer_index - (self.numbers.roc0 << 16))
            packet = header + self._aead.encrypt(nonce, payload, header)
        else:
            try:
                packet = self._keys.outbound.protect(header + payload)
            except pylibsrtp.Error:
                return 0  # more than libsrtp's window of 1,024 packets ago
        self.packets_retransmitted += 1
        self.route.send(packet)
        return len(packet)

    def is_on_its_way(self, viewer_index: int, now: float) -> bool:
        """Say whether a packet that is asked for is being sent again already."""
        if self.pace is not None and self.pace.will_repeat(viewer_index):
            return True
        return self.repeats.is_on_its_way(viewer_index, now, self.round_trip_s)

    def judge_path(self, now: float) -> None:
        """Each second: a viewer that misses much gets time to ask for it, for a while."""
        if self.repeats.is_path_bad(self.packets_sent, self.loss_fraction):
            self.be_patient(now)
        is_patient = now < self._patient_until_s
        if is_patient != self.profile.is_patient:
            self.profile = replace(self.profile, is_patient=is_patient)
            self._profiles = [self._profiles[-1], (self.last_index + 1, self.profile)]

    def be_patient(self, now: float) -> None:
        """Have the browser show pictures a little later for a while, so that repeats come in time."""
        self._patient_until_s = now + PATIENT_S

    def _profile_of(self, viewer_index: int) -> HeaderProfile | None:
        """Return the profile that a packet was sent under; None when it was changed twice since.

        One nonce must not protect two headers either (RFC 5116 section 3.1).
        """
        return next((profile for first, profile in reversed(self._profiles) if viewer_index >= first), None)

    def may_request_key_frame(self, now: float) -> bool:
        """Say whether a key frame request is due; at most one each KEY_FRAME_REQUEST_INTERVAL_S is."""
        self.key_frame_requests += 1
        if now < self._has_key_until_s and not self.waiting_for_key:
            return False
        if now - self._last_key_request_s < KEY_FRAME_REQUEST_INTERVAL_S:
            return False
        self._last_key_request_s = now
        return True

    def key_frame_was_sent(self, now: float) -> None:
        """Take requests as answered for a while, unless we leave out frames that it then needs a key frame for."""
        self._has_key_until_s = now + KEY_FRAME_REQUEST_INTERVAL_S

    def find_own(self, viewer_index: int) -> tuple[PacketizedFrame, int, int] | None:
        """Find a packet of this viewer's last burst: (frame, position, offset)."""
        index = viewer_index - self.own_offset
        frame = find_frame(self.own_frames, index)
        return None if frame is None else (frame, index - frame.first_index, self.own_offset)

    def give_up_burst(self) -> None:
        """Drop what is left of a burst; what follows takes its numbers, and waits for a key frame."""
        self.skip_queue()
        self.bursting = None
        self.waiting_for_key = True

    def skip_queue(self) -> None:
        """Drop the frames that wait in `bursting`; what follows takes their numbers."""
        queue = self.bursting
        if queue:
            first = queue[0].first_index
            # A NACK of a number that went to another packet must not find the one that it was planned for.
            self.own_frames = [frame for frame in self.own_frames if frame.first_index < first]
            self.numbers.skip(first, queue[-1].end_index - first)
            self.frames_dropped += len(queue)
            queue.clear()

    def forget_burst(self, now: float) -> None:
        """Let go of a burst's packets once nobody asks for them any more."""
        if self.own_frames and now > self.own_frames_until_s:
            self.own_frames = []

    def send_report(self, rtp_timestamp: int, unix_time_s: float, cname: str) -> None:
        """Send an SR with SDES (RFC 3550 section 6.4.1) that ties the RTP clock to the wall clock."""
        report = rtcp.build_sender_report(
            ssrc=self.ssrc,
            unix_time_s=unix_time_s,
            rtp_timestamp=rtp_timestamp,
            packet_count=self.packets_sent & 0xFFFFFFFF,
            octet_count=max(0, self.octets_sent - self.packets_sent * (12 + GCM_TAG_BYTES)) & 0xFFFFFFFF,
            cname=cname,
        )
        self.route.send(self._keys.outbound.protect_rtcp(report))

    def send_bye(self) -> None:
        """Say that no more packets of this SSRC follow (RFC 3550 section 6.6)."""
        self.route.send(self._keys.outbound.protect_rtcp(rtcp.build_bye(self.ssrc)))

    def take_report(self, block: rtcp.ReportBlock) -> None:
        """Take what a receiver report says of us: loss, jitter, and the round trip by LSR and DLSR (section 6.4.1)."""
        self.loss_fraction = block.fraction_lost / 256
        self.jitter_s = block.jitter / CLOCK_HZ
        self.round_trip_s = block.round_trip_s(unix_now_s())

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """Open an SRTCP packet; raises pylibsrtp.Error when it is not authentic."""
        opened: bytes = self._keys.inbound.unprotect_rtcp(data)
        return opened

    def statistics(self) -> ViewerStatistics:
        """Take a snapshot."""
        return ViewerStatistics(
            self.packets_sent,
            self.octets_sent,
            self.frames_sent,
            self.frames_dropped,
            self.packets_retransmitted,
            self.nacks_received,
            self.retransmissions.refused,
            self.key_frame_requests,
            self.loss_fraction,
            self.jitter_s,
            self.round_trip_s,
            len(self.bursting or ()),
            len(self.own_frames),
            self.pace.repeats if self.pace is not None else 0,
        )
