"""The stream of a camera's sound: readers begin at the live edge, and are bounded in age and bytes."""

import pytest
import trio
import trio.testing

from camgate.relay.audio import MAX_AUDIO_QUEUE_BYTES, AudioStream
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame

PCMA = AudioFormat(codec="PCMA", clock_hz=8000)


def sound(number: int, size: int = 160) -> Frame:
    """Return piece `number` of sound that comes in pieces of 20 ms since time 0."""
    return Frame((bytes(size),), 160 * number, 0.02 * number, is_key=True)


async def test_a_reader_begins_with_the_next_frame() -> None:
    stream = AudioStream("front", PCMA)
    stream.publish(sound(0))
    with stream.subscribe() as reader, pytest.raises(trio.WouldBlock):
        reader.receive_nowait()
    with stream.subscribe() as reader:
        stream.publish(sound(1))
        assert reader.receive_nowait().rtp_time == 160


async def test_a_reader_that_falls_behind_goes_on_at_the_newest_frame() -> None:
    stream = AudioStream("front", PCMA)
    with stream.subscribe() as reader:
        for number in range(15):
            stream.publish(sound(number))
        assert reader.queue_age_s(0.28) == pytest.approx(0.02)
        assert stream.statistics().dropped_frames == 13
        assert [reader.receive_nowait().rtp_time // 160 for _ in range(2)] == [13, 14]


async def test_a_queue_is_bounded_in_bytes() -> None:
    stream = AudioStream("front", PCMA)
    with stream.subscribe() as reader:
        for _ in range(100):
            stream.publish(sound(0, 8000))
            assert reader.queued_bytes <= MAX_AUDIO_QUEUE_BYTES
        assert stream.statistics().dropped_frames > 0


async def test_figures(autojump_clock: trio.testing.MockClock) -> None:
    stream = AudioStream("front", PCMA)
    assert stream.statistics().frame_age_s is None
    began_s = trio.current_time()
    with stream.subscribe() as reader:
        reader.set_viewers(3)
        for _ in range(100):
            stream.publish(Frame((bytes(160),), 0, trio.current_time(), is_key=True))
            await trio.sleep(0.02)
        figures = stream.statistics()
    assert trio.current_time() - began_s == pytest.approx(2.0)
    assert (figures.codec, figures.clock_hz, figures.channels) == ("PCMA", 8000, 1)
    assert (figures.frames, figures.bytes, figures.listeners) == (100, 16_000, 3)
    assert figures.frame_age_s == pytest.approx(0.02)
    assert figures.bitrate_bps == pytest.approx(64_000, rel=0.02)
    assert stream.bitrate_bps(trio.current_time() + 60) == 0


async def test_the_end_of_a_stream_ends_its_readers() -> None:
    stream = AudioStream("front", PCMA)
    with stream.subscribe() as reader:
        stream.close()
        with pytest.raises(trio.EndOfChannel):
            await reader.receive()
    with stream.subscribe() as reader, pytest.raises(trio.EndOfChannel):
        await reader.receive()
