"""Whatever a camera says or sends as AAC, it becomes frames of bounded size, or one declared error."""

from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.aac import AacReader, AuHeaders
from camgate.wire.codec.aac_config import make_aac_config, parse_aac_config_untrusted
from camgate.wire.codec.audio import MAX_FRAME_BYTES, PayloadReader
from camgate.wire.codec.audio_codecs import audio_of_track_untrusted
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.latm import LatmReader, latm_reader_untrusted, parse_mux_config_untrusted
from tests.fuzz.reach import Reach

LEAST_REACH = 0.05
"""Of what is drawn: Hypothesis likes short and broken inputs best, so the shares swing between 20 and 50 %."""
CONFIG = bytes.fromhex("1408")
MUX_CONFIG = bytes.fromhex("400028103fc0")
PACKETS = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=40)
        | st.integers(1, 60).map(lambda size: b"\0\x10" + (size << 3).to_bytes(2, "big") + bytes(30))
        | st.integers(1, 30).map(lambda size: b"\0\x10" + (size << 3).to_bytes(2, "big") + bytes(size))
        | st.integers(1, 60).map(lambda size: bytes((size,)) + bytes(size))
        | st.just(b"\xff" * 200),
        st.integers(0, 3),
        st.booleans(),
        st.booleans(),
    ),
    min_size=3,
    max_size=12,
)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid config with one bit turned over, cut or longer, or as it is."""
    number = int.from_bytes(valid, "big") ^ draw(st.booleans()) << draw(st.integers(0, 8 * len(valid) - 1))
    end = draw(st.sampled_from([len(valid), len(valid), len(valid), len(valid) // 2]))
    return number.to_bytes(len(valid), "big")[:end] + draw(st.binary(max_size=6))


def test_config_fuzz() -> None:
    reach = Reach("AAC config")

    @given(damaged(CONFIG) | damaged(bytes.fromhex("2b118800")) | st.binary(max_size=8))
    def fuzz(data: bytes) -> None:
        try:
            config = parse_aac_config_untrusted(data)
        except AudioMalformed:
            reach.seen(False)
        else:
            reach.seen(True)
            assert parse_aac_config_untrusted(config.data) == config
            assert config.frame_ticks(48_000) >= 0

    fuzz()
    reach.check(at_least=LEAST_REACH)


def test_mux_config_fuzz() -> None:
    reach = Reach("LATM config")

    @given(damaged(MUX_CONFIG) | st.binary(max_size=12))
    def fuzz(data: bytes) -> None:
        try:
            config = parse_mux_config_untrusted(data)
        except AudioMalformed:
            reach.seen(False)
        else:
            reach.seen(True)
            assert 1 <= config.frames <= 64

    fuzz()
    reach.check(at_least=LEAST_REACH)


def feed(reader: PayloadReader, packets: list[tuple[bytes, int, bool, bool]]) -> int:
    """Give a reader packets; returns how many frames came out."""
    frames = 0
    for payload, timestamp, is_marked, follows_gap in packets:
        try:
            pieces = reader.read_untrusted(payload, timestamp, is_marked=is_marked, follows_gap=follows_gap)
        except AudioMalformed:
            continue
        frames += len(pieces)
        assert all(0 < len(piece) <= MAX_FRAME_BYTES and 0 <= time <= 0xFFFFFFFF for piece, time in pieces)
    return frames


def test_payload_fuzz() -> None:
    reach = Reach("AAC payloads")

    @given(PACKETS, st.sampled_from([AuHeaders(), AuHeaders(cts_delta=4, auxiliary=8), AuHeaders(size=0)]))
    def fuzz(packets: list[tuple[bytes, int, bool, bool]], headers: AuHeaders) -> None:
        reach.seen(feed(AacReader(headers, 1024), packets) > 0)

    fuzz()
    reach.check(at_least=LEAST_REACH)


def test_latm_payload_fuzz() -> None:
    reach = Reach("LATM payloads")

    @given(PACKETS, st.booleans())
    def fuzz(packets: list[tuple[bytes, int, bool, bool]], is_in_band: bool) -> None:
        reader = LatmReader(parse_mux_config_untrusted(MUX_CONFIG), 16_000, is_in_band=is_in_band)
        reach.seen(feed(reader, packets) > 0)

    fuzz()
    reach.check(at_least=LEAST_REACH)


KEYS = ("mode", "config", "cpresent", "sizelength", "indexlength", "auxiliarydatasizelength", "constantsize")
VALUES = st.sampled_from(["", "1", "13", "AAC-hbr", "0", "1408", "400028103fc0", "-5", "99999999"]) | st.text(
    max_size=6
)


def test_format_parameters_fuzz() -> None:
    reach = Reach("audio format parameters")

    @given(
        st.sampled_from(["MPEG4-GENERIC", "MPEG4-GENERIC", "MP4A-LATM", "MP4A-LATM", "L16", "G726-32", "EVRC"]),
        st.sampled_from([8000, 16_000, 48_000, 0, 200_000]),
        st.sampled_from([1, 2, 1, 2, 0, 9]),
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
    )
    def fuzz(codec: str, clock_hz: int, channels: int, fmtp: dict[str, str]) -> None:
        try:
            audio, reader = audio_of_track_untrusted(codec, clock_hz, channels, fmtp)
        except AudioMalformed:
            reach.seen(False)
        else:
            reach.seen(True)
            assert audio.codec == codec
            feed(reader, [(b"\0\x10\0\x08a", 0, True, False)])

    fuzz()
    reach.check(at_least=LEAST_REACH)


def test_the_pieces_of_it_raise_nothing_else() -> None:
    @given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
    def fuzz(fmtp: dict[str, str]) -> None:
        for parse in (AuHeaders.of_fmtp_untrusted, lambda given: latm_reader_untrusted(given, 16_000)):
            try:
                parse(fmtp)
            except AudioMalformed:
                continue

    fuzz()
    assert make_aac_config(16_000, 1).data == CONFIG
