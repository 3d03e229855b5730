"""Looks at cameras for the API: what is told, in whose words, with a picture, and how many and how long at most."""

import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import pytest
import trio
import trio.testing

from camgate.config.model import CameraSettings
from camgate.reload.probes import MAX_AT_ONCE, MAX_S, Probes
from camgate.serve.http.control import TooManyProbes
from camgate.transcode.snapshots import Snapshots
from tests.fakes import encoded
from tests.fakes.camera import FakeCamera

SETTINGS = CameraSettings(name="probe", url="rtsp://192.0.2.7/stream")


@asynccontextmanager
async def probing(camera: FakeCamera, snapshots: Snapshots | None = None) -> AsyncIterator[Probes]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        yield Probes(snapshots or Snapshots(), dial=camera.dial)
        nursery.cancel_scope.cancel()


class Pictures(Snapshots):
    """Hands out a picture of its own, and notes what it was given."""

    async def decode(self, what: str, codec: str, frame: Any, width: int) -> Any:
        self.given = (codec, frame.is_key, width)
        return type("Snapshot", (), {"jpeg": b"a picture"})


async def test_a_camera_is_told_as_the_command_tells_it(autojump_clock: trio.testing.MockClock) -> None:
    pictures = Pictures()
    async with probing(FakeCamera(), pictures) as probes:
        told = await probes.look(SETTINGS)
    assert (told["error"], told["is_playable"]) == (None, True)
    assert told["found"]["browser"] == "H.264 Constrained Baseline 640x360 at 25 fps, passed through"
    assert (told["found"]["width"], told["found"]["transport"]) == (640, "tcp")
    assert base64.b64decode(told["picture"]) == b"a picture"
    assert pictures.given == ("H264", True, 640)


async def test_what_cannot_be_reached_is_told_in_a_sentence(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera(username="admin", password="right")
    settings = CameraSettings(name="probe", url="rtsp://192.0.2.7/stream", username="admin", password="wrong-wrong")
    async with probing(camera) as probes:
        told = await probes.look(settings)
    assert told["error"].startswith("wrong user name or password")
    assert "wrong-wrong" not in told["error"]
    assert (told["is_playable"], told["found"], told["picture"]) == (False, None, None)


async def test_so_many_at_once_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    async with probing(FakeCamera(), Pictures()) as probes, trio.open_nursery() as nursery:
        for _ in range(MAX_AT_ONCE):
            nursery.start_soon(probes.look, SETTINGS)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TooManyProbes, match="2 cameras are being looked at"):
            await probes.look(SETTINGS)
    async with probing(FakeCamera(), Pictures()) as probes:
        for _ in range(MAX_AT_ONCE + 1):
            assert (await probes.look(SETTINGS))["is_playable"]


async def test_a_camera_that_takes_for_ever_is_hung_up_on(autojump_clock: trio.testing.MockClock) -> None:
    async def never(_host: str, _port: int, _timeout_s: float) -> Any:
        await trio.sleep_forever()

    began_s = trio.current_time()
    told = await Probes(Snapshots(), dial=never).look(SETTINGS)
    assert told["error"] == "the camera took longer than 30 s; try again, or set it to another transport"
    assert trio.current_time() == began_s + MAX_S


async def test_a_key_frame_of_no_stream_becomes_a_picture_and_is_not_kept() -> None:
    snapshots = Snapshots()
    frame = next(iter(encoded.frames("H264", pictures=1)))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(snapshots.run)
            snapshot = await snapshots.decode("a probe", "H264", frame, 32)
            nursery.cancel_scope.cancel()
    with av.open(io.BytesIO(snapshot.jpeg)) as container:
        picture = next(container.decode(video=0))
    assert (picture.width, picture.height) == (32, 24)
    assert snapshots._made == {}
