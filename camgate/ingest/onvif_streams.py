"""Which of a camera's ONVIF profiles are its main and its sub-stream."""

from dataclasses import dataclass

from camgate.ingest.onvif import OnvifCamera
from camgate.wire.onvif.errors import MalformedReply, OnvifFault
from camgate.wire.onvif.media import Profile


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
    streams = []
    for profile in await camera.profiles():
        if profile.is_video:
            try:
                url = await camera.stream_url(profile.token)
            except (OnvifFault, MalformedReply):
                # Profiles whose encoder is turned off have none.
                url = None
            streams.append(OnvifStream(profile, url))
    return streams


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
