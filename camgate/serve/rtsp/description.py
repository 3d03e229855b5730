"""The session description (SDP, RFC 8866) that DESCRIBE answers for one live stream."""

import base64

from camgate.wire.codec.format import VideoFormat
from camgate.wire.sdp.session import Attribute, Attributes, Media, SessionDescription

VIDEO_PAYLOAD_TYPE = 96
"""The first of the dynamic payload types (RFC 3551 section 6)."""

VIDEO_CONTROL = "track0"
"""Last segment of the video track's URL."""


def describe_stream(name: str, video: VideoFormat) -> SessionDescription:
    """Describe a stream of that name with one H.264 track."""
    # RFC 2326 appendix C.1.6 and C.1.7: port and address are 0 where the client chooses the transport by SETUP.
    lines = (("v", "0"), ("o", "- 0 0 IN IP4 0.0.0.0"), ("s", name), ("c", "IN IP4 0.0.0.0"), ("t", "0 0"))
    # RFC 2326 appendix C.1.1: "*" is the URL of the description itself, and other controls are relative to it.
    session = Attributes((Attribute("control", "*"), Attribute("range", "npt=now-")))
    return SessionDescription(lines=lines, attributes=session, media=(_describe_video(video),))


def _describe_video(video: VideoFormat) -> Media:
    sets = ",".join(base64.b64encode(nal).decode() for nal in (video.sps, video.pps))
    # RFC 6184 section 8.2.1
    parameters = f"packetization-mode=1;profile-level-id={video.profile_level_id};sprop-parameter-sets={sets}"
    attributes = [
        Attribute("rtpmap", f"{VIDEO_PAYLOAD_TYPE} {video.codec}/90000"),
        Attribute("fmtp", f"{VIDEO_PAYLOAD_TYPE} {parameters}"),
    ]
    if video.fps is not None:
        attributes.append(Attribute("framerate", f"{video.fps:g}"))
    attributes.append(Attribute("control", VIDEO_CONTROL))
    formats = (str(VIDEO_PAYLOAD_TYPE),)
    return Media(kind="video", protocol="RTP/AVP", formats=formats, attributes=Attributes(attributes))
