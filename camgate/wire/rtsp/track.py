"""`Track`: one media of a camera's session description, with the URL to SETUP it by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from camgate.wire.rtsp.errors import NoUsableTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One media (video, audio, metadata) that a camera offers.

    index: position among the media sections of the session description, from 0.
    media: `video`, `audio`, `application`, or whatever else the camera wrote.
    codec: upper-case encoding name (`H264`, `H265`, `PCMA`, `MPEG4-GENERIC`), empty where the camera names none.
    clock_rate: RTP clock in Hz.
    fmtp: format parameters, keys in lower case; a key without a value has an empty string.
    control: absolute URL for SETUP, with our own host and without credentials.
    audio_channels: 1 for mono; 1 for media without the notion.
    is_backchannel: this track takes sound towards the camera (ONVIF talkback); never play it.
    parameter_sets: H.264 SPS and PPS of the session description, without start codes; often empty, only a seed.
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
        return f"{self.media} {self.codec or 'unknown'}"


def first_video_track(tracks: Sequence[Track], codecs: Iterable[str] = ("H264",)) -> Track:
    """Return the first video track in one of `codecs`; raise NoUsableTrack, which lists what there is, if none."""
    wanted = tuple(codecs)
    for track in tracks:
        if track.media == "video" and track.codec in wanted and not track.is_backchannel:
            return track
    raise NoUsableTrack(wanted, (track.label for track in tracks))
