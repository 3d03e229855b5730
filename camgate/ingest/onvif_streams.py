"""Which of a camera's ONVIF profiles are its main and its sub-stream."""

from dataclasses import dataclass

from camgate.ingest.onvif import OnvifCamera
from camgate.wire.onvif.errors import MalformedReply, OnvifError, OnvifFault
from camgate.wire.onvif.media import Profile
from camgate.wire.rtsp.url import split_url_untrusted


class NoStream(OnvifError):
    """The camera speaks ONVIF and names no stream that camgate takes."""

    def __str__(self) -> str:
        return "the camera names no H.264 or H.265 stream by ONVIF: turn an encoder on in its menu"


@dataclass(frozen=True, slots=True)
class OnvifStream:
    """A profile with video and where its stream is; `url` is None where the camera names none."""

    profile: Profile
    url: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """One picture of the world: a camera, or one input of a recorder. sub: in H.264 and smaller than main, or None."""

    main: OnvifStream
    sub: OnvifStream | None


async def list_streams(camera: OnvifCamera) -> list[OnvifStream]:
    """Return the streams of all profiles with video, in the camera's order. Raises as `OnvifCamera.profiles` does."""
    return [await _stream(camera, profile) for profile in await camera.profiles() if profile.is_video]


async def find_stream(camera: OnvifCamera, url: str) -> OnvifStream:
    """Return the stream that a URL means, else the main one. Raises NoStream, and as `list_streams` does."""
    streams = []
    for profile in await camera.profiles():
        if profile.is_video:
            stream = await _stream(camera, profile)
            if stream.url is not None and _is_same(url, stream.url):
                return stream
            streams.append(stream)
    channels = channels_of(streams)
    if not channels:
        raise NoStream
    return channels[0].main


async def _stream(camera: OnvifCamera, profile: Profile) -> OnvifStream:
    try:
        return OnvifStream(profile, await camera.stream_url(profile.token))
    except (OnvifFault, MalformedReply):
        # Profiles whose encoder is turned off have none.
        return OnvifStream(profile, None)


def _is_same(configured: str, told: str) -> bool:
    """Whether two URLs name the same stream; cameras add to the query by ONVIF (`unicast=true&proto=Onvif`, Dahua)."""
    (path, query), (told_path, told_query) = (
        split_url_untrusted(url).path.partition("?")[::2] for url in (configured, told)
    )
    return path.rstrip("/") == told_path.rstrip("/") and set(query.split("&")) - {""} <= set(told_query.split("&"))


def channels_of(streams: list[OnvifStream]) -> list[Channel]:
    """Sort streams into channels, by their video source. Streams without a URL are left out."""
    by_source: dict[str, list[OnvifStream]] = {}
    for stream in streams:
        if stream.url is not None:
            by_source.setdefault(stream.profile.source, []).append(stream)
    return [_channel(each) for each in by_source.values()]


def _channel(streams: list[OnvifStream]) -> Channel:
    # Of equal sizes the first: cameras list the main stream first.
    main = max(streams, key=lambda stream: stream.profile.pixels)
    smaller = [
        stream
        for stream in streams
        if stream.profile.codec == "H264" and stream.profile.pixels < main.profile.pixels and stream.url != main.url
    ]
    return Channel(main, max(smaller, key=lambda stream: stream.profile.pixels, default=None))
