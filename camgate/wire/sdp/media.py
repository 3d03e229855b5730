"""What the attributes of a media section mean: RTP payload formats, their parameters, parameter sets.

Total functions: whatever a camera wrote gives a value, the emptiest one if need be. What cameras claim here only
seeds; the depacketisers trust what comes in band.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from camgate.wire.sdp.session import Media

# RFC 3551 §6, tables 4 and 5: payload type -> (encoding name, clock rate in Hz, channels).
_STATIC_FORMATS = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    14: ("MPA", 90000, 1),
    18: ("G729", 8000, 1),
    26: ("JPEG", 90000, 1),
    31: ("H261", 90000, 1),
    32: ("MPV", 90000, 1),
    33: ("MP2T", 90000, 1),
    34: ("H263", 90000, 1),
}

_VIDEO_CLOCK_HZ = 90000
_AUDIO_CLOCK_HZ = 8000

_PARAMETER_BREAK = re.compile(r";|(?<!,) (?=[\w-]+=)")
_START_CODE = re.compile(rb"\0\0+\x01")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadFormat:
    """One RTP payload type of a media section.

    codec: upper-case encoding name, empty where none is given.
    clock_rate: in Hz, never 0.
    parameters: of `a=fmtp`, names in lower case; a name without a value has an empty one.
    """

    payload_type: int
    codec: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)


def payload_formats_untrusted(media: Media) -> tuple[PayloadFormat, ...]:
    """Return the RTP payload types that the section's `m=` line lists, each once, in its order of preference."""
    payload_types = dict.fromkeys(
        int(text) for text in media.formats if re.fullmatch(r"[0-9]{1,3}", text) and int(text) < 128
    )
    rtpmaps, fmtps = (_by_payload_type(media.attributes.values(name)) for name in ("rtpmap", "fmtp"))
    return tuple(
        _read_format(media.kind, payload_type, rtpmaps.get(str(payload_type), ""), fmtps.get(str(payload_type), ""))
        for payload_type in payload_types
    )


def parse_parameters_untrusted(text: str) -> dict[str, str]:
    """Parse the parameters of an `a=fmtp` line; the first of a name counts.

    Between them stand semicolons, or only spaces (`DecoderTag=h3c-v3 RTCP=0`).
    """
    parameters: dict[str, str] = {}
    for part in _PARAMETER_BREAK.split(" ".join(text.split())):
        name, _, value = part.partition("=")
        if name.strip():
            parameters.setdefault(name.strip().lower(), value.strip())
    return parameters


def decode_parameter_sets_untrusted(text: str) -> tuple[bytes, ...]:
    """Decode `sprop-parameter-sets` (RFC 6184 §8.1), or `sprop-vps` and its like (RFC 7798 §7.1).

    NAL units in base64, separated by commas.

    Tolerated: missing padding, start codes before or after a NAL unit, several NAL units in one, and what is no
    base64 at all, which is left out.
    """
    decoded = (_decode_base64(part) for part in text.split(","))
    return tuple(nal for data in decoded for nal in _split_at_start_codes(data))


def _read_format(kind: str, payload_type: int, rtpmap: str, fmtp: str) -> PayloadFormat:
    codec, clock_rate, channels = _read_rtpmap(rtpmap)
    static = _STATIC_FORMATS.get(payload_type)
    # GW4089IP maps payload type 8 to PCMU and sends PCMA; a codec of another family (Anpviz: AAC on 0) is meant so.
    if static and (not codec or {static[0], codec} == {"PCMU", "PCMA"}):
        codec, clock_rate, channels = static[0], clock_rate or static[1], channels or static[2]
    if codec == "OPUS":
        # RFC 7587 §7: the rtpmap of Opus is always opus/48000/2; some write /1 (go2rtc#1506).
        clock_rate, channels = 48000, 2
    return PayloadFormat(
        payload_type=payload_type,
        codec=codec,
        clock_rate=clock_rate or (_AUDIO_CLOCK_HZ if kind == "audio" else _VIDEO_CLOCK_HZ),
        channels=channels or 1,
        parameters=parse_parameters_untrusted(fmtp),
    )


def _by_payload_type(values: Iterable[str]) -> dict[str, str]:
    """Return what `a=rtpmap` or `a=fmtp` lines say, by payload type as text; the first of a type counts."""
    described: dict[str, str] = {}
    for value in values:
        first, *rest = value.split(maxsplit=1) or [""]
        described.setdefault(first, rest[0] if rest else "")
    return described


def _read_rtpmap(text: str) -> tuple[str, int, int]:
    """Return encoding name, clock rate and channels of `H264/90000` or `PCMA/8000/1`, empty and 0 where absent."""
    codec, clock_rate, channels = ([part.strip() for part in text.split("/")] + ["", ""])[:3]
    return codec.upper(), _read_number(clock_rate), _read_number(channels)


def _read_number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _decode_base64(text: str) -> bytes:
    letters = text.strip().rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _split_at_start_codes(data: bytes) -> list[bytes]:
    # A NAL unit never ends in a zero byte (RFC 6184 §5.7.1, H.264 §7.4.1), so zeros at the end are padding.
    return [nal for piece in _START_CODE.split(data) if (nal := piece.rstrip(b"\0"))]
