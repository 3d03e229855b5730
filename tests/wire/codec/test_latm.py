import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.aac_config import make_aac_config
from camgate.wire.codec.audio import MAX_FRAME_BYTES, Pieces
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.latm import (
    MAX_CONFIG_BYTES,
    MAX_ELEMENT_BYTES,
    MAX_FRAMES,
    LatmReader,
    MuxConfig,
    latm_reader_untrusted,
    parse_mux_config_untrusted,
)
from tests.fakes.bits import BitWriter

AAC = make_aac_config(16_000, 1)
CLOCK_HZ = 16_000


def mux_config(*, version: int = 0, frames: int = 1, fixed_bytes: int | None = None, other_bits: int = 0) -> BitWriter:
    """Write a StreamMuxConfig of ISO/IEC 14496-3, table 1.42."""
    bits = BitWriter().u(1, version)
    if version:
        bits.u(1, 0).u(2, 0).u(8, 255)
    bits.flag(True).u(6, frames - 1).u(4, 0).u(3, 0)
    if version:
        # With some bits to spare, which are to be skipped.
        bits.u(2, 0).u(8, 16 + 3).raw(AAC.data).u(3, 7)
    else:
        bits.raw(AAC.data)
    if fixed_bytes is None:
        bits.u(3, 0).u(8, 255)
    else:
        bits.u(3, 1).u(9, fixed_bytes - 20)
    bits.flag(other_bits > 0)
    if other_bits:
        if version:
            bits.u(2, 0).u(8, other_bits)
        else:
            bits.flag(False).u(8, other_bits)
    return bits.flag(True).u(8, 0xAB)


def element(
    frames: list[bytes], *, config: BitWriter | None = None, in_band: bool = False, other_bits: int = 0
) -> bytes:
    bits = BitWriter()
    if in_band:
        bits.flag(config is None)
        if config is not None:
            bits._bits += config._bits
    for frame in frames:
        for _ in range(len(frame) // 255):
            bits.u(8, 255)
        bits.u(8, len(frame) % 255).raw(frame)
    return bits.u(other_bits, 0).aligned()


def reader_of(config: BitWriter, *, in_band: bool = False) -> LatmReader:
    return latm_reader_untrusted({"cpresent": str(int(in_band)), "config": config.aligned().hex()}, CLOCK_HZ)[0]


def read(reader: LatmReader, payload: bytes, timestamp: int = 0, *, mark: bool = True, gap: bool = False) -> Pieces:
    return tuple(reader.read_untrusted(payload, timestamp, is_marked=mark, follows_gap=gap))


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("other_bits", [0, 13])
@given(frames=st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=4))
def test_frames_come_out_of_elements(version: int, other_bits: int, frames: list[bytes]) -> None:
    config = mux_config(version=version, frames=len(frames), other_bits=other_bits)
    pieces = read(reader_of(config), element(frames, other_bits=other_bits), 0xFFFFFC00)
    assert pieces == tuple((frame, 0xFFFFFC00 + 1024 * place & 0xFFFFFFFF) for place, frame in enumerate(frames))


def test_frames_of_one_size_have_no_lengths() -> None:
    frames = [bytes(range(30)), bytes(range(30, 60))]
    assert [piece for piece, _ in read(reader_of(mux_config(frames=2, fixed_bytes=30)), b"".join(frames))] == frames


def test_several_elements_without_configs_may_follow_each_other() -> None:
    payload = element([b"first"]) + element([b"second"])
    assert read(reader_of(mux_config()), payload) == ((b"first", 0), (b"second", 1024))


def test_a_config_in_band_holds_until_the_next() -> None:
    reader, config = latm_reader_untrusted({}, CLOCK_HZ)
    assert config is None
    with pytest.raises(AudioMalformed, match="without a config"):
        read(reader, element([b"too early"], in_band=True))
    assert read(reader, element([b"first"], in_band=True, config=mux_config())) == ((b"first", 0),)
    assert read(reader, element([b"second"], in_band=True)) == ((b"second", 0),)
    two = mux_config(frames=2)
    assert len(read(reader, element([b"third", b"fourth"], in_band=True, config=two))) == 2
    assert len(read(reader, element([b"fifth", b"sixth"], in_band=True))) == 2


def test_an_element_in_parts_ends_with_the_marker_or_with_the_next_one() -> None:
    reader, whole = reader_of(mux_config()), element([bytes(range(200))])
    assert read(reader, whole[:90], 5, mark=False) == ()
    assert read(reader, whole[90:], 5) == ((bytes(range(200)), 5),)
    assert read(reader, whole[:90], 6, mark=False) == ()
    assert read(reader, whole[90:], 6, mark=False) == ()
    assert read(reader, element([b"next"]), 7) == ((bytes(range(200)), 6), (b"next", 7))
    assert read(reader, whole[:90], 8, mark=False) == ()
    assert read(reader, element([b"behind a gap"]), 9, gap=True) == ((b"behind a gap", 9),)


def test_the_config_of_the_session_description_is_read() -> None:
    _, config = latm_reader_untrusted({"cpresent": "0", "config": "400028103fc0"}, 16_000)
    assert config is not None
    assert (config.aac.core_hz, config.aac.channels, config.frames) == (16_000, 1, 1)
    assert config.aac.data.hex() == "1408"


def test_a_config_with_a_note_on_sbr_that_ends_too_early_is_read() -> None:
    """As GStreamer's rtpmp4apay writes it for what FFmpeg's encoder makes."""
    config = parse_mux_config_untrusted(bytes.fromhex("40002310adca00"))
    assert (config.aac.core_hz, config.aac.channels, config.aac.data.hex()) == (48_000, 1, "1188")
    assert (config.frames, config.fixed_bytes, config.other_bits) == (1, None, 0)
    own_rate = BitWriter().u(2, 1).u(13, 0).raw(AAC.data).u(11, 0x2B7).u(5, 5).u(1, 1).u(4, 15).u(24, 32_000).u(3, 1)
    assert parse_mux_config_untrusted(own_rate.u(9, 10).u(2, 0).aligned()) == MuxConfig(AAC, 1, 30, 0)


@pytest.mark.parametrize(
    ("fmtp", "reason"),
    [
        ({"cpresent": "0"}, "neither in band nor"),
        ({"cpresent": "0", "config": "4000xyz"}, "not hexadecimal"),
        ({"cpresent": "0", "config": "40"}, "object type is 0"),
    ],
)
def test_a_track_that_cannot_be_read_is_refused(fmtp: dict[str, str], reason: str) -> None:
    with pytest.raises(AudioMalformed, match=reason):
        latm_reader_untrusted(fmtp, CLOCK_HZ)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (BitWriter().u(2, 3), "audioMuxVersionA"),
        (BitWriter().u(2, 0).u(20, 0), "more than one program"),
        (BitWriter().u(2, 1).u(6, 0).u(4, 1).u(3, 0), "more than one program"),
        (BitWriter().u(2, 1).u(13, 0).raw(AAC.data).u(3, 4), "frameLengthType is 4"),
    ],
)
def test_configs_that_no_camera_sends_are_refused(config: BitWriter, reason: str) -> None:
    with pytest.raises(AudioMalformed, match=reason):
        parse_mux_config_untrusted(config.aligned())


def test_what_is_longer_than_any_frame_is_not_collected() -> None:
    reader = reader_of(mux_config())
    with pytest.raises(AudioMalformed, match=f"{MAX_FRAME_BYTES} are accepted"):
        read(reader, b"\xff" * 100)
    assert read(reader, bytes(MAX_ELEMENT_BYTES), mark=False) == ()
    with pytest.raises(AudioMalformed, match="an element of more than"):
        read(reader, b"x", mark=False)
    assert read(reader, element([b"next"])) == ((b"next", 0),)


def test_other_data_may_be_long() -> None:
    bits = (
        BitWriter().u(2, 1).u(13, 0).raw(AAC.data).u(11, 0xFF).flag(True).flag(True).u(8, 1).flag(False).u(8, 2).u(1, 0)
    )
    assert parse_mux_config_untrusted(bits.aligned()) == MuxConfig(AAC, 1, None, 258)


def test_other_data_and_configs_without_end_are_refused() -> None:
    """They were read to their end, bit by bit and over and over: 120 kB kept everything else waiting for 10 s."""
    endless = BitWriter().u(2, 1).u(13, 0).raw(AAC.data).u(11, 0xFF).flag(True).raw(b"\xff" * 5).flag(True)
    with pytest.raises(AudioMalformed, match="other data of more than 4 bytes"):
        parse_mux_config_untrusted(endless.aligned())
    long = mux_config().aligned().ljust(MAX_CONFIG_BYTES, b"\0")
    assert parse_mux_config_untrusted(long).aac == AAC
    with pytest.raises(AudioMalformed, match="65 bytes, 64 are accepted"):
        parse_mux_config_untrusted(long + b"\0")


@pytest.mark.parametrize("frame", [b"x", b""])
def test_a_payload_of_thousands_of_frames_is_not_read(frame: bytes) -> None:
    reader, one = reader_of(mux_config()), element([frame])
    assert len(read(reader, one * MAX_FRAMES)) == MAX_FRAMES * len(frame)
    with pytest.raises(AudioMalformed, match=f"more than {MAX_FRAMES} frames"):
        read(reader, one * (MAX_FRAMES + 1))
