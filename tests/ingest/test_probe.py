from collections.abc import Callable

import pytest
import trio
import trio.testing

from camgate.config.model import CameraSettings
from camgate.ingest.errors import CameraAway, CameraHungUp
from camgate.ingest.probe import ProbeResult, probe
from camgate.wire.rtsp.errors import AuthenticationFailed
from tests.fakes.camera import GOP_FRAMES, FakeCamera
from tests.fakes.film import Film
from tests.fakes.liar import Liar, script


async def look(camera: FakeCamera, *, seconds: float = 6.0, password: str | None = None) -> ProbeResult:
    username = None if password is None else "admin"
    settings = CameraSettings(name="probe", url="rtsp://192.0.2.7/stream", username=username, password=password)
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(camera.run)
            try:
                return await probe(settings, seconds=seconds, dial=camera.dial)
            finally:
                nursery.cancel_scope.cancel()


async def test_a_good_camera_is_measured_and_hung_up_on(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    result = await look(camera)
    assert result.address == "192.0.2.7:554"
    assert result.server == "FakeCam/1.0"
    assert [track.label for track in result.tracks] == ["video H264"]
    assert result.played is not None
    assert result.measured_fps == pytest.approx(25)
    assert result.gop_frames == GOP_FRAMES
    assert result.gop_s == pytest.approx(1.0)
    assert result.bitrate_bps == pytest.approx(8 * (24 * 303 + 900 + 35) + 0, rel=0.05)
    assert result.browser == "H.264 Constrained Baseline 640x360 at 25 fps, passed through"
    assert camera.methods[-1] == "TEARDOWN"


async def test_a_camera_with_short_groups_is_not_watched_longer_than_needed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    await look(camera, seconds=60)
    assert trio.current_time() <= 4


async def test_pictures_that_a_server_replays_first_are_not_measured(autojump_clock: trio.testing.MockClock) -> None:
    """camgate's own RTSP server begins with its key-frame cache, 5 ms apart."""
    camera = FakeCamera()
    camera.replays_frames = 20
    result = await look(camera, seconds=2)
    assert result.measured_fps == pytest.approx(25)
    assert (result.gop_frames, result.gop_s) == (GOP_FRAMES, pytest.approx(1.0))
    result = await look(camera, seconds=0.8)
    assert result.gop_s == pytest.approx(1.0)


async def test_a_short_look_still_gives_a_result(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    result = await look(camera, seconds=0.1)
    assert result.frames >= 1
    assert result.gop_s is None
    assert result.browser.endswith("passed through")


async def test_a_codec_that_cannot_be_shown_is_a_result_not_an_error(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.codec = "JPEG"
    result = await look(camera)
    assert result.browser.startswith("nothing: the camera sends Motion JPEG")
    assert result.tracks[0].codec == "JPEG"
    assert result.played is None


async def test_h265_is_said_with_who_can_play_it(autojump_clock: trio.testing.MockClock) -> None:
    result = await look(FakeCamera(codec="H265"))
    assert result.is_playable
    assert result.browser.startswith("H.265 Main 640x360 at 25 fps, passed through to browsers that take H.265")
    assert result.format is not None
    assert result.format.codec == "H265"


async def test_no_key_frame_is_said(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.sends_key_frames = False
    result = await look(camera)
    assert result.browser.startswith("nothing: the camera sent no key frame within 12 s")


@pytest.mark.parametrize(
    "clock", [lambda t: 0.0, lambda t: -t, lambda t: t + 1000 * int(t)], ids=["still", "back", "set"]
)
async def test_a_clock_that_lies_is_measured_by_real_time(
    clock: Callable[[float], float], autojump_clock: trio.testing.MockClock
) -> None:
    result = await look(Liar(script(), Film(clock=clock)), seconds=8)
    assert result.measured_fps == pytest.approx(25, rel=0.5)


async def test_b_frames_are_noticed_by_their_times(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.sends_b_frames = True
    result = await look(camera)
    assert "B-frames" in result.browser


async def test_a_camera_that_stops_after_some_pictures_gives_what_was_seen(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    camera.stops_after_frames = 10
    result = await look(camera)
    assert result.frames == 10


async def test_what_stands_in_the_way_is_raised(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.away = "refused"
    with pytest.RaisesGroup(CameraAway):
        await look(camera)
    camera.away = None
    camera.credentials = "admin:right"
    with pytest.RaisesGroup(AuthenticationFailed):
        await look(camera, password="wrong")
    camera.credentials = None
    camera.answers["PLAY"] = None
    with pytest.RaisesGroup(CameraHungUp):
        await look(camera)


@pytest.mark.parametrize(
    ("audio", "status", "sound"),
    [
        (None, 200, "nothing: the camera offers no sound"),
        ("PCMA/8000", 200, "G.711 A-law, passed through"),
        ("PCMA/8000", 403, "nothing: the camera refused its sound"),
        (
            "PCMU/16000/2",
            200,
            "G.711 mu-law 16 kHz stereo, made into Opus, which every browser plays",
        ),
        (
            "EVRC/8000",
            200,
            "nothing: the camera offers EVRC 8 kHz, which camgate cannot decode; set it to G.711, AAC or Opus",
        ),
    ],
)
async def test_what_a_browser_hears(
    autojump_clock: trio.testing.MockClock, audio: str | None, status: int, sound: str
) -> None:
    camera = FakeCamera()
    camera.audio, camera.audio_set_up = audio, status
    result = await look(camera, seconds=1)
    assert result.sound == sound
    assert result.is_playable


async def test_sound_that_does_not_come_is_said(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.audio, camera.sends_audio = "G722/8000", False
    assert (await look(camera, seconds=1)).sound == "G.722, but none came while camgate listened"


async def test_without_pictures_there_is_no_sound(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.codec, camera.audio = "JPEG", "PCMA/8000"
    assert (await look(camera)).sound == "nothing: sound goes with pictures, and there are none"
