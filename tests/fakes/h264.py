"""H.264 NAL units and RTP packets for tests: real parameter sets, slices with right headers and noise for bodies."""

from collections.abc import Iterable, Sequence
from random import Random

from camgate.wire.codec.h264_payload import packetize_h264
from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes.bits import BitWriter

# libx264: Baseline 640x360 at 25 fps, and Main 1920x1080 at 25 fps. Both use set ids 0.
SPS = bytes.fromhex("6742c01ed900a02ff961000003000100000300328f162e48")
PPS = bytes.fromhex("68cb83cb20")
OTHER_SPS = bytes.fromhex("674d4028d900780227e584000003000400000300c83c60c920")
OTHER_PPS = bytes.fromhex("68ebc3cb20")
AUD = bytes.fromhex("0910")
SEI = bytes.fromhex("0605ff0180")

PAYLOAD_TYPE = 96
SSRC = 0x1234ABCD
FRAME_TICKS = 3600


def slice_nal(size: int = 100, *, key: bool = False, first_mb: int = 0, pps_id: int = 0, seed: int = 0) -> bytes:
    """Return a slice of `size` bytes or a few more."""
    header = BitWriter().ue(first_mb, 7 if key else 5, pps_id).rbsp()
    # Without zeros no start code and no trailing zero can come about by chance.
    body = Random(seed).randbytes(max(0, size - 1 - len(header))).replace(b"\x00", b"\x01")
    return bytes((0x65 if key else 0x41,)) + header + body


def key_nals(size: int = 3000, seed: int = 0) -> list[bytes]:
    return [SPS, PPS, slice_nal(size, key=True, seed=seed)]


class RtpWriter:
    """Numbers packets as a camera does: `packets` makes those of one access unit, each its own RTP packet."""

    def __init__(
        self, *, sequence: int = 0, timestamp: int = 0, ssrc: int = SSRC, max_payload_bytes: int = 500
    ) -> None:
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.max_payload_bytes = max_payload_bytes

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
        return self.payloads(packetize_h264(list(nals), self.max_payload_bytes), marker=marker)
