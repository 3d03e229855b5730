"""RTP packets and sender reports for one client that plays one H.264 stream. Does no I/O."""

from collections.abc import Sequence

from camgate.serve.rtsp.description import VIDEO_PAYLOAD_TYPE
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264_payload import packetize_h264
from camgate.wire.rtp.packet import build_rtp_header
from camgate.wire.rtp.rtcp import build_bye, build_sender_report

CLOCK_HZ = 90_000
CNAME = "camgate"

MAX_PAYLOAD_BYTES = 1400
"""TCP would carry 64 kB, but clients hand packets on to parts that were made for datagrams."""

JOIN_SPACING_TICKS = 450
"""5 ms between the cached frames that a client starts with: it shows the newest at once instead of staying as far
behind as the cache is long."""


class RtpSender:
    """Numbers one client's packets.

    ssrc, sequence, timestamp: random (RFC 3550 section 5.1); the last two are those of the first packet.
    """

    def __init__(self, *, ssrc: int, sequence: int, timestamp: int) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        self._offset: int | None = None
        self._timestamp = timestamp
        self._arrival_s = 0.0
        self._packet_count = 0
        self._octet_count = 0

    def join_packets(self, frames: Sequence[Frame]) -> list[bytes]:
        """Return the packets of what the stream has cached; call it first."""
        start = self._timestamp
        packets = [
            packet
            for index, frame in enumerate(frames)
            for packet in self._packetize(frame, start + index * JOIN_SPACING_TICKS)
        ]
        if frames:
            self._offset = start + (len(frames) - 1) * JOIN_SPACING_TICKS - frames[-1].rtp_time
        return packets

    def packets(self, frame: Frame) -> list[bytes]:
        """Return the packets of the next live frame."""
        if self._offset is None:
            self._offset = self._timestamp - frame.rtp_time
        return self._packetize(frame, frame.rtp_time + self._offset)

    def report(self, now: float, unix_s: float) -> bytes:
        """Return a sender report: what the media clock shows now, when the wall clock shows `unix_s`."""
        elapsed = round((now - self._arrival_s) * CLOCK_HZ)
        timestamp = self._timestamp + elapsed
        return build_sender_report(self._ssrc, unix_s, timestamp, self._packet_count, self._octet_count, CNAME)

    def goodbye(self) -> bytes:
        """Return the BYE that ends the stream."""
        return build_bye(self._ssrc)

    def _packetize(self, frame: Frame, timestamp: int) -> list[bytes]:
        self._timestamp = timestamp
        self._arrival_s = frame.arrival_s
        payloads = packetize_h264(frame.nals, MAX_PAYLOAD_BYTES)
        first, last = self._sequence, len(payloads) - 1
        self._sequence = first + len(payloads) & 0xFFFF
        self._packet_count += len(payloads)
        self._octet_count += sum(map(len, payloads))
        # RFC 6184 section 5.1: the marker is on the last packet of an access unit.
        return [
            build_rtp_header(VIDEO_PAYLOAD_TYPE, first + index, timestamp, self._ssrc, marker=index == last) + payload
            for index, payload in enumerate(payloads)
        ]
