import pytest

from camgate.wire.codec.aac import AacReader
from camgate.wire.codec.audio import WholePayload
from camgate.wire.codec.audio_codecs import G726_BITS, audio_of_track_untrusted
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.latm import LatmReader


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "OPUS", "L16", "G726-16", "AAL2-G726-40"])
def test_formats_whose_payloads_are_frames(codec: str) -> None:
    audio, reader = audio_of_track_untrusted(codec, 8000, 1, {})
    assert (audio.codec, audio.clock_hz, audio.channels, audio.config) == (codec, 8000, 1, b"")
    assert isinstance(reader, WholePayload)


def test_bits_of_g726() -> None:
    assert [G726_BITS[f"G726-{rate}"] for rate in (16, 24, 32, 40)] == [2, 3, 4, 5]


@pytest.mark.parametrize("config", ["", "1408", "not hexadecimal", "00", "14"])
def test_aac_has_a_config_whatever_the_camera_says(config: str) -> None:
    audio, reader = audio_of_track_untrusted("MPEG4-GENERIC", 16_000, 1, {"config": config})
    assert audio.config.hex() == "1408"
    assert isinstance(reader, AacReader)


def test_latm_has_its_config_or_the_likely_one() -> None:
    fmtp = {"cpresent": "0", "config": "400028103fc0"}
    assert audio_of_track_untrusted("MP4A-LATM", 90_000, 1, fmtp)[0].config.hex() == "1408"
    audio, reader = audio_of_track_untrusted("MP4A-LATM", 48_000, 2, {})
    assert audio.config.hex() == "1190"
    assert isinstance(reader, LatmReader)


@pytest.mark.parametrize(
    ("codec", "clock_hz", "channels", "fmtp"),
    [
        ("SPEEX", 8000, 1, {}),
        ("", 8000, 1, {}),
        ("PCMU", 3_999, 1, {}),
        ("L16", 192_001, 1, {}),
        ("PCMU", 8000, 0, {}),
        ("MPEG4-GENERIC", 16_000, 1, {"mode": "generic"}),
        ("MP4A-LATM", 16_000, 1, {"cpresent": "0"}),
    ],
)
def test_what_cannot_be_used_is_said(codec: str, clock_hz: int, channels: int, fmtp: dict[str, str]) -> None:
    with pytest.raises(AudioMalformed):
        audio_of_track_untrusted(codec, clock_hz, channels, fmtp)
