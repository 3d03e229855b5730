"""Cameras that the doctor asks, or lets alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from camgate.config.model import CameraSettings
from camgate.doctor.cameras import judge_told, look_at_cameras
from camgate.doctor.daemon import Told
from camgate.doctor.finding import FAILED, OK, WARNING
from tests.fakes.camera import FakeCamera

URL = "rtsp://192.0.2.10/live"


@asynccontextmanager
async def running(camera: FakeCamera) -> AsyncIterator[FakeCamera]:
    """Run a camera for the time of the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        yield camera
        nursery.cancel_scope.cancel()


async def test_a_camera_is_asked_what_it_offers_and_plays_nothing(autojump_clock: object) -> None:
    settings = CameraSettings(name="front", url=URL)
    async with running(FakeCamera()) as camera:
        (finding,) = await look_at_cameras([settings], Told(), camera.dial)
    assert (finding.check, finding.verdict) == ("Camera front", OK)
    assert finding.what.startswith("answers, and offers ")
    assert "H264" in finding.what
    assert "DESCRIBE" in camera.methods
    assert "PLAY" not in camera.methods


async def test_a_wrong_login_is_tried_once_and_not_again_at_the_sub_stream(autojump_clock: object) -> None:
    sub = CameraSettings(name="front/sub", url=URL + "2", username="u", password="hush-hush")
    settings = CameraSettings(name="front", url=URL, username="u", password="hush-hush", sub=sub)
    async with running(FakeCamera(username="u", password="right")) as camera:
        main_finding, sub_finding = await look_at_cameras([settings], Told(), camera.dial)
    assert (main_finding.verdict, sub_finding.verdict) == (FAILED, WARNING)
    assert len(camera.logins) == 1
    assert "hush-hush" not in main_finding.what + main_finding.to_do


@pytest.mark.parametrize("away", ["refused", "silent"])
async def test_cameras_that_are_away(autojump_clock: object, away: str) -> None:
    async with running(FakeCamera()) as camera:
        camera.away = away
        (finding,) = await look_at_cameras([CameraSettings(name="front", url=URL)], Told(), camera.dial)
    assert finding.verdict is FAILED
    assert finding.what.startswith("192.0.2.10:554 is away")


async def test_a_camera_that_hangs(autojump_clock: object) -> None:
    async with running(FakeCamera()) as camera:
        camera.answers = {"OPTIONS": 0, "DESCRIBE": 0}
        (finding,) = await look_at_cameras([CameraSettings(name="front", url=URL)], Told(), camera.dial)
    assert finding.verdict is FAILED


async def test_what_a_running_camgate_knows_is_not_asked_again(autojump_clock: object) -> None:
    camera = FakeCamera()
    told = Told(
        cameras=[
            {"name": "front", "state": "live", "fps": 24.8},
            {"name": "yard", "state": "backoff", "last_error": "the camera refuses the login"},
        ]
    )
    wanted = [CameraSettings(name=name, url=URL) for name in ("front", "yard")]
    front, yard = await look_at_cameras(wanted, told, camera.dial)
    assert (front.verdict, front.what) == (OK, "live in the running camgate, 25 frames a second")
    assert (yard.verdict, "the camera refuses the login" in yard.what) == (FAILED, True)
    assert camera.requests == []


def test_a_camera_on_demand_that_nobody_watches_is_asked_itself() -> None:
    assert judge_told(CameraSettings(name="front", url=URL), {"name": "front", "state": "idle"}) is None
