"""Which stream a viewer gets, and in which codec: chosen for each viewer from its offer (docs/design/codecs.md).

The ways are tried in the order of `Way`; the first that fits is taken. Owns no task, and knows nothing of viewers once
they have been answered, but for `Choice.misfit`, which says when one can no longer be served as it was promised.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import trio

from camgate.relay.errors import CameraOffline, NoCommonCodec
from camgate.relay.source import Source
from camgate.relay.stream import Stream
from camgate.wire.codec.format import VideoFormat
from camgate.wire.sdp.answer import CONSTRAINED_BASELINE, choose_h264, choose_h265, choose_vp8, is_same_h265
from camgate.wire.sdp.offer import OfferedCodec, OfferedMedia

NO_CODECS = frozenset({"RTX", "RED", "ULPFEC", "FLEXFEC-03"})
"""Names in offers that stand for repair, not for pictures."""

SUB_STREAM_WAIT_S = 10.0
"""How long an offer is held for a sub-stream that has to be dialled first: a dial, and the next key frame."""

PROOF_S = 2.0
"""At 16 pictures a second, a camera that sends no B-frames has shown so by then (`wire.codec.order`)."""


class Way(StrEnum):
    """How a viewer's video comes from the camera's; the values are the API's words."""

    AS_IS = "as-is"
    """Passed through."""
    SUB_STREAM = "sub-stream"
    """The camera's other stream, passed through."""
    TRANSCODED = "transcoded"
    """Made anew of the camera's stream, by `camgate.transcode`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one viewer is sent: `stream`, under the payload type of `codec`.

    source: where the stream is from, and the sound that goes with it. why: a clause for people.
    """

    source: Source
    stream: Stream
    codec: OfferedCodec
    way: Way
    why: str

    def misfit(self, video: VideoFormat) -> str | None:
        """Say in words why a format that the stream has changed to is not what was answered; None where it is."""
        reason = None
        if video.codec != self.codec.name:
            reason = f"the camera sends {video.label} now"
        elif video.may_reorder:
            reason = "the camera sends B-frames now, which browsers cannot play over WebRTC"
        elif video.codec == "H265" and not is_same_h265(self.codec, video):
            reason = f"the camera sends {video.label} now"
        return reason and f"{reason}: connect again"


class Deriver(Protocol):
    """Makes streams of others; see `transcode.pool`."""

    def derive(self, source: Stream, target: str) -> Stream:
        """Return a stream that is `source` in another codec, `H264` or `VP8`. Raises TooManyTranscoders."""


async def choose(source: Source, media: OfferedMedia, wait_s: float, deriver: Deriver | None = None) -> Choice:
    """Choose what a viewer that offered `media` is sent of a camera.

    wait_s: how long to wait for a camera that is not live. deriver: None where nothing may be transcoded.
    Raises CameraOffline, NoCommonCodec, TooManyTranscoders.
    """
    video = await _settled(source, await source.wait_live(wait_s))
    codec = _codec_for(media, video)
    if codec is not None:
        return Choice(source=source, stream=source.stream, codec=codec, way=Way.AS_IS, why="as the camera sends it")
    obstacle = _obstacle(media, video)
    advice: list[str] = []
    if source.sub is not None:
        choice = await _sub_stream(source.sub, media, obstacle, advice)
        if choice is not None:
            return choice
    if deriver is not None:
        choice = _transcoded(source, media, video, obstacle, deriver)
        if choice is not None:
            return choice
    # Better a picture that the browser may be too weak for than none: browsers decode more than they declare.
    codec = _codec_for(media, video, heed_level=False)
    if codec is not None:
        why = "as the camera sends it, although the browser declares a lower level"
        return Choice(source=source, stream=source.stream, codec=codec, way=Way.AS_IS, why=why)
    advice += _advice(source, media, video)
    if deriver is None and (choose_h264(media, CONSTRAINED_BASELINE) or choose_vp8(media)):
        advice.append("allow transcoding (transcode.max_streams is 0)")
    raise NoCommonCodec(_in_words(video), _offered(media), advice)


async def _settled(source: Source, video: VideoFormat) -> VideoFormat:
    """Wait, of a camera that has only just come, until its pictures show whether it has the B-frames it claims."""
    with trio.move_on_at(source.changed_at_s + PROOF_S):
        while video.may_reorder and not video.reorders:
            await source.changes.wait_changed(source.changes.revision)
            video = source.stream.format or video
    return video


async def _sub_stream(sub: Source, media: OfferedMedia, obstacle: str, advice: list[str]) -> Choice | None:
    """Choose the camera's sub-stream where that fits; else add to `advice` what is wrong with it."""
    with sub.want():
        try:
            video = await _settled(sub, await sub.wait_live(SUB_STREAM_WAIT_S))
        except CameraOffline as error:
            advice.append(f"look after its sub-stream, which gives no pictures ({error.reason or 'not yet'})")
            return None
    codec = _codec_for(media, video)
    if codec is None:
        advice.append(f"set its sub-stream, which is {_in_words(video)}, to H.264 without B-frames")
        return None
    why = f"the camera's sub-stream, because {obstacle}"
    return Choice(source=sub, stream=sub.stream, codec=codec, way=Way.SUB_STREAM, why=why)


def _transcoded(
    source: Source, media: OfferedMedia, video: VideoFormat, obstacle: str, deriver: Deriver
) -> Choice | None:
    """Choose a stream that is made of the camera's; None where the browser takes neither H.264 nor VP8."""
    codec = choose_h264(media, CONSTRAINED_BASELINE)
    addition = ""
    if codec is None:
        codec = choose_vp8(media)
        addition = " and offers no H.264" if video.codec != "H264" or video.may_reorder else ""
    if codec is None:
        return None
    stream = deriver.derive(source.stream, codec.name)
    why = f"transcoded from {_in_words(video)}, because {obstacle}{addition}"
    return Choice(source=source, stream=stream, codec=codec, way=Way.TRANSCODED, why=why)


def _codec_for(media: OfferedMedia, video: VideoFormat, *, heed_level: bool = True) -> OfferedCodec | None:
    """Return the offered codec that a stream can be sent in as it is, or None."""
    if video.may_reorder:
        return None
    if video.codec == "H265":
        return choose_h265(media, video, heed_level=heed_level)
    return choose_h264(media, video.profile_level_id)


def _obstacle(media: OfferedMedia, video: VideoFormat) -> str:
    """Say why a stream cannot be sent as it is."""
    if video.may_reorder:
        return "the main stream has B-frames"
    return f"this browser does not take the main stream's {video.label}"


def _in_words(video: VideoFormat) -> str:
    return f"{video.label} with B-frames" if video.may_reorder else video.label


def _offered(media: OfferedMedia) -> list[str]:
    return list(dict.fromkeys(codec.name for codec in media.codecs if codec.name not in NO_CODECS))


def _advice(source: Source, media: OfferedMedia, video: VideoFormat) -> Iterator[str]:
    if video.may_reorder:
        yield "turn B-frames off in the camera"
    if choose_h264(media, CONSTRAINED_BASELINE) is None:
        yield f"use a browser that decodes {video.codec[0]}.{video.codec[1:]} (packetization-mode 1 of H.264)"
        return
    if video.codec != "H264":
        yield "set the camera to H.264"
    if source.sub is None:
        yield f'name a stream of it in H.264: [cameras.{source.name}.sub] url = "rtsp://…"'
