"""Playing a camera that sends us elsewhere."""

import trio
import trio.testing

from camgate.ingest.errors import CameraMoved, TlsFailed
from camgate.ingest.play import MAX_REDIRECTS
from tests.fakes.camera import FakeCamera
from tests.fakes.sessions import Sink, error_of, play_for, serving

HERE, ELSEWHERE = "rtsp://192.0.2.7/stream", "rtsp://198.51.100.9:8554/elsewhere"


async def test_redirects_are_followed_so_many_times_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.redirects = {HERE: ELSEWHERE, ELSEWHERE: ELSEWHERE}
    assert isinstance(await error_of(camera), CameraMoved)
    assert camera.dialled == [("192.0.2.7", 554)] + [("198.51.100.9", 8554)] * MAX_REDIRECTS


async def test_a_redirect_leads_to_pictures(autojump_clock: trio.testing.MockClock) -> None:
    camera, sink = FakeCamera(), Sink()
    camera.redirects = {HERE: ELSEWHERE}
    async with serving(camera):
        await play_for(camera, 2.0, sink=sink)
    assert sink.frames
    assert camera.open_connections == 0


async def test_a_redirect_to_rtsps_is_followed_by_tls(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.redirects = {HERE: "rtsps://198.51.100.9/elsewhere"}
    error = await error_of(camera)
    assert isinstance(error, TlsFailed)
    assert camera.dialled == [("192.0.2.7", 554), ("198.51.100.9", 322)]
