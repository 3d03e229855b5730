"""AAC from MP4A-LATM payloads (RFC 6416 6): an AudioMuxElement of ISO/IEC 14496-3 1.7.3 each, or a part of one.

Its config is in the session description (cpresent=0) or in the elements themselves. Nothing is read of more than one
program and layer, which no camera sends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from camgate.wire.codec.aac_config import AacConfig, read_aac_config
from camgate.wire.codec.audio import MAX_FRAME_BYTES, Pieces
from camgate.wire.codec.bits import BitReader
from camgate.wire.codec.errors import AudioMalformed, BitstreamMalformed

MAX_ELEMENT_BYTES = 1 << 16
MAX_CONFIG_BYTES = 64
"""Of the session description's StreamMuxConfig. Cameras' have 6 to 10, and the longest of what is read here 31."""
MAX_FRAMES = 256
"""Of one element, and of elements that follow each other in a payload, those that are empty included: five seconds of
sound at 48 kHz. 64 kB have room for 65,536, each of which would become a frame of every listener's."""
_OTHER_LENGTH_BYTES = 4
"""Of the length of other data in bits. An element's own size in bits has three."""
_MORE = 255
_SYNC, _SYNC_BITS = 0x2B7, 11
_SBR, _OWN_RATE = 5, 15
_ENOUGH_ZEROS = bytes(4)


@dataclass(frozen=True, slots=True)
class MuxConfig:
    """What a StreamMuxConfig says. fixed_bytes: of each frame; None where each says its own length."""

    aac: AacConfig
    frames: int
    fixed_bytes: int | None
    other_bits: int


def parse_mux_config_untrusted(data: bytes) -> MuxConfig:
    """Read a StreamMuxConfig, such as that of the session description. Raises AudioMalformed."""
    if len(data) > MAX_CONFIG_BYTES:
        raise AudioMalformed(f"its StreamMuxConfig has {len(data)} bytes, {MAX_CONFIG_BYTES} are accepted")
    try:
        # GStreamer's ends with the audio config; what is missing has 0 as its usual value.
        return _read_mux_config(BitReader(data + _ENOUGH_ZEROS))
    except BitstreamMalformed as exc:
        raise AudioMalformed(f"its StreamMuxConfig: {exc.defect}") from exc


class LatmReader:
    """Knows what RFC 6416 payloads hold; see `PayloadReader`.

    config: of the session description; None where each stream brings its own. is_in_band: elements hold configs.
    """

    def __init__(self, config: MuxConfig | None, clock_hz: int, *, is_in_band: bool) -> None:
        self._config = config
        self._clock_hz = clock_hz
        self._is_in_band = is_in_band
        self._begun = bytearray()
        self._begun_at = 0

    def read_untrusted(self, payload: bytes, timestamp: int, *, is_marked: bool, follows_gap: bool) -> Pieces:
        """See PayloadReader."""
        pieces: list[tuple[bytes, int]] = []
        if follows_gap:
            self._begun.clear()
        elif self._begun and timestamp != self._begun_at:
            # A camera that sets no marker.
            pieces += self._take_element()
        self._begun_at = timestamp
        if len(self._begun) + len(payload) > MAX_ELEMENT_BYTES:
            self._begun.clear()
            raise AudioMalformed(f"an element of more than {MAX_ELEMENT_BYTES} bytes")
        self._begun += payload
        if is_marked:
            pieces += self._take_element()
        return pieces

    def _take_element(self) -> Iterator[tuple[bytes, int]]:
        data = bytes(self._begun)
        self._begun.clear()
        try:
            frames = list(self._read_elements(BitReader(data)))
        except BitstreamMalformed as exc:
            raise AudioMalformed(f"its AudioMuxElement: {exc.defect}") from exc
        assert self._config is not None
        ticks = self._config.aac.frame_ticks(self._clock_hz)
        for place, frame in enumerate(frames):
            yield frame, self._begun_at + place * ticks & 0xFFFFFFFF

    def _read_elements(self, bits: BitReader) -> Iterator[bytes]:
        count = 0
        while bits.left >= 8:
            # useSameStreamMux
            if self._is_in_band and not bits.flag():
                self._config = _read_mux_config(bits)
            config = self._config
            if config is None:
                raise AudioMalformed("an element without a config, and none came before it")
            count += config.frames
            if count > MAX_FRAMES:
                raise AudioMalformed(f"more than {MAX_FRAMES} frames in an element, as many as are accepted")
            for _ in range(config.frames):
                size = _frame_bytes(bits) if config.fixed_bytes is None else config.fixed_bytes
                if size > MAX_FRAME_BYTES:
                    raise AudioMalformed(f"a frame of {size} bytes, {MAX_FRAME_BYTES} are accepted")
                frame = bits.bits(8 * size).to_bytes(size, "big")
                if frame:
                    yield frame
            bits.bits(min(config.other_bits, bits.left))
            bits.bits(bits.left % 8)


def latm_reader_untrusted(fmtp: Mapping[str, str], clock_hz: int) -> tuple[LatmReader, MuxConfig | None]:
    """Return a reader for a track, and the config of its format parameters. Raises AudioMalformed."""
    # RFC 6416 7.3: cpresent is 1 where it is absent.
    is_in_band = fmtp.get("cpresent", "1").strip() != "0"
    config = None
    if text := fmtp.get("config", "").strip():
        try:
            config = parse_mux_config_untrusted(bytes.fromhex(text))
        except ValueError as exc:
            raise AudioMalformed("config is not hexadecimal") from exc
    if config is None and not is_in_band:
        raise AudioMalformed("its config is neither in band nor in the session description")
    return LatmReader(config, clock_hz, is_in_band=is_in_band), config


def _frame_bytes(bits: BitReader) -> int:
    """PayloadLengthInfo of frameLengthType 0: bytes are added up until one is not 255."""
    size = 0
    while (more := bits.bits(8)) == _MORE:
        size += more
        if size > MAX_FRAME_BYTES:
            break
    return size + more


def _read_mux_config(bits: BitReader) -> MuxConfig:
    """Read a StreamMuxConfig (table 1.42). Raises BitstreamMalformed, AudioMalformed."""
    is_version_1 = bits.flag()
    if is_version_1:
        if bits.flag():  # audioMuxVersionA
            raise BitstreamMalformed("audioMuxVersionA is reserved")
        _value(bits)  # taraBufferFullness
    same_framing = bits.flag()
    frames = 1 + bits.bits(6)
    if bits.bits(4) or bits.bits(3) or not same_framing:
        raise AudioMalformed("it has more than one program or layer")
    if is_version_1:
        size = _value(bits)
        before = bits.left
        aac = read_aac_config(bits)
        bits.bits(max(0, size - (before - bits.left)))
    else:
        aac = read_aac_config(bits)
        _skip_extension(bits)
    fixed_bytes = None
    length_type = bits.bits(3)
    if length_type == 0:
        bits.bits(8)  # latmBufferFullness
    elif length_type == 1:
        # 1.7.3: the frame has 8 * (frameLength + 20) bits.
        fixed_bytes = bits.bits(9) + 20
    else:
        raise AudioMalformed(f"frameLengthType is {length_type}, which is no AAC")
    other_bits = 0
    if bits.flag():  # otherDataPresent
        other_bits = _value(bits) if is_version_1 else _other_bits(bits)
    if bits.flag():  # crcCheckPresent
        bits.bits(8)
    return MuxConfig(aac, frames, fixed_bytes, other_bits)


def _skip_extension(bits: BitReader) -> None:
    """Skip the note on SBR that encoders append to a config (1.6.2.1), although nothing here says how long that is.

    It cannot be mistaken: read as a frameLengthType it would be 2, which is reserved.
    """
    if bits.left < _SYNC_BITS or bits.peek(_SYNC_BITS) != _SYNC:
        return
    bits.bits(_SYNC_BITS)
    if bits.bits(5) == _SBR and bits.flag() and bits.bits(4) == _OWN_RATE:
        bits.bits(24)


def _value(bits: BitReader) -> int:
    """LatmGetValue."""
    return bits.bits(8 * (1 + bits.bits(2)))


def _other_bits(bits: BitReader) -> int:
    length = 0
    for _ in range(_OTHER_LENGTH_BYTES):
        more = bits.flag()
        length = length << 8 | bits.bits(8)
        if not more:
            return length
    raise BitstreamMalformed(f"a length of other data of more than {_OTHER_LENGTH_BYTES} bytes")
