"""AAC from RTP payloads (RFC 3640, mode AAC-hbr and what is like it): several access units a packet, or a part of one.

Cameras leave out how the headers are made, write one access unit's ADTS header into the payload, and say the length of
headers wrongly; what can be read all the same is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from camgate.wire.codec.audio import MAX_FRAME_BYTES, Pieces
from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import AudioMalformed, BitstreamMalformed

MAX_FIELD_BITS = 32
"""Of one field of an AU header."""
MAX_UNITS = 256
"""Access units of one packet, and frames behind ADTS headers in them: five seconds of sound at 48 kHz. A packet has
room for the headers of 65,535, which would take a tenth of a second to read."""

_ADTS_SYNC = 0xFFF0
_ADTS_MASK = 0xFFF6
"""Syncword and layer, which is 0 (ISO/IEC 14496-3 1.A.2.2). No AAC frame begins so: it would be empty."""
_ADTS_BYTES = 7
_ADTS_CRC_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AuHeaders:
    """How AU headers are made, in bits a field (RFC 3640 4.1); the defaults are those of AAC-hbr (3.3.6)."""

    size: int = 13
    index: int = 3
    index_delta: int = 3
    cts_delta: int = 0
    dts_delta: int = 0
    random_access: bool = False
    stream_state: int = 0
    auxiliary: int = 0
    constant_size: int = 0
    """Bytes of each AU where `size` is 0; 0 = one AU takes the rest."""

    @classmethod
    def of_fmtp_untrusted(cls, fmtp: Mapping[str, str]) -> "AuHeaders":
        """Read a track's format parameters, keys in lower case. Raises AudioMalformed."""
        mode = fmtp.get("mode", "").lower()
        if mode and not mode.startswith("aac"):
            raise AudioMalformed(f"mode {mode[:20]!r} is no AAC")
        given = any(key in fmtp for key in ("sizelength", "constantsize"))
        # RFC 3640 4.1: absent means 0. Cameras leave all of it out and send AAC-hbr; lbr has shorter fields (3.3.5).
        default = {"size": 0, "index": 0, "delta": 0} if given else {"size": 13, "index": 3, "delta": 3}
        if mode == "aac-lbr" and not given:
            default = {"size": 6, "index": 2, "delta": 2}
        size = _number(fmtp, "sizelength", default["size"])
        is_usual = size == 13
        return cls(
            size=size,
            index=_number(fmtp, "indexlength", 3 if is_usual else default["index"]),
            index_delta=_number(fmtp, "indexdeltalength", 3 if is_usual else default["delta"]),
            cts_delta=_number(fmtp, "ctsdeltalength", 0),
            dts_delta=_number(fmtp, "dtsdeltalength", 0),
            random_access=_number(fmtp, "randomaccessindication", 0) > 0,
            stream_state=_number(fmtp, "streamstateindication", 0),
            auxiliary=_number(fmtp, "auxiliarydatasizelength", 0),
            constant_size=_number(fmtp, "constantsize", 0, most=MAX_FRAME_BYTES),
        )

    @property
    def are_there(self) -> bool:
        """Whether payloads begin with headers at all."""
        fields = (self.size, self.index, self.index_delta, self.cts_delta, self.dts_delta, self.stream_state)
        return any(fields) or self.random_access


class AacReader:
    """Knows what RFC 3640 payloads hold; see `PayloadReader`.

    frame_ticks: how long a frame lasts by the RTP clock, for packets that hold several.
    """

    def __init__(self, headers: AuHeaders, frame_ticks: int) -> None:
        self._headers = headers
        self._frame_ticks = frame_ticks
        self._begun = bytearray()
        self._begun_at = -1
        self._lost_at = -1

    def read_untrusted(self, payload: bytes, timestamp: int, *, is_marked: bool, follows_gap: bool) -> Pieces:
        """See PayloadReader."""
        if follows_gap:
            # The packets that are missing may have held the beginning of this frame.
            self._begun.clear()
            self._lost_at = timestamp if self._begun_at == timestamp else -1
        units, data = self._split_headers(payload)
        if len(units) == 1 and units[0][0] > len(data):
            return self._join(units[0][0], data, timestamp, is_marked=is_marked)
        self._begun.clear()
        return tuple(self._cut(units, data, timestamp))

    def _cut(self, units: list[tuple[int, int]], data: bytes, timestamp: int) -> Iterator[tuple[bytes, int]]:
        at = count = 0
        for size, place in units:
            if at + size > len(data):
                raise AudioMalformed(f"an access unit of {size} bytes where {len(data) - at} are left")
            for frame in strip_adts(data[at : at + size]):
                if count == MAX_UNITS:
                    raise _too_many()
                yield frame, timestamp + place * self._frame_ticks & 0xFFFFFFFF
                count += 1
                place += 1
            at += size

    def _join(self, size: int, part: bytes, timestamp: int, *, is_marked: bool) -> Pieces:
        """RFC 3640 3.1: each fragment's header has the size of the whole, the marker is on the last one."""
        if size > MAX_FRAME_BYTES:
            raise AudioMalformed(f"an access unit of {size} bytes, {MAX_FRAME_BYTES} are accepted")
        if timestamp == self._lost_at:
            return ()
        if timestamp != self._begun_at:
            self._begun.clear()
        self._begun_at = timestamp
        self._begun += part
        if len(self._begun) < size:
            if is_marked:
                self._begun.clear()
                raise AudioMalformed("the last part of an access unit, and the others are not enough")
            return ()
        whole = bytes(self._begun[:size])
        self._begun.clear()
        return tuple(self._cut([(size, 0)], whole, timestamp))

    def _split_headers(self, payload: bytes) -> tuple[list[tuple[int, int]], bytes]:
        """Return (size, place in time counted in frames) of each access unit, and the bytes behind all headers."""
        headers = self._headers
        if not headers.are_there:
            return self._split_evenly(payload), payload
        # RFC 3640 3.2.1: AU-headers-length counts bits, and is padded to bytes.
        length = int.from_bytes(payload[:2], "big")
        start = 2 + -(-length // 8)
        if not length or start > len(payload):
            raise AudioMalformed(f"AU headers of {length} bits in a payload of {len(payload)} bytes")
        try:
            units = self._read_headers(BitReader(payload[2:start]), padding=-length % 8)
            start += self._auxiliary_bytes(payload[start:])
        except BitstreamMalformed as exc:
            raise AudioMalformed(f"its AU headers: {exc.defect}") from exc
        data = payload[start:]
        if not headers.size:
            units = [(headers.constant_size or len(data) // len(units), place) for _, place in units]
        return units, data

    def _split_evenly(self, payload: bytes) -> list[tuple[int, int]]:
        size = self._headers.constant_size or len(payload)
        count = max(1, len(payload) // size)
        if count > MAX_UNITS:
            raise _too_many()
        return [(size, place) for place in range(count)]

    def _read_headers(self, bits: BitReader, padding: int) -> list[tuple[int, int]]:
        headers = self._headers
        units: list[tuple[int, int]] = []
        place = 0
        while (left := bits.left) > padding:
            if len(units) == MAX_UNITS:
                raise _too_many()
            size = bits.bits(headers.size)
            if units:
                # 3.2.1.1: AU-Index-delta is the number of AUs that lie between this one and its predecessor.
                place += 1 + bits.bits(headers.index_delta)
            else:
                bits.bits(headers.index)
            for field in (headers.cts_delta, headers.dts_delta):
                if field and bits.flag():
                    bits.bits(field)
            bits.bits(headers.random_access + headers.stream_state)
            if units and bits.left == left:
                raise AudioMalformed("its AU headers are longer than the first, and the others have no bits")
            units.append((size, place))
        return units

    def _auxiliary_bytes(self, rest: bytes) -> int:
        """How long the auxiliary section is (3.2.2)."""
        if not self._headers.auxiliary:
            return 0
        size = BitReader(rest[:8]).bits(self._headers.auxiliary)
        return -(-(self._headers.auxiliary + size) // 8)


def _too_many() -> AudioMalformed:
    return AudioMalformed(f"more than {MAX_UNITS} access units in a packet, as many as are accepted")


def strip_adts(unit: bytes) -> Iterator[bytes]:
    """Yield the AAC frames of an access unit: itself, or what stands behind ADTS headers that do not belong there."""
    # MediaMTX#855, go2rtc#1328: ADTS inside of mpeg4-generic.
    at, end = 0, len(unit)
    while end - at > _ADTS_BYTES and (unit[at] << 8 | unit[at + 1]) & _ADTS_MASK == _ADTS_SYNC:
        head = _ADTS_BYTES + (0 if unit[at + 1] & 1 else _ADTS_CRC_BYTES)
        size = (unit[at + 3] & 3) << 11 | unit[at + 4] << 3 | unit[at + 5] >> 5
        if not head < size <= end - at:
            size = end - at
        if size > head:
            yield _checked(unit[at + head : at + size])
        at += size
    if at < end:
        yield _checked(unit[at:])


def _checked(frame: bytes) -> bytes:
    if len(frame) > MAX_FRAME_BYTES:
        raise AudioMalformed(f"a frame of {len(frame)} bytes, {MAX_FRAME_BYTES} are accepted")
    return frame


def _number(fmtp: Mapping[str, str], key: str, default: int, most: int = MAX_FIELD_BITS) -> int:
    text = fmtp.get(key, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > most:
        raise AudioMalformed(f"{key} is {text[:20]!r}, no number from 0 to {most}")
    return int(text)
