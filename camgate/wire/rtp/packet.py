"""RTP packets: the fixed header and where the payload lies (RFC 3550 5.1 and 5.3.1)."""

from dataclasses import dataclass
from struct import Struct

from camgate.wire.rtp.errors import RtpMalformed

HEADER_BYTES = 12
MARKER = 0x80

_HEADER = Struct("!BBHII")
_EXTENSION_WORDS = Struct("!2xH")
_VERSION_2 = 0x80
_PADDING = 0x20
_EXTENSION = 0x10
_CSRC_COUNT_MASK = 0x0F


@dataclass(slots=True)
class RtpPacket:
    """One parsed packet. Extensions and CSRCs are skipped: nothing in camgate reads them."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp_untrusted(data: bytes) -> RtpPacket:
    """Parse a packet. Raises RtpMalformed."""
    start, end = payload_bounds_untrusted(data)
    _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    return RtpPacket(bool(second & MARKER), second & 0x7F, sequence, timestamp, ssrc, data[start:end])


def payload_bounds_untrusted(data: bytes | memoryview) -> tuple[int, int]:
    """Return where the payload begins and ends in a packet. Raises RtpMalformed.

    For the per-packet path, which reads header fields without building an object.
    """
    size = len(data)
    if size < HEADER_BYTES:
        raise RtpMalformed("shorter than its header", size)
    first = data[0]
    if first & 0xC0 != _VERSION_2:
        raise RtpMalformed(f"version {first >> 6}", size)
    start = HEADER_BYTES + 4 * (first & _CSRC_COUNT_MASK)
    if first & _EXTENSION:
        if size < start + _EXTENSION_WORDS.size:
            raise RtpMalformed("shorter than its extension header", size)
        # 5.3.1: the length counts the 32-bit words behind the extension's own header.
        (words,) = _EXTENSION_WORDS.unpack_from(data, start)
        start += _EXTENSION_WORDS.size + 4 * words
    end = size
    if first & _PADDING:
        # 5.1: the last octet of the padding counts it, itself included.
        end -= data[-1]
    if start > end:
        raise RtpMalformed("its extension, CSRCs or padding do not fit", size)
    return start, end


def build_rtp_header(payload_type: int, sequence: int, timestamp: int, ssrc: int, *, marker: bool = False) -> bytes:
    """Return a header without CSRCs and extension; `sequence` and `timestamp` are cut to their 16 and 32 bits."""
    second = payload_type | (MARKER if marker else 0)
    return _HEADER.pack(_VERSION_2, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
