"""A frame as RTP packets: packetised once, headers written once, laid out for encryption and GSO.

`PacketizedFrame` is what all viewers of a stream share and what the retransmission ring keeps. `FrameBuffer` is that
frame with the RTP headers of one `HeaderProfile` and room for the authentication tags: viewers of one profile take
turns to encrypt into it and send it.
"""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from camgate.serve.datagrams import segment_runs

MAX_PACKET_BYTES = 1_200
"""RTP and SRTP together: passes VPNs and PPPoE, and is what browsers use themselves."""
GCM_TAG_BYTES = 16
RTP_HEADER_BYTES = 12
MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - RTP_HEADER_BYTES - GCM_TAG_BYTES

Batch = tuple[Sequence[bytes | memoryview], int, int]
"""One system call: parts to join, segment size in bytes (0 = a single datagram), number of packets."""

PATIENT_DELAYS = (20, 100)
"""From 0.2 s (a round trip and another try) to 1 s, in units of 10 ms."""

SOUND_DELAYS = (0, 50)
"""None of its own, and up to 0.5 s to wait for the sound: Chromium keeps that for 60-90 ms, more on bad networks, and
with a most of 0 the picture would always be ahead of it by as much (docs/design/lip-sync.md). With more than 0.5 s it
would smooth pictures as well, for some more delay."""

_HEADER = struct.Struct(">BBHII")
_EXTENSION = struct.Struct(">HHB")
_SEQUENCE = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class HeaderProfile:
    """What differs between viewers in the RTP header: payload type, and playout-delay's id (0 = not negotiated).

    is_patient: pictures are shown a little later, so that what was lost can come in time.
    has_sound: pictures may be held back until the sound that belongs to them is played.
    """

    payload_type: int
    playout_delay_id: int = 0
    is_patient: bool = False
    has_sound: bool = False


class PacketizedFrame:
    """One frame's RTP payloads, numbered from `first_index` of the shared index; `timestamp` is 32-bit RTP time."""

    __slots__ = ("end_index", "first_index", "is_key", "payloads", "timestamp")

    def __init__(self, payloads: list[bytes], first_index: int, timestamp: int, is_key: bool) -> None:
        self.payloads = payloads
        self.first_index = first_index
        self.end_index = first_index + len(payloads)
        self.timestamp = timestamp
        self.is_key = is_key

    def header(self, position: int, profile: HeaderProfile, ssrc: int, offset: int) -> bytes:
        """Write the RTP header (RFC 3550 section 5.1) of the packet at `position`, with its header extension."""
        # RFC 6184 section 5.1: the marker bit is set on the last packet of the access unit, and only there.
        marker = 0x80 if position == len(self.payloads) - 1 else 0
        extended = self.is_key and position == 0 and profile.playout_delay_id
        header = _HEADER.pack(
            0x90 if extended else 0x80,
            marker | profile.payload_type,
            (self.first_index + position + offset) & 0xFFFF,
            self.timestamp,
            ssrc,
        )
        return header + _playout_delay(profile) if extended else header


def _playout_delay(profile: HeaderProfile) -> bytes:
    """Ask for no delay, or for others' sake some: RFC 8285 one-byte form, id, length 3, two 12-bit fields of 10 ms."""
    least, most = PATIENT_DELAYS if profile.is_patient else SOUND_DELAYS if profile.has_sound else (0, 0)
    return _EXTENSION.pack(0xBEDE, 1, profile.playout_delay_id << 4 | 2) + (least << 12 | most).to_bytes(3, "big")


def find_frame(frames: Sequence[PacketizedFrame], index: int) -> PacketizedFrame | None:
    """Find the frame that holds the packet `index` among `frames`, whose indices rise."""
    place = bisect_right(frames, index, key=_first_index) - 1
    return frames[place] if place >= 0 and index < frames[place].end_index else None


_first_index = attrgetter("first_index")


class FrameBuffer:
    """A frame's packets in one buffer: header, room for the encrypted payload and its tag, next header, and so on.

    slots: a (payload, header, place of the cipher text and tag) triple a packet, ready for `AESGCM.encrypt_into`.
    batches: runs of packets of one size, which a single GSO call sends.
    """

    __slots__ = ("_buffer", "_header_offsets", "batches", "frame", "offset", "slots")

    def __init__(self, frame: PacketizedFrame, profile: HeaderProfile, ssrc: int) -> None:
        self.frame = frame
        self.offset = 0
        headers = [frame.header(i, profile, ssrc, 0) for i in range(len(frame.payloads))]
        sizes = [
            len(header) + len(payload) + GCM_TAG_BYTES for header, payload in zip(headers, frame.payloads, strict=True)
        ]
        self._buffer = bytearray(sum(sizes))
        self._header_offsets: list[int] = []
        self.slots: list[tuple[bytes, memoryview, memoryview]] = []
        view = memoryview(self._buffer)
        start = 0
        for header, payload, size in zip(headers, frame.payloads, sizes, strict=True):
            body = start + len(header)
            view[start:body] = header
            self._header_offsets.append(start)
            self.slots.append((payload, view[start:body], view[body : start + size]))
            start += size
        self.batches: list[Batch] = [
            ((view[begin:end],), segment_bytes, packets) for begin, end, segment_bytes, packets in segment_runs(sizes)
        ]

    def renumber(self, offset: int) -> None:
        """Rewrite the sequence numbers for viewers whose index is `offset` from the shared one."""
        if offset != self.offset:
            self.offset = offset
            sequence = self.frame.first_index + offset
            for position in self._header_offsets:
                _SEQUENCE.pack_into(self._buffer, position + 2, sequence & 0xFFFF)
                sequence += 1
