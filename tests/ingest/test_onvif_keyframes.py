"""Key frames on request: from a stream that wants one, by ONVIF, to a camera that then sends it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.onvif_keyframes import ask_for_key_frames
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import CameraState, Source
from camgate.relay.stream import Stream
from tests.fakes.camera import FakeCamera
from tests.fakes.onvif_camera import NOW, FakeOnvif, FakeProfile

DAY_S = 86_400
URL = "rtsp://192.0.2.7/live"


def two_streams(password: str = "") -> FakeOnvif:
    return FakeOnvif(
        FakeProfile("sub", "rtsp://{host}/cam?channel=1&subtype=1&unicast=true&proto=Onvif", width=640, height=360),
        FakeProfile("main", "rtsp://{host}/cam?channel=1&subtype=0&unicast=true&proto=Onvif"),
        password=password,
    )


@asynccontextmanager
async def asking(camera: FakeOnvif, *, url: str = URL, password: str = "pw") -> AsyncIterator[Stream]:
    stream = Stream("front")
    settings = CameraSettings(name="front", url=url, username="viewer", password=password, onvif="192.0.2.7")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        nursery.start_soon(partial(ask_for_key_frames, settings, stream, dial=camera.dial, wall_clock=lambda: NOW))
        await trio.testing.wait_all_tasks_blocked()
        yield stream
        nursery.cancel_scope.cancel()


async def want_for(stream: Stream, seconds: float, each_s: float = 1.0) -> None:
    """Want a key frame again and again, as browsers do."""
    with trio.move_on_after(seconds):
        while True:
            assert stream.request_key_frame()
            await trio.sleep(each_s)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("rtsp://192.0.2.7/cam?channel=1&subtype=0", "main"),
        ("rtsp://192.0.2.7:554/cam?channel=1&subtype=1", "sub"),
        ("rtsp://192.0.2.7/another/", "main"),
    ],
)
async def test_the_stream_of_the_url_is_asked_for(url: str, token: str, autojump_clock: MockClock) -> None:
    camera = two_streams("pw")
    async with asking(camera, url=url) as stream:
        await want_for(stream, 3.5)
    assert camera.key_frames == [token] * 4
    # Everything else was asked once.
    assert camera.operations.count("GetSystemDateAndTime") == 1
    assert not stream.request_key_frame()


async def test_a_camera_that_fails_is_asked_ever_more_seldom(autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.faults["SetSynchronizationPoint"] = "ter:ActionNotSupported"
    async with asking(camera) as stream:
        await want_for(stream, DAY_S, each_s=10)
        assert 100 < camera.operations.count("SetSynchronizationPoint") < 250
        camera.faults.clear()
        await want_for(stream, 1000)
        assert len(camera.key_frames) > 200


async def test_a_wrong_login_is_next_to_never_repeated(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(password="right")
    async with asking(camera, password="wrong") as stream:
        await want_for(stream, DAY_S, each_s=10)
    assert camera.refused_proofs in (4, 5)


async def test_a_user_name_beyond_ascii_goes_into_a_header(autojump_clock: MockClock) -> None:
    camera = FakeOnvif(username="Jürgen", password="Schlüssel")
    camera.wants = "digest"
    stream = Stream("front")
    settings = CameraSettings(name="front", url=URL, username="Jürgen", password="Schlüssel", onvif="192.0.2.7")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        nursery.start_soon(partial(ask_for_key_frames, settings, stream, dial=camera.dial, wall_clock=lambda: NOW))
        await trio.testing.wait_all_tasks_blocked()
        await want_for(stream, 3.5)
        nursery.cancel_scope.cancel()
    assert camera.key_frames


async def test_a_bug_that_one_camera_meets_ends_nothing_else(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    camera, stream = FakeOnvif(), Stream("front")
    bugs = [ZeroDivisionError("bug"), None]

    async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
        if bugs and (bug := bugs.pop(0)) is not None:
            raise bug
        return await camera.dial(host, port, timeout_s)

    settings = CameraSettings(name="front", url=URL, onvif="192.0.2.7")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(camera.run)
        nursery.start_soon(partial(ask_for_key_frames, settings, stream, dial=dial, wall_clock=lambda: NOW))
        await trio.testing.wait_all_tasks_blocked()
        await want_for(stream, 10)
        nursery.cancel_scope.cancel()
    assert camera.key_frames
    assert "internal error" in caplog.text


async def test_a_camera_that_was_away(autojump_clock: MockClock) -> None:
    camera = FakeOnvif()
    camera.away = "refuses the connection"
    async with asking(camera) as stream:
        await want_for(stream, 30)
        assert camera.key_frames == []
        camera.away = None
        await want_for(stream, 60)
        assert camera.key_frames


async def test_a_camera_without_onvif_is_not_asked() -> None:
    stream = Stream("front")
    await ask_for_key_frames(CameraSettings(name="front", url=URL), stream)
    assert not stream.request_key_frame()


async def test_a_viewer_who_waits_gets_a_picture(autojump_clock: MockClock) -> None:
    """The camera sends no key frame by itself; the first one, and one for who joins late, come because we ask."""
    rtsp, onvif = FakeCamera(), FakeOnvif(FakeProfile("main", "rtsp://{host}/live"))
    rtsp.sends_key_frames = False
    onvif.clock = lambda: NOW + timedelta(hours=1)

    def send_key_frame(_: str) -> None:
        rtsp.is_key_frame_due = True

    onvif.on_key_frame = send_key_frame
    source = Source("front")
    settings = CameraSettings(name="front", url=URL, onvif="192.0.2.7")
    async with open_intake(rtsp.dial) as intake, trio.open_nursery() as nursery:
        nursery.start_soon(rtsp.run)
        nursery.start_soon(onvif.run)
        nursery.start_soon(partial(ask_for_key_frames, settings, source.stream, dial=onvif.dial))
        nursery.start_soon(partial(run_camera, settings, source, intake, random=Random(1)))
        with trio.fail_after(2), source.stream.subscribe() as viewer:
            assert (await viewer.receive()).is_key
        assert source.state is CameraState.LIVE
        await trio.sleep(20)
        assert source.stream.gop() == ()  # outgrown: 20 s without a key frame
        with trio.fail_after(0.2), source.stream.subscribe() as viewer:
            assert (await viewer.receive()).is_key
        assert onvif.key_frames == ["main", "main"]
        await trio.sleep(2)
        rtsp.hang_up()
        with trio.fail_after(10):
            while len(onvif.key_frames) < 3:
                await source.changes.wait_changed(source.changes.revision)
        nursery.cancel_scope.cancel()
