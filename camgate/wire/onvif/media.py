"""The media services: which streams a camera has, where they are, and how to ask it for a key frame.

There are two of them. Media (ver10) knows JPEG, MPEG-4 and H.264; Media2 (ver20) knows H.265 as well. The same camera
answers both for the same streams, in other elements.
"""

from dataclasses import dataclass
from enum import Enum
from xml.sax.saxutils import escape

from camgate.wire.onvif.soap import Request
from camgate.wire.onvif.xml import Element, children, find, number_of, text_of

_SCHEMA = "http://www.onvif.org/ver10/schema"

MAX_PROFILES = 256
"""Recorders with 64 channels have four a channel at most."""

_CODECS = {"H264": "H264", "H265": "H265", "HEVC": "H265", "H.264": "H264", "H.265": "H265"}


class MediaVersion(Enum):
    """Which of the two media services; the value is its namespace."""

    MEDIA = "http://www.onvif.org/ver10/media/wsdl"
    MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One media profile, and the stream that it makes.

    token: its name for requests; may hold anything. name: for people. source: the token of its video source, by which
    the channels of a recorder are told apart. codec: `H264`, `H265`, or what else the camera wrote; empty for none.
    fps, bitrate_kbps: the limits that are set. None is unknown.
    """

    token: str
    name: str = ""
    source: str = ""
    codec: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate_kbps: int | None = None

    @property
    def pixels(self) -> int:
        """Of a picture; 0 where unknown."""
        return (self.width or 0) * (self.height or 0)

    @property
    def is_video(self) -> bool:
        """Whether it is video that camgate takes."""
        return self.codec in ("H264", "H265")


def get_profiles(version: MediaVersion) -> Request:
    """Ask for all profiles, with their configurations."""
    # Media2 section 5.2.1: without Type no configurations are told.
    inner = "<Type>All</Type>" if version is MediaVersion.MEDIA2 else ""
    return _request(version, "GetProfiles", inner)


def get_stream_uri(version: MediaVersion, token: str) -> Request:
    """Ask for the URL of a profile's stream."""
    profile = f"<ProfileToken>{escape(token)}</ProfileToken>"
    if version is MediaVersion.MEDIA2:
        return _request(version, "GetStreamUri", f"<Protocol>RTSP</Protocol>{profile}")
    transport = "<t:Transport><t:Protocol>RTSP</t:Protocol></t:Transport>"
    setup = f'<StreamSetup xmlns:t="{_SCHEMA}"><t:Stream>RTP-Unicast</t:Stream>{transport}</StreamSetup>'
    return _request(version, "GetStreamUri", setup + profile)


def set_synchronization_point(version: MediaVersion, token: str) -> Request:
    """Ask for a key frame on all streams of a profile (Media section 5.13, Media2 section 5.5)."""
    return _request(version, "SetSynchronizationPoint", f"<ProfileToken>{escape(token)}</ProfileToken>")


def read_profiles_untrusted(reply: Element) -> list[Profile]:
    """Read the answer to `get_profiles`, of either service; what has no token is left out."""
    found = (_read_profile(element) for element in list(children(reply, "Profiles"))[:MAX_PROFILES])
    return [profile for profile in found if profile.token]


def read_stream_uri_untrusted(reply: Element) -> str:
    """Read the answer to `get_stream_uri`, of either service; empty where there is none."""
    return text_of(reply, "MediaUri", "Uri") or text_of(reply, "Uri")


def _read_profile(profile: Element) -> Profile:
    configurations = find(profile, "Configurations")
    encoder = _first(find(configurations, "VideoEncoder"), find(profile, "VideoEncoderConfiguration"))
    source = _first(find(configurations, "VideoSource"), find(profile, "VideoSourceConfiguration"))
    width, height = (_whole(encoder, "Resolution", side) for side in ("Width", "Height"))
    encoding = text_of(encoder, "Encoding")
    return Profile(
        token=profile.get("token", ""),
        name=text_of(profile, "Name"),
        source=text_of(source, "SourceToken"),
        codec=_CODECS.get(encoding.upper(), encoding),
        width=width,
        height=height,
        fps=number_of(encoder, "RateControl", "FrameRateLimit"),
        bitrate_kbps=_whole(encoder, "RateControl", "BitrateLimit"),
    )


def _first(*elements: Element | None) -> Element | None:
    return next((element for element in elements if element is not None), None)


def _whole(parent: Element | None, *path: str) -> int | None:
    value = number_of(parent, *path)
    return None if value is None else int(value)


def _request(version: MediaVersion, operation: str, inner: str) -> Request:
    namespace = version.value
    return Request(f"{namespace}/{operation}", f'<{operation} xmlns="{namespace}">{inner}</{operation}>')
