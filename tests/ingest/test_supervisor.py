"""A camera's supervisor against the scripted camera, in virtual time: when it tries, what it says, how it stops."""

import gc
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import pytest
import trio
import trio.testing

from camgate.base.secrets import forget_secrets, register_secret
from camgate.config.model import CameraSettings
from camgate.ingest.intake import open_intake
from camgate.ingest.session import Session
from camgate.ingest.supervisor import run_camera
from camgate.relay.source import CameraState, Source
from camgate.wire.codec.frame import Frame
from tests.fakes.camera import FakeCamera

LIVE, BACKOFF, STALLED = CameraState.LIVE, CameraState.BACKOFF, CameraState.STALLED
PASSWORD = "right"

VIRTUAL_LIMIT_S = 1000
"""Virtual time for ever is real time for ever: what should have ended by then has failed."""


class Watcher:
    """Notes each state that a source passes through, with the words and the time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.states: list[tuple[CameraState, str | None, float]] = []
        source.on_change = self.note

    def note(self) -> None:
        self.states.append((self.source.state, self.source.last_error, trio.current_time()))

    async def wait(self, state: CameraState, since: int = 0) -> float:
        """Return when `state` was reached, counting only changes from number `since` on."""
        while True:
            for found, _, at_s in self.states[since:]:
                if found is state:
                    return at_s
            await self.source.changes.wait_changed(self.source.changes.revision)


@asynccontextmanager
async def supervised(camera: FakeCamera, *, password: str | None = None) -> AsyncIterator[Watcher]:
    """Run a camera and its supervisor for the time of the block."""
    username = None if password is None else "admin"
    settings = CameraSettings(name="front", url="rtsp://192.0.2.7/stream", username=username, password=password)
    source = Source("front")
    with trio.fail_after(VIRTUAL_LIMIT_S):
        async with trio.open_nursery() as outside:
            outside.start_soon(camera.run)
            async with open_intake(camera.dial) as intake, trio.open_nursery() as inside:
                inside.start_soon(partial(run_camera, settings, source, intake, random=Random(1)))
                yield Watcher(source)
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


async def test_a_camera_goes_live_with_its_first_frame(autojump_clock: trio.testing.MockClock) -> None:
    async with supervised(FakeCamera()) as watcher:
        assert watcher.source.state is CameraState.CONNECTING
        await watcher.wait(LIVE)
        assert watcher.source.last_error is None
        assert watcher.source.stream.gop()
        assert watcher.source.stream.format is not None


async def test_a_camera_that_is_away_is_live_as_soon_as_it_returns(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.away = "refused"
    async with supervised(camera) as watcher:
        await trio.sleep(30)
        assert watcher.source.state is BACKOFF
        assert watcher.source.last_error == "192.0.2.7:554 is away (refused)"
        assert all(gap == pytest.approx(0.25) for gap in gaps(camera.dialled_at_s)[1:])
        assert not camera.requests
        camera.away = None
        assert await watcher.wait(LIVE) - 30 <= 0.3


async def test_the_reason_why_a_camera_is_away_is_kept_up_to_date(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.away = "silent"
    async with supervised(camera) as watcher:
        await trio.sleep(10)
        assert watcher.source.last_error == "192.0.2.7:554 is away (silent)"
        camera.away = "refused"
        await trio.sleep(3)
        assert watcher.source.last_error == "192.0.2.7:554 is away (refused)"
        assert [state for state, _, _ in watcher.states] == [BACKOFF, BACKOFF]


async def test_a_host_that_is_switched_off_does_not_fill_the_log(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        # The kernel reports a dead neighbour after some seconds, until then it is silent: so the reasons take turns.
        for turn in range(40):
            camera.away = ("refused", "unreachable")[turn % 2]
            await trio.sleep(2)
        changes = len(watcher.states)
        assert len([record for record in caplog.records if "gives no pictures" in record.getMessage()]) == 2
        assert changes <= 3, "viewers' tiles must not flicker between the reasons"
        camera.away = None
        await watcher.wait(LIVE)


async def test_a_camera_that_repeats_the_password_does_not_tell_it_to_viewers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    register_secret("HUSH-HUSH")
    async with supervised(FakeCamera(codec="HUSH-HUSH")) as watcher:
        await watcher.wait(BACKOFF)
        assert watcher.source.last_error is not None
        assert watcher.source.last_error.startswith("the camera sends ***, ")
    forget_secrets()


@pytest.mark.parametrize(
    ("camera", "answers", "attention"),
    [
        (FakeCamera(username="admin", password="another"), {}, "refused"),
        (FakeCamera(), {"DESCRIBE": 404}, "refused"),
        (FakeCamera(), {"DESCRIBE": 403}, "refused"),
        (FakeCamera(codec="JPEG"), {}, "video"),
        (FakeCamera(), {"OPTIONS": None}, "no-rtsp"),
        (FakeCamera(), {"SETUP": 503}, None),
        (FakeCamera(), {"PLAY": None}, None),
    ],
)
async def test_what_waiting_does_not_mend_asks_for_attention(
    camera: FakeCamera, answers: dict[str, int | None], attention: str | None, autojump_clock: trio.testing.MockClock
) -> None:
    camera.answers |= answers
    async with supervised(camera, password=PASSWORD) as watcher:
        await watcher.wait(BACKOFF)
        assert watcher.source.statistics().needs_attention == attention


async def test_a_camera_that_hangs_is_tried_again_without_much_delay(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.answers["OPTIONS"] = 0
    async with supervised(camera) as watcher:
        await trio.sleep(60)
        assert watcher.source.state is not LIVE
        assert watcher.source.last_error is not None
        assert "no answer to OPTIONS within 5 s" in watcher.source.last_error
        assert all(gap == pytest.approx(5.25) for gap in gaps(camera.dialled_at_s))


@pytest.mark.parametrize(("status", "words"), [(453, "453"), (503, "busy"), (404, "path of the URL")])
async def test_a_camera_that_refuses_gets_growing_jittered_delays(
    status: int, words: str, autojump_clock: trio.testing.MockClock
) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = status
    async with supervised(camera) as watcher:
        await trio.sleep(200)
        assert watcher.source.state is BACKOFF
        assert watcher.source.last_error is not None
        assert words in watcher.source.last_error
    for gap, nominal in zip(gaps(camera.dialled_at_s), [1, 2, 4, 8, 16, 30, 30, 30], strict=False):
        assert 0.8 * nominal <= gap <= 1.2 * nominal


async def test_tries_that_have_failed_leave_nothing_to_the_collector(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = 404
    gc.collect()
    gc.disable()
    try:
        async with supervised(camera):
            await trio.sleep(200)
            assert len(camera.dialled_at_s) > 5
            assert sum(isinstance(each, Session) for each in gc.get_objects()) <= 1
    finally:
        gc.enable()


async def test_a_wrong_password_is_said_and_tried_once_a_minute_at_most(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera(username="admin", password=PASSWORD)
    async with supervised(camera, password="wrong") as watcher:
        await trio.sleep(59)
        assert len(camera.logins) == 1
        await trio.sleep(600)
        assert watcher.source.last_error is not None
        assert "wrong user name or password" in watcher.source.last_error
    assert all(gap >= 60 for gap in gaps([login.at_s for login in camera.logins]))
    assert len(camera.logins) <= 5


async def test_no_credentials_is_another_sentence(autojump_clock: trio.testing.MockClock) -> None:
    async with supervised(FakeCamera(username="admin", password=PASSWORD)) as watcher:
        await watcher.wait(BACKOFF)
        assert "none are given" in str(watcher.source.last_error)


async def test_credentials_that_worked_before_are_not_called_wrong(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera(username="admin", password=PASSWORD)
    async with supervised(camera, password=PASSWORD) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(2)
        camera.answers["DESCRIBE"] = 401
        tried = len(camera.logins)
        camera.hang_up()
        await trio.sleep(58)
        assert "although these credentials worked before" in str(watcher.source.last_error)
        assert len(camera.logins) == tried + 1
        del camera.answers["DESCRIBE"]
        await trio.sleep(40)
        assert watcher.source.state is LIVE


async def test_a_camera_that_begins_to_want_a_login_says_so(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        camera.credentials = f"admin:{PASSWORD}"
        camera.hang_up()
        await watcher.wait(BACKOFF)
        await trio.sleep(3)
        assert "none are given" in str(watcher.source.last_error)


async def test_a_stalled_camera_is_hung_up_on_and_dialled_at_once(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(20)
        camera.sends_frames = False
        stalled_s = await watcher.wait(STALLED)
        assert 24.9 <= stalled_s <= 25.5
        assert "no picture for 5 s" in str(watcher.source.last_error)
        assert camera.methods[-1] == "TEARDOWN"
        camera.sends_frames = True
        assert await watcher.wait(LIVE, since=len(watcher.states)) - stalled_s <= 0.1
        assert watcher.source.last_error is None


async def test_a_stalled_camera_stays_stalled_until_the_next_connection_tells_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(2)
        camera.sends_frames = False
        camera.answers["OPTIONS"] = 0
        await watcher.wait(STALLED)
        await trio.sleep(3)
        assert watcher.source.state is STALLED
        assert 5 <= await watcher.wait(BACKOFF) - await watcher.wait(STALLED) <= 5.5


async def test_a_camera_that_restarts_is_dialled_at_once_and_again_after_ten_good_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        for _ in range(5):
            seen = len(watcher.states)
            await watcher.wait(LIVE, since=seen)
            await trio.sleep(11)
            camera.hang_up()
            lost_s = trio.current_time()
            await watcher.wait(LIVE, since=len(watcher.states))
            assert trio.current_time() - lost_s <= 0.1
            await trio.sleep(11)
            camera.hang_up()


async def test_a_camera_that_always_hangs_up_at_once_gets_growing_delays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher, trio.open_nursery() as nursery:

        async def hang_up_a_second_after_each_start() -> None:
            seen = 0
            while True:
                await watcher.wait(LIVE, since=seen)
                seen = len(watcher.states)
                await trio.sleep(1)
                camera.hang_up()

        nursery.start_soon(hang_up_a_second_after_each_start)
        await trio.sleep(120)
        nursery.cancel_scope.cancel()
    for gap, nominal in zip(gaps(camera.dialled_at_s), [0, 2, 4, 4, 4, 4], strict=False):
        assert 0.8 * nominal <= gap - 1 <= 1.2 * nominal + 0.1


async def test_a_stable_minute_makes_earlier_failures_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = 503
    async with supervised(camera) as watcher:
        await trio.sleep(60)
        camera.answers.clear()
        await watcher.wait(LIVE)
        await trio.sleep(61)
        camera.answers["DESCRIBE"] = 503
        dialled = len(camera.dialled_at_s)
        camera.hang_up()
        await trio.sleep(2)
        assert len(camera.dialled_at_s) >= dialled + 2


async def test_frames_go_on_in_one_time_across_sessions(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    frames: list[Frame] = []
    async with supervised(camera) as watcher, trio.open_nursery() as nursery:
        stream = watcher.source.stream

        async def read() -> None:
            with stream.subscribe() as subscription:
                while True:
                    frames.append(await subscription.receive())

        nursery.start_soon(read)
        await watcher.wait(LIVE)
        await trio.sleep(12)
        camera.away = "refused"
        camera.hang_up()
        await trio.sleep(8)
        camera.away = None
        await trio.sleep(5)
        assert watcher.source.stream is stream
        assert watcher.source.reconnects == 1
        nursery.cancel_scope.cancel()
    steps = gaps([frame.rtp_time / 90_000 for frame in frames])
    assert all(step > 0 for step in steps)
    assert [round(step) for step in steps if step > 1] == [8]
    assert frames[max(range(len(steps)), key=steps.__getitem__) + 1].is_key


async def test_what_is_lost_on_the_way_is_counted_over_all_sessions(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.loses_every = 10
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(20)
        before = watcher.source.statistics()
        assert before.packets_lost == pytest.approx(20 * 25 / 10, abs=2)
        assert before.packets == pytest.approx(20 * 25 * 9 / 10, rel=0.1)
        assert before.frames_skipped > before.packets_lost
        camera.hang_up()
        await trio.sleep(2)
        after = watcher.source.statistics()
        assert before.packets_lost < after.packets_lost < before.packets_lost + 10
        assert after.packets > before.packets


async def test_shutdown_sends_teardown_and_leaves_the_camera_stopped(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(3)
        started_s = trio.current_time()
    assert trio.current_time() - started_s <= 1.0
    assert camera.methods[-1] == "TEARDOWN"
    assert watcher.source.state is CameraState.STOPPED


@pytest.mark.parametrize("away", ["refused", "silent"])
async def test_shutdown_interrupts_any_wait(away: str, autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.away = away
    async with supervised(camera) as watcher:
        await trio.sleep(100)
    assert trio.current_time() == 100
    assert watcher.source.state is CameraState.STOPPED


async def test_a_bug_is_logged_with_its_traceback_and_the_camera_starts_again(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        good_publish = watcher.source.publish

        def bad_publish(_: Frame) -> None:
            raise AssertionError("a broken invariant")

        watcher.source.publish = bad_publish  # type: ignore[method-assign]
        await watcher.wait(BACKOFF)
        assert "internal error" in str(watcher.source.last_error)
        assert camera.methods[-1] == "TEARDOWN"
        watcher.source.publish = good_publish  # type: ignore[method-assign]
        await watcher.wait(LIVE)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info


async def test_trouble_that_stays_the_same_is_logged_once(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    camera = FakeCamera()
    camera.answers["DESCRIBE"] = 503
    async with supervised(camera):
        await trio.sleep(300)
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


async def test_the_same_trouble_is_logged_again_after_pictures_came_in_between(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    camera = FakeCamera()
    async with supervised(camera) as watcher:
        for _ in range(3):
            await watcher.wait(LIVE, since=len(watcher.states))
            await trio.sleep(20)
            camera.hang_up()
        await watcher.wait(LIVE, since=len(watcher.states))
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 3


async def test_no_password_reaches_the_log_or_the_state(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    camera = FakeCamera(username="admin", password=PASSWORD)
    async with supervised(camera, password="cAnArY-7") as watcher:
        await trio.sleep(100)
        assert "cAnArY-7" not in str(watcher.states)
    assert caplog.records
    assert "cAnArY-7" not in caplog.text


async def test_a_camera_that_breaks_off_over_its_sound_is_played_without(
    autojump_clock: trio.testing.MockClock,
) -> None:
    camera = FakeCamera()
    camera.audio, camera.audio_set_up = "PCMA/8000", None
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        assert watcher.source.audio is None
        assert len(camera.dialled) == 2
        # Mended, and back after a break: the sound is asked for again.
        camera.audio_set_up = 200
        await trio.sleep(20)
        seen = len(watcher.states)
        camera.hang_up()
        await watcher.wait(LIVE, since=seen)
        assert watcher.source.audio is not None


async def test_sound_is_published_beside_the_pictures(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.audio = "PCMA/8000"
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        audio = watcher.source.audio
        assert audio is not None
        with audio.subscribe() as listener:
            frames = [await listener.receive() for _ in range(50)]
    assert {frame.size_bytes for frame in frames} == {320}
    assert gaps([frame.rtp_time for frame in frames]) == [320] * 49


@pytest.mark.parametrize("clock_s", [1.7e9, 0.0, -2_000_000_000.0])
async def test_sound_is_put_beside_the_pictures_as_the_cameras_reports_say(
    autojump_clock: trio.testing.MockClock, clock_s: float
) -> None:
    camera = FakeCamera()
    camera.audio, camera.clock_s, camera.encoding_s = "PCMA/8000", clock_s, 0.25
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        audio = watcher.source.audio
        assert audio is not None
        assert audio.lip_sync.skew_s(trio.current_time()) == 0
        await trio.sleep(30)
        assert audio.statistics().skew_s == pytest.approx(0.25, abs=0.01)
        camera.clock_s = clock_s + 3600
        await trio.sleep(5)
        assert audio.statistics().skew_s == pytest.approx(0.25, abs=0.01)


async def test_pictures_without_sound_are_compared_with_nothing(autojump_clock: trio.testing.MockClock) -> None:
    camera = FakeCamera()
    camera.clock_s = 1.7e9
    async with supervised(camera) as watcher:
        await watcher.wait(LIVE)
        await trio.sleep(5)
        assert watcher.source._latest == {}
