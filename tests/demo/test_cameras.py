"""The demo cameras, played by camgate's own client over loopback and decoded."""

from collections.abc import AsyncIterator

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.demo.cameras import CAMERAS, DemoCamera, open_demo_cameras
from camgate.wire.rtsp.errors import AuthenticationFailed
from camgate.wire.rtsp.url import split_url_untrusted
from tests.fakes.decode import BlocksDecoder
from tests.fakes.rtsp_player import RtspPlayer

PATIENCE_S = 20.0
"""For what takes well under a second on a quiet machine."""


@pytest.fixture
async def cameras() -> AsyncIterator[dict[str, CameraSettings]]:
    with trio.fail_after(3 * PATIENCE_S):
        async with open_demo_cameras() as cameras:
            yield cameras


async def play(camera: CameraSettings, frames: int) -> RtspPlayer:
    """Play a camera for so many frames."""
    url = split_url_untrusted(camera.url)
    stream = await trio.open_tcp_stream(url.host, url.port)
    player = RtspPlayer(stream, camera.url, username=camera.username, password=camera.password)
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(player.run)
        await player.wait_frames(frames)
        nursery.cancel_scope.cancel()
    return player


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
async def test_each_picture_follows_the_one_before(cameras: dict[str, CameraSettings], camera: DemoCamera) -> None:
    player = await play(cameras[camera.name], 30)
    blocks = BlocksDecoder().decode_all(player.frames)
    assert len(blocks) >= 30
    first = blocks[0]
    assert first is not None
    assert [each and (each.frame, each.camera) for each in blocks] == [
        (first.frame + index, camera.number) for index in range(len(blocks))
    ]
    video = player.depacketizer.format
    assert video is not None
    assert (video.width, video.height, video.fps) == (camera.width, camera.height, camera.fps)
    assert not video.may_reorder


async def test_one_camera_wants_its_password(cameras: dict[str, CameraSettings]) -> None:
    front_door, garden = cameras["front-door"], cameras["garden"]
    assert front_door.password
    assert garden.password is None
    assert front_door.password not in front_door.url + repr(front_door)
    stranger = CameraSettings(name="front-door", url=front_door.url)
    with pytest.raises(ExceptionGroup) as caught:
        await play(stranger, 1)
    assert caught.group_contains(AuthenticationFailed)


async def test_the_cameras_outlast_a_cancelled_block() -> None:
    """Whoever watches them can say goodbye, and is answered."""
    with trio.fail_after(PATIENCE_S), trio.CancelScope() as scope:
        async with open_demo_cameras() as cameras:
            url = split_url_untrusted(cameras["garden"].url)
            stream = await trio.open_tcp_stream(url.host, url.port)
            scope.cancel()
            with trio.CancelScope(shield=True):
                await stream.send_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                assert (await stream.receive_some()).startswith(b"RTSP/1.0 200 OK")
                await stream.aclose()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream(url.host, url.port)
