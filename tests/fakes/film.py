"""`Film`: the pictures that a lying camera sends, how it packs them into RTP, and what its clock says.

Every picture carries its number (`numbers_of` reads it back), so a test sees which ones came through, and whole. This
module shares no code with camgate's own packetiser.
"""

import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tests.fakes.h264 import AUD, OTHER_PPS, OTHER_SPS, PPS, SEI, SPS

__all__ = ["AUD", "OTHER_PPS", "OTHER_SPS", "PPS", "SEI", "SPS", "Film", "Packet", "numbers_of", "one_by_one"]

KEY_HEADER = b"\x65\x88\x84"
OTHER_HEADER = b"\x41\x9a\x02"
"""Beginnings of slices: first_mb_in_slice is 0, so each begins a picture."""

NEXT_SLICE_HEADER = {KEY_HEADER: b"\x65\x04\xa2\x11", OTHER_HEADER: b"\x41\x04\xa6\x80"}
"""The same with a first_mb_in_slice of 36: further slices of the same picture."""

FILLER = b"\x0c\xff\xff\x80"
START_CODE = b"\0\0\0\x01"

VIDEO_SSRC = 0xCA3E7A
FU_A = 28


@dataclass(frozen=True)
class Packet:
    """One packet of a picture. ticks: what its timestamp differs by from the picture's. payload_type: None = as the
    session description says.

    is_counted: it takes a number of the track's sequence. on: 0 = RTP channel, 1 = RTCP, 7 = one that nobody set up.
    """

    payload: bytes
    marker: bool = False
    ticks: int = 0
    payload_type: int | None = None
    ssrc: int = VIDEO_SSRC
    is_counted: bool = True
    on: int = 0


def slice_of(number: int, *, key: bool, size: int = 300) -> bytes:
    """Return the slice of picture `number`, its number in it."""
    header = KEY_HEADER if key else OTHER_HEADER
    return (header + f"#{number:07d}#".encode()).ljust(size, b"\x55")


def further_slice(number: int, *, key: bool) -> bytes:
    """Return a slice of picture `number` that does not begin it."""
    return NEXT_SLICE_HEADER[KEY_HEADER if key else OTHER_HEADER].ljust(200, b"\x55")


def numbers_of(nals: Iterable[bytes]) -> list[int]:
    """Return the numbers of the pictures whose first slices are among some NAL units."""
    return [int(found[1]) for nal in nals if (found := re.search(rb"#(\d{7})#", nal))]


Pack = Callable[[list[bytes]], list[Packet]]


def one_by_one(nals: list[bytes]) -> list[Packet]:
    """Pack each NAL unit into a packet of its own, or into FU-A where it is larger than 1,400 bytes."""
    packets = [Packet(payload) for nal in nals for payload in (fragments(nal) if len(nal) > 1400 else [nal])]
    return [*packets[:-1], replace(packets[-1], marker=True)]


def fragments(nal: bytes, size: int = 1000) -> list[bytes]:
    """Cut a NAL unit into FU-A payloads (RFC 6184 5.8)."""
    indicator, nal_type = nal[0] & 0xE0 | FU_A, nal[0] & 0x1F
    parts = [nal[at : at + size] for at in range(1, len(nal), size)]
    flags = [0x80] + [0] * (len(parts) - 2) + [0x40]
    return [bytes((indicator, flag | nal_type)) + part for flag, part in zip(flags, parts, strict=True)]


def plain(number: int, *, is_key: bool) -> list[bytes]:
    """Return the NAL units of a picture as most cameras send them."""
    sets = [SPS, PPS] if is_key else []
    return [*sets, slice_of(number, key=is_key, size=3000 if is_key else 300)]


@dataclass(frozen=True, kw_only=True)
class Film:
    """What a camera shows, picture by picture.

    nals: of picture `number`; `plain` is the usual. pack: them into packets. clock: what the camera's clock says, in
    seconds, at a second of the film. shown: when picture `number` is shown, in frame intervals. reports: RTCP that goes
    out at a second of the film. drops: whether the packet of a sequence number is lost.
    """

    fps: float = 25.0
    gop: int = 25
    nals: Callable[..., list[bytes]] = plain
    pack: Pack = one_by_one
    clock: Callable[[float], float] = lambda second: second
    shown: Callable[[int], int] = lambda number: number
    reports: Callable[[float], bytes | None] = lambda second: None
    drops: Callable[[int], bool] = lambda sequence: False

    def picture(self, number: int, sequence: int, payload_type: int) -> tuple[list[tuple[int, bytes]], int]:
        """Return the packets of a picture, each with where it goes (see `Packet.on`), and the next sequence number."""
        second = number / self.fps
        stamp = round(self.clock(self.shown(number) / self.fps) * 90_000) + 0xFFFF0000
        report = self.reports(second)
        packets = [(1, report)] if report else []
        for packet in self.pack(self.nals(number, is_key=number % self.gop == 0)):
            header = struct.pack(
                "!BBHII",
                0x80,
                (0x80 if packet.marker else 0) | (packet.payload_type or payload_type),
                sequence & 0xFFFF,
                (stamp + packet.ticks) & 0xFFFFFFFF,
                packet.ssrc,
            )
            if not (packet.is_counted and self.drops(sequence)):
                packets.append((packet.on, header + packet.payload))
            sequence += packet.is_counted
        return packets, sequence
