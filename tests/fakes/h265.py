"""H.265 NAL units and RTP packets for tests: real parameter sets, slices with right headers and noise for bodies.

The packetiser shares no code with camgate's own, and does what cameras do that camgate never sends: DONL, aggregates of
anything, fragments of any size.
"""

import struct
from collections.abc import Iterable, Sequence
from random import Random

from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes.bits import BitWriter
from tests.fakes.h264 import FRAME_TICKS, PAYLOAD_TYPE, SSRC

# libx265: Main 640x360 and Main 1920x1080, both at 25 fps without B-frames; Main 10; and Main with two B-frames at 30.
# All use set ids 0.
VPS = bytes.fromhex("40010c01ffff01600000030090000003000003003fba0240")
SPS = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5ba4a4c2e6808000003000800000300c840")
PPS = bytes.fromhex("4401c0718312")
OTHER_VPS = bytes.fromhex("40010c01ffff016000000300900000030000030078ba0240")
OTHER_SPS = bytes.fromhex("420101016000000300900000030000030078a003c0801107cb96e92930b9a02000000300200000030321")
OTHER_PPS = bytes.fromhex("4401c073c189")
MAIN10_SPS = bytes.fromhex(
    "42010102200000030090000003000003003fa005020171f2b65ba4a4c2e68080000003008000000cb00a452f0007a12000f42440"
)
B_FRAMES_SPS = bytes.fromhex("42010101600000030090000003000003003fa005020171f2e5959129385cd010000003001000000301e080")
AUD = bytes.fromhex("460110")
SEI = bytes.fromhex("4e01068013c680465180")
SETS = [VPS, SPS, PPS]

TRAIL_N, TRAIL_R, RASL_N, RASL_R, BLA_W_LP, IDR_W_RADL, CRA = 0, 1, 8, 9, 16, 19, 21


def slice_nal(size: int = 100, nal_type: int = TRAIL_R, *, first: bool = True, pps_id: int = 0, seed: int = 0) -> bytes:
    """Return a slice segment of `size` bytes or a few more. first: it begins a picture."""
    header = BitWriter().flag(first)
    if 16 <= nal_type <= 23:
        header.flag(False)
    header.ue(pps_id)
    if not first:
        header.u(9, 5)
    start = bytes((nal_type << 1, 1)) + header.rbsp()
    # Without zeros no start code and no trailing zero can come about by chance.
    return start + Random(seed).randbytes(max(0, size - len(start))).replace(b"\x00", b"\x01")


def key_nals(size: int = 3000, nal_type: int = IDR_W_RADL, seed: int = 0) -> list[bytes]:
    return [*SETS, slice_nal(size, nal_type, seed=seed)]


def single(nal: bytes, don: int | None = None) -> bytes:
    """RFC 7798 4.4.1."""
    return nal if don is None else nal[:2] + struct.pack("!H", don & 0xFFFF) + nal[2:]


def aggregate(nals: Sequence[bytes], don: int | None = None) -> bytes:
    """RFC 7798 4.4.2. Each unit follows the one before in decoding order, so every DOND is 0."""
    out = b"\x60\x01"
    for place, nal in enumerate(nals):
        if don is not None:
            out += b"\x00" if place else struct.pack("!H", don & 0xFFFF)
        out += struct.pack("!H", len(nal)) + nal
    return out


def fragments(nal: bytes, body_bytes: int, don: int | None = None) -> list[bytes]:
    """RFC 7798 4.4.3: at least two, of `body_bytes` each."""
    pieces = [nal[at : at + body_bytes] for at in range(2, len(nal), body_bytes)]
    if len(pieces) < 2:
        pieces = [nal[2:3], nal[3:]]
    out = []
    for place, piece in enumerate(pieces):
        flags = 0x80 if place == 0 else 0x40 if place == len(pieces) - 1 else 0
        donl = b"" if don is None or place else struct.pack("!H", don & 0xFFFF)
        out.append(bytes((nal[0] & 0x81 | 49 << 1, nal[1], flags | nal[0] >> 1)) + donl + piece)
    return out


class H265Writer:
    """Numbers packets as a camera does: `packets` makes those of one access unit, each its own RTP packet.

    with_don: with decoding order numbers (sprop-max-don-diff above 0).
    """

    def __init__(
        self,
        *,
        sequence: int = 0,
        timestamp: int = 0,
        ssrc: int = SSRC,
        max_payload_bytes: int = 500,
        with_don: bool = False,
    ) -> None:
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.max_payload_bytes = max_payload_bytes
        self._don = 0 if with_don else None

    def packet(self, payload: bytes, *, marker: bool = False, payload_type: int = PAYLOAD_TYPE) -> bytes:
        header = build_rtp_header(payload_type, self.sequence, self.timestamp, self.ssrc, marker=marker)
        self.sequence = self.sequence + 1 & 0xFFFF
        return header + payload

    def payloads(self, payloads: Sequence[bytes], *, marker: bool = True) -> list[bytes]:
        """Return one access unit's packets from payloads made by hand, and go on to the next frame's time."""
        last = len(payloads) - 1
        packets = [self.packet(payload, marker=marker and i == last) for i, payload in enumerate(payloads)]
        self.timestamp = self.timestamp + FRAME_TICKS & 0xFFFFFFFF
        return packets

    def packets(self, nals: Iterable[bytes], *, marker: bool = True) -> list[bytes]:
        """Small NAL units in aggregates as far as they fit, large ones in fragments."""
        payloads: list[bytes] = []
        small: list[bytes] = []

        def flush() -> None:
            if small:
                payloads.append(aggregate(small, self._don) if len(small) > 1 else single(small[0], self._don))
                small.clear()

        for nal in nals:
            if 8 + sum(len(each) + 3 for each in [*small, nal]) > self.max_payload_bytes:
                flush()
            if 8 + len(nal) > self.max_payload_bytes:
                payloads += fragments(nal, self.max_payload_bytes - 5, self._don)
            else:
                small.append(nal)
            if self._don is not None:
                self._don += 1
        flush()
        return self.payloads(payloads, marker=marker)
