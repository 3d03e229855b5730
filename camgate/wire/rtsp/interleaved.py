"""`InterleavedReader`: RTSP messages and media packets out of one TCP stream (RFC 2326 §10.12). Both roles use it.

At every boundary the stream may go on with `$` and a media frame, with a response, or with a request of the peer.
Cameras also put stray line ends between, send frames on channels that were never set up, and lose bytes: then the
reader searches for the next plausible start, counts what it skips, and gives up only when that happens too often.
"""

import re
from dataclasses import replace

from camgate.wire.rtsp.errors import LostSync, MalformedMessage, printable
from camgate.wire.rtsp.message import MAX_HEAD_BYTES, Message, body_length_untrusted, parse_head_untrusted

MAX_RESYNCS_PER_MINUTE = 30
"""A camera that loses bytes under load does so a few times a minute; beyond this a new connection serves better."""

MAX_GARBAGE_BYTES_PER_MINUTE = 1024 * 1024
"""One frame cut short costs at most 64 kB, so this allows for 16 of the worst kind."""

_WINDOW_S = 60.0

_DOLLAR = 0x24
_FRAME_HEADER_BYTES = 4
_MAX_PACKET_BYTES = 0xFFFF

_LEAST_PACKET_BYTES = 8
"""The shortest RTCP packet, an empty receiver report; RTP takes 12."""

_LINE_ENDS = re.compile(rb"[\r\n]+")
# Possessive where a space could go to either side: a peer's line of spaces must not cost quadratic time.
_START_LINE = re.compile(rb"(?:RTSP/1\.\d ++\d{3}(?: [^\r\n]*)?|[A-Z_]{1,32} ++[!-~]++ ++RTSP/1\.\d *)\r?\n")
# What may still become a start line when more bytes come.
_START_LINE_BEGUN = re.compile(
    rb"(?:RTSP/[0-9.]*(?: [^\r\n]*)?|[A-Z_]{1,32}(?: ++[!-~]*+(?: ++[RTSP/.0-9]*+ *+)?)?)\r?"
)
_HEAD_END = re.compile(rb"\n\r?\n")
# Until the peer has spoken RTSP, words that it says instead are worth to be shown.
_FOREIGN_LINE = re.compile(rb"([ -~]{4,})\r?\n")
_FOREIGN_LINE_BEGUN = re.compile(rb"[ -~]{1,512}\r?")
_CANDIDATE = re.compile(rb"\$|RTSP/1\.|R(?:T(?:S(?:P(?:/1?)?)?)?)?\Z")
_FOLLOWS_A_FRAME = re.compile(rb"[$\r\nA-Z]")

Packets = list[tuple[int, memoryview]]
"""Interleaved channel and packet. Who keeps a packet keeps the whole read that it came in, unless it is copied."""


def interleave(channel: int, packet: bytes) -> bytes:
    """Return the interleaved frame of one RTP or RTCP packet (at most 65,535 bytes)."""
    # RFC 2326 §10.12: "a dollar sign (24 hexadecimal), followed by a one-byte channel identifier, followed by the
    # length of the encapsulated binary data as a binary two-byte integer in network byte order".
    assert len(packet) <= _MAX_PACKET_BYTES
    return bytes((_DOLLAR, channel)) + len(packet).to_bytes(2, "big") + packet


class InterleavedReader:
    """Splits a received TCP stream; `channels` are the interleaved channels whose packets are wanted.

    Feed with `receive_data`, then call `next_message_untrusted` until it returns None: packets up to there are then
    in `take_packets`. A caller that learns of a channel from a message adds it before it asks for the next one, so that
    packets right behind a SETUP response are not lost.
    """

    def __init__(self, *, max_resyncs_per_minute: int = MAX_RESYNCS_PER_MINUTE) -> None:
        self.channels: set[int] = set()
        self.bytes_received = 0
        self.packets_received = 0
        self.unknown_channel_packets = 0
        self.resyncs = 0
        self.garbage_bytes = 0
        self._max_resyncs_per_minute = max_resyncs_per_minute
        # What is not used up. A bytearray where a frame or message is begun, as that may come byte by byte.
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self._packets: Packets = []
        self._head: Message | None = None
        self._body_bytes = 0
        self._is_in_touch = False
        self._is_skipping = False
        self._window_start_s = float("-inf")
        self._window_resyncs = 0
        self._window_garbage_bytes = 0

    @property
    def offset(self) -> int:
        """Position of the next unread byte in the received TCP stream."""
        return self.bytes_received - len(self._buffer) + self._at

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what was received; the bytes are copied."""
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = bytes(data)
        self.bytes_received += len(data)

    def take_packets(self) -> Packets:
        """Drain the packets of wanted channels: (channel, packet), in order of arrival."""
        packets = self._packets
        self._packets = []
        self.packets_received += len(packets)
        return packets

    def next_message_untrusted(self, now: float) -> Message | None:
        """Read packets up to the next whole message and return that, or None when the received bytes are used up.

        Raises MalformedMessage or LostSync; the connection is then of no more use.
        """
        while True:
            if self._head is not None:
                return self._finish_message()
            if self._is_skipping and not self._find_start(now):
                break
            self._read_frames()
            if self._at == len(self._buffer):
                break
            if line_ends := _LINE_ENDS.match(self._buffer, self._at):
                # Some cameras send empty lines between frames (retina 0.3.8).
                self._at = line_ends.end()
            elif self._buffer[self._at] == _DOLLAR or not self._read_head(now):
                break
        self._drop_used_bytes()
        return None

    def _read_frames(self) -> None:
        """Read whole frames from `_at` on. The hot path: one loop, no copies."""
        buffer = self._buffer
        at = self._at
        end = len(buffer)
        channels = self.channels
        packets = self._packets
        view: memoryview | None = None
        while at + _FRAME_HEADER_BYTES <= end and buffer[at] == _DOLLAR:
            start = at + _FRAME_HEADER_BYTES
            stop = start + (buffer[at + 2] << 8 | buffer[at + 3])
            if stop > end:
                break
            if view is None:
                self._buffer = buffer = bytes(buffer)
                view = memoryview(buffer)
            channel = buffer[at + 1]
            if channel in channels:
                packets.append((channel, view[start:stop]))
            else:
                self.unknown_channel_packets += 1
            at = stop
        self._at = at

    def _read_head(self, now: float) -> bool:
        """Read a start line and headers at `_at`, or begin to skip garbage; return False to wait for more bytes."""
        buffer = self._buffer
        start_line = _START_LINE.match(buffer, self._at)
        if not start_line:
            if self._may_become_a_line():
                return self._wait_for_head()
            self._start_skipping(now)
            return True
        head_end = _HEAD_END.search(buffer, start_line.end() - 1)
        if not head_end:
            return self._wait_for_head()
        try:
            head = parse_head_untrusted(bytes(buffer[self._at : head_end.start()]))
            self._body_bytes = body_length_untrusted(head.headers)
        except MalformedMessage as error:
            raise MalformedMessage(error.detail, self.offset) from error
        self._head = head
        self._at = head_end.end()
        self._is_in_touch = True
        return True

    def _may_become_a_line(self) -> bool:
        if _START_LINE_BEGUN.fullmatch(self._buffer, self._at):
            return True
        return not self._is_in_touch and _FOREIGN_LINE_BEGUN.fullmatch(self._buffer, self._at) is not None

    def _wait_for_head(self) -> bool:
        if len(self._buffer) - self._at > MAX_HEAD_BYTES:
            raise MalformedMessage(f"a message has no end of headers within {MAX_HEAD_BYTES} bytes", self.offset)
        return False

    def _finish_message(self) -> Message | None:
        assert self._head is not None
        stop = self._at + self._body_bytes
        if stop > len(self._buffer):
            return None
        message = replace(self._head, body=bytes(self._buffer[self._at : stop]))
        self._head = None
        self._at = stop
        return message

    def _start_skipping(self, now: float) -> None:
        foreign = _FOREIGN_LINE.match(self._buffer, self._at)
        if foreign and not self._is_in_touch:
            words = printable(foreign[1].decode("ascii"))
            raise MalformedMessage(f"the peer does not speak RTSP but says: {words}", self.offset)
        if now - self._window_start_s >= _WINDOW_S:
            self._window_start_s = now
            self._window_resyncs = self._window_garbage_bytes = 0
        self._is_skipping = True
        self.resyncs += 1
        self._window_resyncs += 1
        self._skip_to(self._at + 1)

    def _find_start(self, now: float) -> bool:
        """Skip to the next plausible start of a frame or response; return False to wait for more bytes."""
        for candidate in _CANDIDATE.finditer(self._buffer, self._at):
            is_start = self._is_start(candidate.start())
            if is_start is not False:
                self._skip_to(candidate.start())
                self._is_skipping = is_start is None
                return not self._is_skipping
        self._skip_to(len(self._buffer))
        return False

    def _is_start(self, at: int) -> bool | None:
        """Judge whether a frame or a response starts at `at`; None means that more bytes will tell."""
        buffer = self._buffer
        if buffer[at] != _DOLLAR:
            if _START_LINE.match(buffer, at):
                return True
            may_become_one = len(buffer) - at <= MAX_HEAD_BYTES and _START_LINE_BEGUN.fullmatch(buffer, at)
            return None if may_become_one else False
        if len(buffer) <= at + _FRAME_HEADER_BYTES:
            return None
        length = buffer[at + 2] << 8 | buffer[at + 3]
        # RFC 3550 §5.1 and §6.4.1: RTP and RTCP packets both begin with the version, 2, in the two highest bits.
        if buffer[at + 1] not in self.channels or length < _LEAST_PACKET_BYTES or buffer[at + 4] >> 6 != 2:
            return False
        # Random bytes pass so far once in 130,000; what follows the frame decides.
        after = at + _FRAME_HEADER_BYTES + length
        return bool(_FOLLOWS_A_FRAME.match(buffer, after)) if after < len(buffer) else None

    def _skip_to(self, at: int) -> None:
        self.garbage_bytes += at - self._at
        self._window_garbage_bytes += at - self._at
        self._at = at
        if (
            self._window_resyncs > self._max_resyncs_per_minute
            or self._window_garbage_bytes > MAX_GARBAGE_BYTES_PER_MINUTE
        ):
            raise LostSync(self._window_resyncs, self._window_garbage_bytes, self.offset)

    def _drop_used_bytes(self) -> None:
        if self._at == len(self._buffer):
            self._buffer = b""
        elif isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer[self._at :])
        else:
            del self._buffer[: self._at]
        self._at = 0
