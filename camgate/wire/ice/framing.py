"""Packets in a TCP connection: each behind its length in two bytes (RFC 4571 section 2; RFC 6544 section 3)."""

import struct
from collections.abc import Iterable

from camgate.base.errors import RemoteError

LENGTH = struct.Struct("!H")
MAX_PACKET_BYTES = 2_048
"""As for datagrams: DTLS records and reports of viewers are below the size of an Ethernet frame."""


class FramingMalformed(RemoteError):
    """A length that no packet of ours has: what follows cannot be told apart any more."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def __str__(self) -> str:
        return f"a packet of {self.length} bytes is announced; no more than {MAX_PACKET_BYTES} are taken"


class Deframer:
    """Takes a connection's bytes as they come and returns whole packets."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def receive_data_untrusted(self, data: bytes) -> list[bytes]:
        """Return the packets that are whole with `data`; empty ones are left out. Raises FramingMalformed."""
        pending = self._pending
        pending += data
        packets = []
        place = 0
        while len(pending) - place >= LENGTH.size:
            (length,) = LENGTH.unpack_from(pending, place)
            if length > MAX_PACKET_BYTES:
                raise FramingMalformed(length)
            start, end = place + LENGTH.size, place + LENGTH.size + length
            if end > len(pending):
                break
            if length:
                packets.append(bytes(pending[start:end]))
            place = end
        del pending[:place]
        return packets


def framed(buffers: Iterable[bytes | memoryview], segment_bytes: int) -> bytes:
    """Return the joined `buffers` as packets of `segment_bytes` (the last may be shorter; 0 = one packet), framed."""
    data = b"".join(buffers)
    if not segment_bytes:
        return LENGTH.pack(len(data)) + data
    parts: list[bytes] = []
    length = LENGTH.pack(segment_bytes)
    for start in range(0, len(data), segment_bytes):
        packet = data[start : start + segment_bytes]
        parts += (length if len(packet) == segment_bytes else LENGTH.pack(len(packet)), packet)
    return b"".join(parts)
