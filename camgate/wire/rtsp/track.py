"""`Track`: one media of a camera's session description, with the URL to SETUP it by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from camgate.wire.rtsp.errors import NoUsableTrack, printable
from camgate.wire.rtsp.url import RtspUrl, base_url_untrusted, is_absolute, join_control_untrusted
from camgate.wire.sdp.media import (
    PayloadFormat,
    decode_parameter_sets_untrusted,
    parse_parameters_untrusted,
    payload_formats_untrusted,
)
from camgate.wire.sdp.session import Media, SessionDescription

_H264_PARAMETER_SETS = (7, 8)
"""NAL unit types of SPS and PPS (H.264 table 7-1)."""

_H265_PARAMETER_SETS = (32, 33, 34)
"""NAL unit types of VPS, SPS and PPS (H.265 table 7-1)."""

NO_PAYLOAD_TYPE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One media (video, audio, metadata) that a camera offers.

    index: position among the media sections of the session description, from 0.
    media: `video`, `audio`, `application`, or whatever else the camera wrote.
    codec: upper-case encoding name (`H264`, `H265`, `PCMA`, `MPEG4-GENERIC`), empty where the camera names none.
    payload_type: RTP payload type, NO_PAYLOAD_TYPE where the camera gives none.
    clock_rate: RTP clock in Hz.
    fmtp: format parameters, keys in lower case; a key without a value has an empty string.
    control: absolute URL for SETUP, with our own host. Without userinfo, but some cameras have credentials in the
        path: show it only through `url.redact`.
    audio_channels: 1 for mono, and for media without the notion.
    is_backchannel: this track takes sound towards the camera (ONVIF talkback); never play it.
    parameter_sets: SPS and PPS of H.264, with VPS those of H.265, of the session description, without start codes;
        often empty or only some of them, so they are but a seed.
    rtp_channel, rtcp_channel: interleaved channels, None before SETUP has been answered.
    """

    index: int
    media: str
    codec: str
    payload_type: int
    clock_rate: int
    control: str
    fmtp: Mapping[str, str] = field(default_factory=dict)
    audio_channels: int = 1
    is_backchannel: bool = False
    parameter_sets: tuple[bytes, ...] = ()
    rtp_channel: int | None = None
    rtcp_channel: int | None = None

    @property
    def label(self) -> str:
        """Media and codec for people: `video H264`."""
        return f"{printable(self.media)} {printable(self.codec) or 'unknown'}"


def first_video_track(tracks: Sequence[Track], codecs: Iterable[str] = ("H264", "H265")) -> Track:
    """Return the first video track in one of `codecs`; raise NoUsableTrack, which lists what there is, if none."""
    wanted = tuple(codecs)
    for track in tracks:
        if track.media == "video" and track.codec in wanted and not track.is_backchannel:
            return track
    raise NoUsableTrack(wanted, (track.label for track in tracks))


@dataclass(frozen=True, slots=True)
class Presentation:
    """A session description as seen from one base URL: what PLAY, keepalive and TEARDOWN name, and its tracks."""

    aggregate_url: str
    tracks: tuple[Track, ...]


def read_presentations_untrusted(
    description: SessionDescription, bases: Iterable[str | None], own: RtspUrl
) -> list[Presentation]:
    """Return the presentation by the base that the camera names; behind it, where that differs, by our own URL.

    bases: Content-Base, then Content-Location, None where the header is absent. Some cameras name one that means
    nothing to themselves.
    """
    seen_from = [
        Presentation(aggregate_url_untrusted(description, base, own), read_tracks_untrusted(description, base, own))
        for base in (base_url_untrusted(bases, own), str(own))
    ]
    return seen_from if seen_from[0].tracks != seen_from[1].tracks else seen_from[:1]


def aggregate_url_untrusted(description: SessionDescription, base: str, own: RtspUrl) -> str:
    """Return the URL of the whole presentation, for PLAY, keepalive and TEARDOWN.

    Hikvision adds `?transportmode=unicast&profile=…` in the session's a=control and wants PLAY on it.
    """
    return join_control_untrusted(base, description.attributes.value("control") or "", own)


def read_tracks_untrusted(description: SessionDescription, base: str, own: RtspUrl) -> tuple[Track, ...]:
    """Return a track for each media section, usable or not.

    base: what the answer to DESCRIBE was about (`url.base_url_untrusted`). own: the URL that we dialled.
    """
    aggregate = aggregate_url_untrusted(description, base, own)
    # RFC 2326 appendix C.3 resolves a track's control against an absolute one of the session.
    base = aggregate if is_absolute(description.attributes.value("control") or "") else base
    backchannels = _backchannels(description)
    strays = _stray_parameters(description)
    tracks = []
    for index, media in enumerate(description.media):
        payload = _first_format(media)
        fmtp = payload.parameters or strays.get(str(payload.payload_type), {})
        # RFC 2326 appendix C.2: a single media may lack a=control; then SETUP names the presentation.
        control = media.attributes.value("control")
        tracks.append(
            Track(
                index=index,
                media=media.kind,
                codec=payload.codec,
                payload_type=payload.payload_type,
                clock_rate=payload.clock_rate,
                control=join_control_untrusted(base, control, own) if control else aggregate,
                fmtp=fmtp,
                audio_channels=payload.channels,
                is_backchannel=index in backchannels,
                parameter_sets=_parameter_sets(payload.codec, fmtp),
            )
        )
    return tuple(tracks)


def _first_format(media: Media) -> PayloadFormat:
    formats = payload_formats_untrusted(media)
    named = [payload for payload in formats if payload.codec]
    nothing = PayloadFormat(payload_type=NO_PAYLOAD_TYPE, codec="", clock_rate=90000)
    return next(iter([*named, *formats]), nothing)


def _stray_parameters(description: SessionDescription) -> dict[str, dict[str, str]]:
    """Return, by payload type, each a=fmtp in a section that does not have that type (AlexxIT/WebRTC#419)."""
    strays: dict[str, str] = {}
    for media in description.media:
        formats = frozenset(media.formats)
        for value in media.attributes.values("fmtp"):
            payload_type, _, parameters = value.partition(" ")
            if payload_type not in formats:
                strays.setdefault(payload_type, parameters)
    return {payload_type: parse_parameters_untrusted(parameters) for payload_type, parameters in strays.items()}


def _backchannels(description: SessionDescription) -> set[int]:
    # ONVIF Streaming Specification §5.3.1: a=sendonly marks the media that the client sends.
    marked = {index for index, media in enumerate(description.media) if media.attributes.has("sendonly")}
    # Some mark what they send themselves: all of it, or whatever a CV-RTSPHandler serves (go2rtc#771).
    is_own_view = len(marked) == len(description.media) or "CV-RTSPHandler" in (description.line("o") or "")
    return set() if is_own_view else marked


def _parameter_sets(codec: str, fmtp: Mapping[str, str]) -> tuple[bytes, ...]:
    if codec == "H264":
        nals = decode_parameter_sets_untrusted(fmtp.get("sprop-parameter-sets", ""))
        return tuple(nal for nal in nals if nal[0] & 0x1F in _H264_PARAMETER_SETS)
    if codec == "H265":
        # RFC 7798 7.1; some cameras leave out one or two of them (go2rtc#1588).
        texts = (fmtp.get(f"sprop-{name}", "") for name in ("vps", "sps", "pps"))
        nals = tuple(nal for text in texts for nal in decode_parameter_sets_untrusted(text))
        return tuple(nal for nal in nals if nal[0] >> 1 & 0x3F in _H265_PARAMETER_SETS)
    return ()
