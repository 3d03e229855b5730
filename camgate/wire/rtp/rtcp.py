"""RTCP packets, parsed and built: reports (RFC 3550), feedback (RFC 4585, RFC 5104) and REMB.

Cameras truncate compounds and leave SDES items open, so only the first packet of a compound has to be sound: what
follows a damaged packet is ignored and what came before it is kept. Reduced-size RTCP (RFC 5506) is accepted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from struct import Struct, error

from camgate.wire.rtp.errors import RtcpMalformed

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
BYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206

GENERIC_NACK = 1  # RFC 4585 6.2.1, of TRANSPORT_FEEDBACK
PICTURE_LOSS = 1  # RFC 4585 6.3.1, of PAYLOAD_FEEDBACK
FULL_INTRA_REQUEST = 4  # RFC 5104 4.3.1
APPLICATION_LAYER = 15  # RFC 4585 6.4; REMB is draft-alvestrand-rmcat-remb-03

MAX_NACK_SEQUENCES = 1024
"""Sequence numbers taken from one NACK: libwebrtc keeps at most 1,000 on its list, 64 KiB could name 278,000.

A compound that has named so many is read no further."""
MAX_COMPOUND_PACKETS = 32
"""Packets taken from one compound: browsers send up to five, cameras three; 1,500 bytes could hold 180 empty ones."""

NTP_EPOCH_OFFSET_S = 2_208_988_800
"""From 1900, where NTP time begins, to 1970 (RFC 3550 4)."""

_HEADER = Struct("!BBH")
_SSRC = Struct("!I")
_SSRC_PAIR = Struct("!II")
_SENDER_INFO = Struct("!IQIII")
_REPORT_BLOCK = Struct("!IIIIII")
_NACK_ITEM = Struct("!HH")
_FIR_ENTRY = Struct("!IB3x")
_REMB_ID = b"REMB"
_CNAME = 1


@dataclass(slots=True)
class ReportBlock:
    """What a receiver says about one source (RFC 3550 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Loss since the last report in 256ths."""
    cumulative_lost: int
    """Packets lost since the beginning; negative when duplicates outnumber the lost."""
    highest_sequence: int
    """Extended: the rollover count in the upper 16 bits."""
    jitter: int
    """In clock ticks of the media."""
    last_sr: int
    """Middle 32 bits of the NTP time in the last sender report seen; 0 before the first."""
    delay_since_last_sr: int
    """In 65,536ths of a second."""

    def round_trip_s(self, unix_now_s: float) -> float | None:
        """Return the round-trip time at the moment of this report's arrival; None before it has seen an SR."""
        if not self.last_sr:
            return None
        # RFC 3550 6.4.1: A - LSR - DLSR, all in 65,536ths of a second.
        ticks = compact_ntp(unix_now_s) - self.last_sr - self.delay_since_last_sr & 0xFFFFFFFF
        return ticks / 65536 if ticks < 0x80000000 else 0.0


@dataclass(slots=True)
class SenderReport:
    """Where a sender's media clock stands against its wall clock."""

    ssrc: int
    ntp_time: int
    """64-bit NTP time; cameras send zero and wrong epochs, so check it before use."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    @property
    def unix_time_s(self) -> float:
        return self.ntp_time / (1 << 32) - NTP_EPOCH_OFFSET_S


@dataclass(slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(slots=True)
class Bye:
    ssrcs: tuple[int, ...]


@dataclass(slots=True)
class Nack:
    """Sequence numbers that a receiver wants again."""

    sender_ssrc: int
    media_ssrc: int
    sequences: tuple[int, ...]


@dataclass(slots=True)
class PictureLossIndication:
    sender_ssrc: int
    media_ssrc: int


@dataclass(slots=True)
class FullIntraRequest:
    """Key frames wanted: (media SSRC, request number) each; a repeated number is a repeated request."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Remb:
    """The bit rate that a receiver believes its path can carry."""

    sender_ssrc: int
    bitrate_bps: int
    media_ssrcs: tuple[int, ...]


RtcpPacket = SenderReport | ReceiverReport | Bye | Nack | PictureLossIndication | FullIntraRequest | Remb


def parse_rtcp_untrusted(data: bytes) -> list[RtcpPacket]:
    """Return the packets of a compound that mean something to us; SDES, APP and unknown types are skipped.

    Raises RtcpMalformed when not even the first packet is sound.
    """
    packets: list[RtcpPacket] = []
    at = taken = named = 0
    while at + _HEADER.size <= len(data) and taken < MAX_COMPOUND_PACKETS and named < MAX_NACK_SEQUENCES:
        first, packet_type, words = _HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        # RFC 3550 6.4.1: version 2; the length counts 32-bit words minus one.
        if first >> 6 != 2 or end > len(data):
            break
        parse = _PARSERS.get(packet_type)
        if parse is not None:
            try:
                packet = parse(first & 0x1F, data[at + _HEADER.size : _without_padding(first, data, at, end)])
            except error:
                break
            if packet is not None:
                packets.append(packet)
            if type(packet) is Nack:
                named += len(packet.sequences)
        at = end
        taken += 1
    if at == 0:
        raise RtcpMalformed("its first packet is damaged or no RTCP", len(data))
    return packets


def build_sender_report(
    ssrc: int, unix_time_s: float, rtp_timestamp: int, packet_count: int, octet_count: int, cname: str
) -> bytes:
    """Return a compound of SR and SDES CNAME: `rtp_timestamp` is what the media clock shows at `unix_time_s`."""
    info = _SENDER_INFO.pack(
        ssrc,
        ntp_time(unix_time_s),
        rtp_timestamp & 0xFFFFFFFF,
        packet_count & 0xFFFFFFFF,
        octet_count & 0xFFFFFFFF,
    )
    # RFC 3550 6.1: a compound begins with a report and holds the CNAME.
    return _packet(0, SENDER_REPORT, info) + _source_description(ssrc, cname)


def build_receiver_report(ssrc: int, reports: Sequence[ReportBlock] = (), *, cname: str | None = None) -> bytes:
    """Return an RR, with SDES CNAME where one is given. An RR without blocks says only that somebody listens."""
    blocks = b"".join(map(_pack_report_block, reports))
    report = _packet(len(reports), RECEIVER_REPORT, _SSRC.pack(ssrc) + blocks)
    return report if cname is None else report + _source_description(ssrc, cname)


def build_bye(ssrc: int) -> bytes:
    """Return a compound of an empty RR and BYE (RFC 3550 6.6)."""
    return build_receiver_report(ssrc) + _packet(1, BYE, _SSRC.pack(ssrc))


def build_picture_loss_indication(sender_ssrc: int, media_ssrc: int) -> bytes:
    return _packet(PICTURE_LOSS, PAYLOAD_FEEDBACK, _SSRC_PAIR.pack(sender_ssrc, media_ssrc))


def build_nack(sender_ssrc: int, media_ssrc: int, sequences: Iterable[int]) -> bytes:
    """Return a generic NACK; sequences in ascending order (modulo 2^16) take the fewest items."""
    items: list[tuple[int, int]] = []
    for sequence in sequences:
        # RFC 4585 6.2.1: bit i of BLP asks for PID + i + 1.
        if items and 0 < (distance := sequence - items[-1][0] & 0xFFFF) <= 16:
            pid, blp = items[-1]
            items[-1] = (pid, blp | 1 << distance - 1)
        else:
            items.append((sequence, 0))
    body = b"".join(_NACK_ITEM.pack(*item) for item in items)
    return _packet(GENERIC_NACK, TRANSPORT_FEEDBACK, _SSRC_PAIR.pack(sender_ssrc, media_ssrc) + body)


def ntp_time(unix_time_s: float) -> int:
    """Return a Unix time as 64-bit NTP time (RFC 3550 4)."""
    return int((unix_time_s + NTP_EPOCH_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def compact_ntp(unix_time_s: float) -> int:
    """Return the middle 32 bits of the NTP time, in which reports tell round trips."""
    return ntp_time(unix_time_s) >> 16 & 0xFFFFFFFF


def _packet(count_or_format: int, packet_type: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count_or_format, packet_type, len(body) // 4) + body


def _source_description(ssrc: int, cname: str) -> bytes:
    text = cname.encode()
    chunk = _SSRC.pack(ssrc) + bytes((_CNAME, len(text))) + text
    # RFC 3550 6.5: the item list ends with at least one null octet, up to the next 32-bit boundary.
    return _packet(1, SOURCE_DESCRIPTION, chunk + bytes(4 - len(chunk) % 4))


def _pack_report_block(block: ReportBlock) -> bytes:
    lost = block.fraction_lost << 24 | block.cumulative_lost & 0xFFFFFF
    return _REPORT_BLOCK.pack(
        block.ssrc, lost, block.highest_sequence, block.jitter, block.last_sr, block.delay_since_last_sr
    )


def _without_padding(first: int, data: bytes, at: int, end: int) -> int:
    # RFC 3550 6.4.1: the last octet of the padding counts it, itself included.
    if not first & 0x20:
        return end
    return max(at + _HEADER.size, end - data[end - 1])


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    ssrc, ntp, rtp_timestamp, packet_count, octet_count = _SENDER_INFO.unpack_from(body)
    blocks = _parse_report_blocks(count, body, _SENDER_INFO.size)
    return SenderReport(ssrc, ntp, rtp_timestamp, packet_count, octet_count, blocks)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    (ssrc,) = _SSRC.unpack_from(body)
    return ReceiverReport(ssrc, _parse_report_blocks(count, body, _SSRC.size))


def _parse_report_blocks(count: int, body: bytes, at: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for _ in range(count):
        ssrc, lost, *rest = _REPORT_BLOCK.unpack_from(body, at)
        cumulative = lost & 0xFFFFFF
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative - ((cumulative & 0x800000) << 1), *rest))
        at += _REPORT_BLOCK.size
    return tuple(blocks)


def _parse_bye(count: int, body: bytes) -> Bye:
    return Bye(tuple(_SSRC.unpack_from(body, 4 * i)[0] for i in range(count)))


def _parse_transport_feedback(feedback_format: int, body: bytes) -> Nack | None:
    if feedback_format != GENERIC_NACK:
        return None
    sender_ssrc, media_ssrc = _SSRC_PAIR.unpack_from(body)
    sequences: list[int] = []
    for at in range(_SSRC_PAIR.size, len(body) - 3, _NACK_ITEM.size):
        pid, blp = _NACK_ITEM.unpack_from(body, at)
        sequences.append(pid)
        # RFC 4585 6.2.1: bit i of BLP set means that packet PID + i + 1 is lost, too.
        sequences += [pid + 1 + i & 0xFFFF for i in range(16) if blp >> i & 1]
        if len(sequences) >= MAX_NACK_SEQUENCES:
            break
    return Nack(sender_ssrc, media_ssrc, tuple(sequences[:MAX_NACK_SEQUENCES]))


def _parse_payload_feedback(
    feedback_format: int, body: bytes
) -> PictureLossIndication | FullIntraRequest | Remb | None:
    sender_ssrc, media_ssrc = _SSRC_PAIR.unpack_from(body)
    if feedback_format == PICTURE_LOSS:
        return PictureLossIndication(sender_ssrc, media_ssrc)
    if feedback_format == FULL_INTRA_REQUEST:
        entries = range(_SSRC_PAIR.size, len(body) - 7, _FIR_ENTRY.size)
        return FullIntraRequest(sender_ssrc, tuple(_FIR_ENTRY.unpack_from(body, at) for at in entries))
    if feedback_format == APPLICATION_LAYER and body[8:12] == _REMB_ID:
        return _parse_remb(sender_ssrc, body)
    return None


def _parse_remb(sender_ssrc: int, body: bytes) -> Remb:
    # draft-alvestrand-rmcat-remb-03 2.2: SSRC count 8, exponent 6, mantissa 18 bits, then the SSRCs.
    (packed,) = _SSRC.unpack_from(body, 12)
    bitrate_bps = (packed & 0x3FFFF) << (packed >> 18 & 0x3F)
    return Remb(sender_ssrc, bitrate_bps, tuple(_SSRC.unpack_from(body, 16 + 4 * i)[0] for i in range(packed >> 24)))


_PARSERS: dict[int, Callable[[int, bytes], RtcpPacket | None]] = {
    SENDER_REPORT: _parse_sender_report,
    RECEIVER_REPORT: _parse_receiver_report,
    BYE: _parse_bye,
    TRANSPORT_FEEDBACK: _parse_transport_feedback,
    PAYLOAD_FEEDBACK: _parse_payload_feedback,
}
