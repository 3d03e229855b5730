"""A demo camera's pace: one picture each frame interval, drawn and encoded in a worker thread."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from camgate.demo.encoder import EncodedPicture
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import VIDEO_CLOCK_HZ
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264_nal import NAL_PPS, NAL_SPS, NAL_TYPE_MASK
from camgate.wire.codec.h264_sets import H264ParameterSets

TakePicture = Callable[[int, int], Awaitable[EncodedPicture]]
"""Makes picture number `frame` for time slot `slot`, counted in frame intervals from the beginning."""


async def film(source: Source, fps: int, take: TakePicture) -> NoReturn:
    """Publish pictures for ever, `fps` a second without drift; slots that were missed are skipped, not made up for."""
    began_s = trio.current_time()
    frame = slot = 0
    source.begin_session()
    while True:
        picture = await take(frame, slot)
        if frame == 0:
            _announce(source, picture)
        rtp_time = slot * VIDEO_CLOCK_HZ // fps
        source.publish(Frame(picture.nals, rtp_time, trio.current_time(), picture.is_key))
        frame += 1
        slot = max(slot + 1, int((trio.current_time() - began_s) * fps) + 1)
        await trio.sleep_until(began_s + slot / fps)


def _announce(source: Source, picture: EncodedPicture) -> None:
    sets = H264ParameterSets()
    for nal in picture.nals:
        if nal[0] & NAL_TYPE_MASK in (NAL_SPS, NAL_PPS):
            sets.remember_untrusted(nal)
    sets.note_promised()
    assert sets.format is not None
    source.set_format(sets.format)
    source.set_state(CameraState.LIVE)
