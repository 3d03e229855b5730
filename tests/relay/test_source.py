import json
from dataclasses import asdict, replace

import pytest
import trio
import trio.testing

from camgate.relay.errors import CameraOffline
from camgate.relay.source import Attention, CameraState, Reception, Source
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from tests.fakes.frames import VIDEO_FORMAT, make_frame

PCMA = AudioFormat(codec="PCMA", clock_hz=8000)
PCMU = AudioFormat(codec="PCMU", clock_hz=8000)


def sound(number: int, arrival_s: float) -> Frame:
    return Frame((bytes(160),), 160 * number, arrival_s, is_key=True)


async def test_sessions_make_one_time() -> None:
    source = Source("front")
    source.begin_session()
    source.publish(make_frame(1000, key=True, arrival_s=10.0))
    source.begin_session()
    source.publish(make_frame(7, arrival_s=12.0))
    first, second = source.stream.gop()
    assert second.rtp_time - first.rtp_time == 2 * 90_000
    assert source.reconnects == 1


async def test_readers_outlive_sessions() -> None:
    source = Source("front")
    with source.stream.subscribe() as reader:
        for _ in range(3):
            source.begin_session()
            source.publish(make_frame(0, key=True))
            assert reader.receive_nowait().is_key


async def test_the_error_stays_until_the_camera_is_live(autojump_clock: trio.testing.MockClock) -> None:
    source = Source("front")
    source.set_state(CameraState.BACKOFF, "wrong user name or password", needs_attention=Attention.REFUSED)
    source.set_state(CameraState.CONNECTING)
    assert source.last_error == "wrong user name or password"
    assert source.statistics().needs_attention == "refused"
    source.set_state(CameraState.LIVE)
    assert (source.last_error, source.statistics().needs_attention) == (None, None)
    source.set_state(CameraState.BACKOFF, "no RTSP", needs_attention=Attention.NO_RTSP)
    source.set_state(CameraState.BACKOFF, "gone")
    assert source.needs_attention is None


async def test_since_counts_from_the_change_of_state(autojump_clock: trio.testing.MockClock) -> None:
    source = Source("front")
    await trio.sleep(3)
    source.set_state(CameraState.LIVE)
    await trio.sleep(5)
    source.set_state(CameraState.LIVE)
    assert (source.statistics().since_s, source.statistics().uptime_s) == (5, 5)
    source.set_state(CameraState.STALLED, "no picture for 5 s")
    await trio.sleep(1)
    source.set_state(CameraState.STALLED, "no picture for 6 s")
    assert (source.statistics().since_s, source.statistics().uptime_s) == (1, 0)


async def test_only_changes_are_announced() -> None:
    source = Source("front")
    announced: list[CameraState] = []
    source.on_change = lambda: announced.append(source.state)
    source.set_state(CameraState.CONNECTING)
    source.set_state(CameraState.BACKOFF, "refused")
    source.set_state(CameraState.BACKOFF, "refused")
    source.set_state(CameraState.BACKOFF, "unreachable")
    source.set_format(VIDEO_FORMAT)
    source.set_format(VIDEO_FORMAT)
    assert announced == [CameraState.BACKOFF] * 3


async def test_wait_live_needs_state_and_format(autojump_clock: trio.testing.MockClock) -> None:
    source = Source("front")

    async def come_alive() -> None:
        await trio.sleep(1)
        source.set_state(CameraState.LIVE)
        await trio.sleep(1)
        source.set_format(VIDEO_FORMAT)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come_alive)
        assert await source.wait_live(5) is VIDEO_FORMAT
    assert trio.current_time() == pytest.approx(2)
    assert await source.wait_live(0) is VIDEO_FORMAT


async def test_wait_live_gives_up_with_the_reason(autojump_clock: trio.testing.MockClock) -> None:
    source = Source("front")
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.BACKOFF, "wrong user name or password")
    with pytest.raises(CameraOffline, match="wrong user name") as caught:
        await source.wait_live(3)
    assert caught.value.retry_after_s
    assert trio.current_time() == 3


@pytest.mark.parametrize(("next_try_s", "retry_after_s"), [(None, 2), (-5, 2), (1, 2), (17.2, 18), (300, 60)])
async def test_who_is_refused_is_told_when_the_camera_is_tried_next(
    next_try_s: float | None, retry_after_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    source = Source("front")
    if next_try_s is not None:
        source.next_try_s = trio.current_time() + next_try_s
    with pytest.raises(CameraOffline) as refused:
        await source.wait_live(0)
    assert refused.value.retry_after_s == retry_after_s


async def test_wait_live_does_not_wait_for_a_camera_that_is_gone(autojump_clock: trio.testing.MockClock) -> None:
    source = Source("front")
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(CameraOffline):
                await source.wait_live(60)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        source.close()
    assert trio.current_time() < 1


async def test_packets_are_counted_over_all_sessions() -> None:
    source = Source("front")
    assert source.reception() == Reception()
    for _ in range(2):
        source.follow_reception(lambda: Reception(packets=10, packets_lost=3, frames_damaged=2, frames_skipped=1))
    assert (source.statistics().packets, source.statistics().packets_lost) == (20, 6)
    source.end_session()
    source.end_session()
    assert (source.statistics().frames_damaged, source.statistics().frames_skipped) == (4, 2)


async def test_a_dial_for_a_viewer_is_no_reconnect() -> None:
    source = Source("front")
    for _ in range(3):
        source.begin_session()
        source.set_idle()
    assert source.reconnects == 0
    source.begin_session()
    source.begin_session()
    assert source.reconnects == 1


async def test_statistics_are_plain_values() -> None:
    source = Source("front", title="Front door")
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    source.publish(make_frame(0, key=True, arrival_s=trio.current_time()))
    figures = json.loads(json.dumps(asdict(source.statistics())))
    assert (figures["name"], figures["title"], figures["state"]) == ("front", "Front door", "live")
    assert (figures["codec"], figures["frames"], figures["reconnects"]) == ("H264", 1, 0)
    assert figures["audio"] is None
    source.begin_audio(PCMA)
    assert json.loads(json.dumps(asdict(source.statistics())))["audio"]["codec"] == "PCMA"


async def test_who_listens_goes_on_listening_over_sessions() -> None:
    source = Source("front")
    source.begin_session()
    source.begin_audio(PCMA)
    assert source.audio is not None
    with source.audio.subscribe() as listener:
        source.publish_audio(sound(70_000, 10.0))
        first = listener.receive_nowait()
        source.begin_session()
        source.begin_audio(None)
        assert source.audio is None
        source.publish_audio(sound(1, 11.0))
        source.begin_session()
        source.begin_audio(PCMA)
        source.publish_audio(sound(5, 12.0))
        assert listener.receive_nowait().rtp_time - first.rtp_time == 2 * 8000
        # Another format is another stream.
        source.begin_audio(PCMU)
        assert source.audio.format is PCMU
        with pytest.raises(trio.EndOfChannel):
            listener.receive_nowait()
    with source.audio.subscribe() as listener:
        source.close()
        with pytest.raises(trio.EndOfChannel):
            listener.receive_nowait()


async def test_what_a_page_should_offer_is_announced() -> None:
    source, seen = Source("front"), []
    source.on_change = lambda: seen.append(source.audio is not None)
    for audio in (PCMA, PCMA, None, PCMU):
        source.begin_audio(audio)
    assert seen == [True, False, True]


async def test_a_claim_of_b_frames_that_was_disproved_needs_no_proof_in_the_next_session() -> None:
    source = Source("front")
    claims = replace(VIDEO_FORMAT, may_reorder=True)
    source.set_format(claims)
    assert source.stream.format == claims
    source.set_format(VIDEO_FORMAT)
    source.begin_session()
    before = source.changes.revision
    source.set_format(claims)
    assert source.stream.format == VIDEO_FORMAT
    assert source.changes.revision == before
    # Of other parameter sets it is news, and so are B-frames that are seen.
    other = replace(claims, sps=b"another")
    source.set_format(other)
    assert source.stream.format == other
    source.set_format(VIDEO_FORMAT)
    source.set_format(replace(claims, reorders=True))
    assert source.stream.format == replace(claims, reorders=True)
