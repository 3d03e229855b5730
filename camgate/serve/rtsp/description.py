"""A camera as RTSP clients see it: tracks with payload types, and their session description (SDP, RFC 8866)."""

import base64
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from camgate.relay.audio import AudioStream
from camgate.relay.source import Source
from camgate.relay.stream import VIDEO_CLOCK_HZ, Stream
from camgate.serve.rtsp.layout import MAX_PAYLOAD_BYTES, Packetize
from camgate.wire.codec.aac_payload import FMTP, packetize_aac
from camgate.wire.codec.audio_codecs import AAC_CODECS
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.video_codecs import packetize
from camgate.wire.sdp.session import Attribute, Attributes, Media, SessionDescription

VIDEO_PAYLOAD_TYPE, AUDIO_PAYLOAD_TYPE = 96, 97
"""Of the dynamic payload types (RFC 3551 section 6)."""

VIDEO_CONTROL, AUDIO_CONTROL = "track0", "track1"
"""Last segments of the tracks' URLs."""

_STATIC_PAYLOAD_TYPES = {("PCMU", 8_000, 1): 0, ("PCMA", 8_000, 1): 8, ("G722", 8_000, 1): 9}
"""RFC 3551 section 6, table 4."""


class StreamTrack(Protocol):
    """One stream of a camera as a track that clients can set up.

    control: the last segment of its URL. codec: what was described; when the stream's changes, the track is another.
    is_marked: whether the last packet of a frame has the marker.
    """

    control: str
    codec: str
    clock_hz: int
    payload_type: int
    packetize: Packetize
    is_marked: bool
    media: Media

    @property
    def stream(self) -> Stream | AudioStream:
        """Where its frames come from."""

    def cached(self) -> tuple[Frame, ...]:
        """Return what a client begins with, if it wants that."""

    def may_reorder(self) -> bool:
        """Whether frames may be shown in another order than they are decoded in."""

    def has_changed(self) -> bool:
        """Whether frames are no longer what was described."""

    def skew_s(self, now: float) -> float:
        """How much later than their own time frames belong to the other tracks (`relay.lip_sync`)."""


class VideoTrack:
    """See StreamTrack. The format must be known."""

    control = VIDEO_CONTROL
    clock_hz = VIDEO_CLOCK_HZ
    payload_type = VIDEO_PAYLOAD_TYPE
    is_marked = True

    def __init__(self, stream: Stream) -> None:
        video = stream.format
        assert video is not None
        self.stream = stream
        self.codec = video.codec
        self.packetize: Packetize = partial(_packetize, video.codec)
        self.media = _describe_video(video)

    def cached(self) -> tuple[Frame, ...]:
        return self.stream.gop()

    def may_reorder(self) -> bool:
        return self.stream.format is not None and self.stream.format.may_reorder

    def has_changed(self) -> bool:
        return self.stream.format is not None and self.stream.format.codec != self.codec

    def skew_s(self, now: float) -> float:
        return 0.0


class AudioTrack:
    """See StreamTrack. A stream of sound never changes its format."""

    control = AUDIO_CONTROL

    def __init__(self, stream: AudioStream) -> None:
        audio = stream.format
        self.stream = stream
        self.codec = audio.codec
        self.clock_hz = audio.clock_hz
        self.payload_type = _STATIC_PAYLOAD_TYPES.get((audio.codec, audio.clock_hz, audio.channels), AUDIO_PAYLOAD_TYPE)
        # RFC 3640 section 3.1: the marker ends an access unit. Of other sound it would mean that silence was left out.
        self.is_marked = audio.codec in AAC_CODECS
        self.packetize: Packetize = _packetize_aac if self.is_marked else _payloads
        self.media = _describe_audio(audio, self.payload_type)

    def cached(self) -> tuple[Frame, ...]:
        return ()

    def may_reorder(self) -> bool:
        return False

    def has_changed(self) -> bool:
        return False

    def skew_s(self, now: float) -> float:
        return self.stream.lip_sync.skew_s(now)


def tracks_of(source: Source) -> tuple[StreamTrack, ...]:
    """Return the tracks of a camera, the video first. Its format must be known."""
    tracks: list[StreamTrack] = [VideoTrack(source.stream)]
    if source.audio is not None:
        tracks.append(AudioTrack(source.audio))
    return tuple(tracks)


def describe_tracks(name: str, tracks: Sequence[StreamTrack]) -> SessionDescription:
    """Describe a camera's tracks."""
    # RFC 2326 appendix C.1.6 and C.1.7: port and address are 0 where the client chooses the transport by SETUP.
    lines = (("v", "0"), ("o", "- 0 0 IN IP4 0.0.0.0"), ("s", name), ("c", "IN IP4 0.0.0.0"), ("t", "0 0"))
    # RFC 2326 appendix C.1.1: "*" is the URL of the description itself, and other controls are relative to it.
    session = Attributes((Attribute("control", "*"), Attribute("range", "npt=now-")))
    return SessionDescription(lines=lines, attributes=session, media=tuple(track.media for track in tracks))


def _describe_video(video: VideoFormat) -> Media:
    if video.codec == "H265":
        # RFC 7798 section 7.1
        parameters = f"profile-id={video.profile_id};tier-flag={video.tier_flag};level-id={video.level_id}"
        for name in ("vps", "sps", "pps"):
            parameters += f";sprop-{name}={_base64(getattr(video, name))}"
    else:
        # RFC 6184 section 8.2.1
        sets = f"{_base64(video.sps)},{_base64(video.pps)}"
        parameters = f"packetization-mode=1;profile-level-id={video.profile_level_id};sprop-parameter-sets={sets}"
    rate = (Attribute("framerate", f"{video.fps:g}"),) if video.fps is not None else ()
    return _media("video", VIDEO_PAYLOAD_TYPE, f"{video.codec}/{VIDEO_CLOCK_HZ}", parameters, VIDEO_CONTROL, *rate)


def _describe_audio(audio: AudioFormat, payload_type: int) -> Media:
    channels = f"/{audio.channels}" if audio.channels > 1 else ""
    if audio.codec in AAC_CODECS:
        # LATM as well, for its frames are the same and more receivers know this form.
        name, parameters = "mpeg4-generic", FMTP + audio.config.hex().upper()
    elif audio.codec == "OPUS":
        # RFC 7587 section 7: stereo says what the receiver may decode; without it players mix down to one channel.
        name, parameters = "opus", "sprop-stereo=1"
    else:
        name, parameters = audio.codec, ""
    return _media("audio", payload_type, f"{name}/{audio.clock_hz}{channels}", parameters, AUDIO_CONTROL)


def _media(kind: str, payload_type: int, encoding: str, parameters: str, control: str, *others: Attribute) -> Media:
    attributes = [Attribute("rtpmap", f"{payload_type} {encoding}")]
    if parameters:
        attributes.append(Attribute("fmtp", f"{payload_type} {parameters}"))
    attributes += [*others, Attribute("control", control)]
    return Media(kind=kind, protocol="RTP/AVP", formats=(str(payload_type),), attributes=Attributes(attributes))


def _base64(nal: bytes) -> str:
    return base64.b64encode(nal).decode()


def _packetize(codec: str, frame: Frame) -> list[bytes]:
    return packetize(codec, frame.nals, MAX_PAYLOAD_BYTES)


def _packetize_aac(frame: Frame) -> list[bytes]:
    return packetize_aac(frame.nals[0], MAX_PAYLOAD_BYTES)


def _payloads(frame: Frame) -> tuple[bytes, ...]:
    return frame.nals
