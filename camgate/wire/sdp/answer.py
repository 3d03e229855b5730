"""The answer to a viewer's offer: which of its codecs fits, and the SDP text that says so (RFC 8829, RFC 9143)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.sdp.offer import Offer, OfferedCodec, OfferedMedia

PLAYOUT_DELAY_URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
"""Lets the sender bound the receiver's jitter buffer; Chromium obeys it, Firefox ignores it."""

CONSTRAINED_BASELINE = "42e01f"
_DECODED_UNDER_ANY_LABEL = frozenset({0x42, 0x4D, 0x58, 0x64})
"""Baseline, Main, Extended and High; of the profiles above, with more bits or colours, browsers show black."""
_H265_LEVEL = 120
"""Level 4: an offer without level-id stands for 3.1, and its maker should take 4 (draft-ietf-avtcore-hevc-webrtc)."""
_FEEDBACK = ("nack", "nack pli", "ccm fir")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of our ICE host candidates (RFC 8839 section 5.1)."""

    address: str
    port: int
    priority: int
    foundation: int = 1
    is_tcp: bool = False
    """We listen, and the viewer connects (RFC 6544 section 4.5)."""

    def __str__(self) -> str:
        protocol, rest = ("tcp", " tcptype passive") if self.is_tcp else ("udp", "")
        return f"candidate:{self.foundation} 1 {protocol} {self.priority} {self.address} {self.port} typ host{rest}"


def host_candidates(addresses: Sequence[str], port: int, *, tcp: bool = False) -> tuple[Candidate, ...]:
    """Make candidates of `addresses`, most wanted first: priority falls with the place (RFC 8445 section 5.1.2.1).

    tcp: the same by TCP as well, behind all of UDP, with a type preference and a local preference as RFC 6544 section
    4.2 has them for the passive side.
    """
    places = list(enumerate(addresses))
    by_udp = [Candidate(each, port, (126 << 24) | ((65535 - place) << 8) | 255, place + 1) for place, each in places]
    if not tcp:
        return tuple(by_udp)
    by_tcp = [
        Candidate(each, port, (99 << 24) | ((0x8000 | (0x1FFF - place)) << 8) | 255, len(places) + place + 1, True)
        for place, each in places
    ]
    return (*by_udp, *by_tcp)


@dataclass(frozen=True, slots=True)
class SentTrack:
    """What an accepted media section will carry.

    codec: the offered payload type that is sent. ssrc: of the RTP packets. stream: msid and CNAME, the same for all
    tracks of a camera, so that the browser plays them in time with each other.
    extensions: header extension URIs and the offer's ids for them.
    """

    codec: OfferedCodec
    ssrc: int
    stream: str
    extensions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our side of the one bundled transport."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: str
    """SHA-256 of the DTLS certificate, as pairs of hex digits."""
    candidates: tuple[Candidate, ...]


def wanted_video(offer: Offer) -> OfferedMedia | None:
    """Return the first video section in which the viewer is willing to receive, or None."""
    return _wanted(offer, "video")


def wanted_audio(offer: Offer, video: OfferedMedia) -> OfferedMedia | None:
    """Return the first audio section that the viewer is willing to receive over the transport of `video`, or None."""
    audio = _wanted(offer, "audio")
    together = audio is not None and {audio.mid, video.mid} <= set(offer.bundled_mids)
    return audio if together else None


def choose_audio(media: OfferedMedia, audio: AudioFormat) -> OfferedCodec | None:
    """Choose the offered payload type that carries sound of this format as it is, or None."""
    wanted = (audio.codec, audio.clock_hz, audio.channels)
    return next((c for c in media.codecs if (c.name, c.clock_rate_hz, c.channels) == wanted), None)


def _wanted(offer: Offer, kind: str) -> OfferedMedia | None:
    for media in offer.media:
        receives = media.direction.value in ("recvonly", "sendrecv")
        if media.kind == kind and receives and not media.rejected:
            return media
    return None


def choose_h264(media: OfferedMedia, profile_level_id: str) -> OfferedCodec | None:
    """Choose the offered H.264 payload type for a stream of `profile_level_id` (6 hex digits), or None.

    Only packetization mode 1 can carry fragments (RFC 6184 section 6.3). The same profile is best; else, for what
    browsers decode all the same, Constrained Baseline; else whatever mode 1 is there. The level is not compared:
    browsers decode more than they declare.
    """
    codecs = [c for c in media.codecs if c.name == "H264" and c.parameters.get("packetization-mode") == "1"]
    wanted = _profile(profile_level_id)
    profiles = [wanted, _profile(CONSTRAINED_BASELINE)] if wanted[0] in _DECODED_UNDER_ANY_LABEL else [wanted]
    for profile in profiles:
        for codec in codecs:
            if _profile(codec.parameters.get("profile-level-id", "42e01f")) == profile:
                return codec
    return codecs[0] if codecs and len(profiles) > 1 else None


def choose_h265(media: OfferedMedia, video: VideoFormat, *, heed_level: bool = True) -> OfferedCodec | None:
    """Choose the offered H.265 payload type for a stream, or None.

    Profile, tier and tx-mode must be equal; the stream's level must not be above the offered one, if that is heeded.
    """
    for codec in media.codecs:
        fits = not heed_level or video.level_id <= _number(codec, "level-id", _H265_LEVEL)
        if codec.name == "H265" and fits and is_same_h265(codec, video):
            return codec
    return None


def is_same_h265(codec: OfferedCodec, video: VideoFormat) -> bool:
    """Say whether an offered H.265 codec is that of a stream, but for the level."""
    # RFC 7798 7.1: profile-id, tier-flag and tx-mode have defaults, which Safari 18 offers by naming none.
    return (
        _number(codec, "profile-id", 1) == video.profile_id
        and _number(codec, "tier-flag", 0) == video.tier_flag
        and codec.parameters.get("tx-mode", "SRST").upper() == "SRST"
    )


def _number(codec: OfferedCodec, name: str, default: int) -> int:
    text = codec.parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else default


def choose_vp8(media: OfferedMedia) -> OfferedCodec | None:
    """Choose the offered VP8 payload type, or None."""
    return next((codec for codec in media.codecs if codec.name == "VP8"), None)


def _profile(profile_level_id: str) -> tuple[int, int]:
    """Reduce a profile-level-id to profile_idc and the constraint bits that tell profiles apart (RFC 6184 8.1)."""
    try:
        profile_idc, constraints = bytes.fromhex(profile_level_id)[:2]
    except ValueError:
        return -1, -1
    if profile_idc == 0x42:
        # constraint_set1_flag makes Baseline Constrained Baseline; the other flags are left to the encoder.
        return profile_idc, constraints & 0x40
    return profile_idc, 0


def build_answer(offer: Offer, session_id: int, transport: LocalTransport, tracks: Mapping[str, SentTrack]) -> str:
    """Write the answer: `tracks` maps the mids that are accepted to what they carry, every other section is rejected.

    All candidates stand in the first accepted section, since a WHEP answer cannot trickle.
    """
    accepted = [media.mid for media in offer.media if media.mid in tracks]
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(accepted)}",
        "a=ice-lite",
    ]
    for media in offer.media:
        if media.mid not in tracks:
            lines += _rejected(media)
            continue
        lines += _accepted(media, transport, tracks[media.mid])
        if media.mid == accepted[0]:
            lines += [f"a={candidate}" for candidate in transport.candidates]
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def _rejected(media: OfferedMedia) -> list[str]:
    # RFC 3264 section 6: a rejected section keeps its place and gets port 0.
    return [
        f"m={media.kind} 0 {media.protocol} {media.formats[0]}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        "a=inactive",
    ]


def _accepted(media: OfferedMedia, transport: LocalTransport, track: SentTrack) -> list[str]:
    codec = track.codec
    lines = [
        f"m={media.kind} 9 {media.protocol} {codec.payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        f"a=ice-ufrag:{transport.ice_ufrag}",
        f"a=ice-pwd:{transport.ice_pwd}",
        f"a=fingerprint:sha-256 {transport.fingerprint}",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=sendonly",
        f"a=msid:{track.stream} {track.stream}-{media.kind}",
        f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate_hz}" + ("/2" if codec.channels == 2 else ""),
    ]
    if codec.parameters:
        # sps-pps-idr-in-keyframe would promise a form of key frames that cameras do not always keep.
        kept = (f"{k}={v}" for k, v in codec.parameters.items() if k != "sps-pps-idr-in-keyframe")
        lines.append(f"a=fmtp:{codec.payload_type} {';'.join(kept)}")
    feedback = _FEEDBACK if media.kind == "video" else ()
    lines += [f"a=rtcp-fb:{codec.payload_type} {name}" for name in feedback if name in codec.feedback]
    lines += [f"a=extmap:{number} {uri}" for uri, number in track.extensions.items()]
    return [
        *lines,
        f"a=ssrc:{track.ssrc} cname:{track.stream}",
        f"a=ssrc:{track.ssrc} msid:{track.stream} {track.stream}-{media.kind}",
    ]
