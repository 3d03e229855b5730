"""The audio codecs that camgate can receive, and what to use for each: the one place that lists them."""

from collections.abc import Mapping

from camgate.wire.codec.aac import AacReader, AuHeaders
from camgate.wire.codec.aac_config import AacConfig, make_aac_config, parse_aac_config_untrusted
from camgate.wire.codec.audio import PayloadReader, WholePayload
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.latm import latm_reader_untrusted

G726_BITS = {f"{prefix}G726-{8 * bits}": bits for prefix in ("", "AAL2-") for bits in (2, 3, 4, 5)}
"""Bits a sample, by name. The two families pack them into bytes in opposite order (RFC 3551 4.5.4)."""

WHOLE_PAYLOADS = frozenset({"OPUS", "PCMU", "PCMA", "G722", "L16", *G726_BITS})
MIN_CLOCK_HZ, MAX_CLOCK_HZ = 4_000, 192_000
"""No camera samples more slowly or faster. To resample from whatever is claimed takes seconds, or all memory."""
AAC_CODECS = frozenset({"MPEG4-GENERIC", "MP4A-LATM"})


def audio_of_track_untrusted(
    codec: str, clock_hz: int, channels: int, fmtp: Mapping[str, str]
) -> tuple[AudioFormat, PayloadReader]:
    """Return a track's format and what reads its payloads. Raises AudioMalformed where it cannot be used.

    All as the session description has it: codec in capitals, fmtp with keys in lower case.
    """
    if not MIN_CLOCK_HZ <= clock_hz <= MAX_CLOCK_HZ or not 1 <= channels <= 8:
        raise AudioMalformed(f"{clock_hz} Hz and {channels} channels")
    if codec in WHOLE_PAYLOADS:
        return AudioFormat(codec=codec, clock_hz=clock_hz, channels=channels), WholePayload()
    reader: PayloadReader
    if codec == "MPEG4-GENERIC":
        headers = AuHeaders.of_fmtp_untrusted(fmtp)
        aac = _config(fmtp.get("config", "")) or make_aac_config(clock_hz, channels)
        reader = AacReader(headers, aac.frame_ticks(clock_hz))
    elif codec == "MP4A-LATM":
        reader, mux = latm_reader_untrusted(fmtp, clock_hz)
        aac = mux.aac if mux else make_aac_config(clock_hz, channels)
    else:
        raise AudioMalformed(f"{codec[:20] or 'a codec without a name'} is not decoded here")
    return AudioFormat(codec=codec, clock_hz=clock_hz, channels=channels, config=aac.data), reader


def _config(text: str) -> AacConfig | None:
    """Return a config; None where it is missing or cannot be read, which many cameras' cannot."""
    try:
        return parse_aac_config_untrusted(bytes.fromhex(text)) if text.strip() else None
    except (ValueError, AudioMalformed):
        return None
