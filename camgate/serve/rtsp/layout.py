"""A frame's RTP packets laid out in one buffer, once for all clients that play it the same way.

What differs from client to client (numbers, timestamp, SSRC, channel) is stamped into the layout, or into a copy.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from struct import Struct

from camgate.serve.datagrams import segment_runs
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.packet import HEADER_BYTES, MARKER

MAX_PAYLOAD_BYTES = 1400
"""With the headers of RTP, UDP and IPv6 1,460 bytes: fits Ethernet, and 40 bytes of tunnel. TCP would carry 64 kB, but
clients hand packets on to parts that were made for datagrams."""

MAX_KEPT_FRAMES = 16
"""Clients that keep up read a frame in the same turn of the scheduler; those who lag have theirs laid out anew."""

_INTERLEAVED_HEADER = Struct(">BBHBBHII")
_HEADER = Struct(">BBHII")
_STAMP = Struct(">HII")
_DOLLAR = 0x24
_VERSION_2 = 0x80
PREFIX_BYTES = 4
"""RFC 2326 section 10.12: `$`, channel, length."""

Packetize = Callable[[Frame], Sequence[bytes]]
"""The RTP payloads of a frame, at most MAX_PAYLOAD_BYTES each where they can be cut."""


class FrameLayout:
    """One frame's packets, each behind its interleaved prefix or one right after the other.

    is_marked: the last packet has the marker, as that of an access unit must (RFC 6184 section 5.1, RFC 7798 4.1).
    count: packets. payload_bytes: all their payloads together. runs: (packets, segment size, number) for one call each.
    """

    __slots__ = ("_at", "_buffer", "count", "payload_bytes", "runs")

    def __init__(
        self, payloads: Sequence[bytes], payload_type: int, *, is_interleaved: bool, is_marked: bool = True
    ) -> None:
        self.count = len(payloads)
        self.payload_bytes = sum(map(len, payloads))
        parts: list[bytes] = []
        self._at: list[int] = []
        at = 0
        for index, payload in enumerate(payloads):
            second = payload_type | (MARKER if is_marked and index == self.count - 1 else 0)
            size = HEADER_BYTES + len(payload)
            if is_interleaved:
                parts.append(_INTERLEAVED_HEADER.pack(_DOLLAR, 0, size, _VERSION_2, second, 0, 0, 0))
                at += PREFIX_BYTES
            else:
                parts.append(_HEADER.pack(_VERSION_2, second, 0, 0, 0))
            parts.append(payload)
            self._at.append(at)
            at += size
        self._buffer = bytearray().join(parts)
        self.runs: list[tuple[memoryview, int, int]] = []
        if not is_interleaved:
            view = memoryview(self._buffer)
            sizes = [HEADER_BYTES + len(payload) for payload in payloads]
            self.runs = [(view[begin:end], segment, count) for begin, end, segment, count in segment_runs(sizes)]

    def stamp(self, sequence: int, timestamp: int, ssrc: int) -> None:
        """Write the header fields of one client; `runs` is then ready to be sent, before anybody else stamps."""
        _write(self._buffer, self._at, sequence, timestamp, ssrc)

    def stamped_copy(self, channel: int, sequence: int, timestamp: int, ssrc: int) -> bytearray:
        """Return the interleaved packets of one client."""
        copy = bytearray(self._buffer)
        _write(copy, self._at, sequence, timestamp, ssrc)
        if channel:
            for at in self._at:
                copy[at - PREFIX_BYTES + 1] = channel
        return copy


def _write(buffer: bytearray, places: Sequence[int], sequence: int, timestamp: int, ssrc: int) -> None:
    pack_into = _STAMP.pack_into
    for at in places:
        pack_into(buffer, at + 2, sequence & 0xFFFF, timestamp, ssrc)
        sequence += 1


class LayoutCache:
    """The layouts of a stream's latest frames, while somebody plays it."""

    def __init__(self, packetize: Packetize, payload_type: int, *, is_marked: bool) -> None:
        self._packetize = packetize
        self._payload_type = payload_type
        self._is_marked = is_marked
        self._kept: OrderedDict[tuple[Frame, bool], FrameLayout] = OrderedDict()
        self._users = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Play a stream inside the `with` block. With the last one that is left all layouts are forgotten."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._kept.clear()

    def lay_out(self, frame: Frame, *, is_interleaved: bool) -> FrameLayout:
        """Return a frame's layout, made now if nobody has asked for it; inside of `in_use`."""
        key = (frame, is_interleaved)
        layout = self._kept.get(key)
        if layout is None:
            payloads = self._packetize(frame)
            layout = FrameLayout(payloads, self._payload_type, is_interleaved=is_interleaved, is_marked=self._is_marked)
            self._kept[key] = layout
            if len(self._kept) > MAX_KEPT_FRAMES:
                self._kept.popitem(last=False)
        return layout
