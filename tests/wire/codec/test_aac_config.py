import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.aac_config import make_aac_config, parse_aac_config_untrusted
from camgate.wire.codec.errors import AudioMalformed
from tests.fakes.bits import BitWriter


@pytest.mark.parametrize(
    ("text", "core_hz", "channels", "frame_samples", "data"),
    [
        ("1408", 16_000, 1, 1024, "1408"),
        ("1190", 48_000, 2, 1024, "1190"),
        ("1194", 48_000, 2, 960, "1194"),
        # HE-AAC told in front: 24 kHz that SBR doubles.
        ("2b118800", 24_000, 2, 1024, "2b118800"),
        # LC with a backward-compatible note on SBR behind it, which is no part of what is needed.
        ("131056e598", 24_000, 2, 1024, "1310"),
    ],
)
def test_configs_of_cameras(text: str, core_hz: int, channels: int, frame_samples: int, data: str) -> None:
    config = parse_aac_config_untrusted(bytes.fromhex(text))
    assert (config.core_hz, config.channels, config.frame_samples) == (core_hz, channels, frame_samples)
    assert config.data.hex() == data


def test_a_frame_lasts_as_long_as_its_samples() -> None:
    assert parse_aac_config_untrusted(bytes.fromhex("1408")).frame_ticks(16_000) == 1024
    assert parse_aac_config_untrusted(bytes.fromhex("2b118800")).frame_ticks(48_000) == 2048


@given(st.sampled_from([8000, 11_025, 16_000, 44_100, 48_000, 12_345, 1]), st.integers(1, 7))
def test_a_config_that_is_made_can_be_read(rate_hz: int, channels: int) -> None:
    made = make_aac_config(rate_hz, channels)
    assert parse_aac_config_untrusted(made.data) == made


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends too early"),
        (b"\x14", "ends too early"),
        (BitWriter().u(5, 2).u(4, 13).u(7, 8).aligned(), "index 13 is reserved"),
        (BitWriter().u(5, 2).u(4, 15).u(24, 0).u(7, 8).aligned(), "frequency of 0"),
        (BitWriter().u(5, 8).u(4, 8).u(7, 8).aligned(), "object type is 8"),
        (BitWriter().u(5, 31).u(6, 10).u(4, 8).u(7, 8).aligned(), "object type is 42"),
        (BitWriter().u(5, 2).u(4, 8).u(7, 0).aligned(), "channel configuration is 0"),
    ],
)
def test_what_cannot_be_decoded_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(AudioMalformed, match=reason):
        parse_aac_config_untrusted(data)


@pytest.mark.parametrize(("rate_hz", "channels"), [(0, 1), (1 << 24, 1), (8000, 0), (8000, 8)])
def test_no_config_is_made_of_nonsense(rate_hz: int, channels: int) -> None:
    with pytest.raises(AudioMalformed):
        make_aac_config(rate_hz, channels)
