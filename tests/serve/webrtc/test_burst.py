"""The pace of a join burst, in virtual time: what a browser can take, less where it tells of loss."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.stream import Stream
from camgate.serve.datagrams import Route
from camgate.serve.webrtc import burst
from camgate.serve.webrtc.sender import Sender
from camgate.serve.webrtc.viewer import KEY_FRAME_REQUEST_INTERVAL_S
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp
from tests.fakes.frames import FRAME_S, make_frame
from tests.fakes.receiver import FakeSocket, Receiver

KEY_BYTES, FRAME_BYTES, FRAMES = 400_000, 40_000, 90
"""An 8 Mbit/s camera shortly before its next key frame."""
REPLAY_WINDOW_PACKETS = 1_024
"""Of libsrtp as browsers set it: a packet that comes again later than this is thrown away."""
TICK_S = 0.001
RECOVERY_S = 0.14
"""What a lost packet needs to come again: a round trip, and the browser's and our own time."""


class TimedSocket(FakeSocket):
    """Keeps when each packet was sent, and calls `on_send` after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_s: list[float] = []
        self.on_send: Callable[[], None] = lambda: None

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: Route) -> bool:
        before = len(self.datagrams)
        taken = super().send(buffers, segment_bytes, route)
        self.sent_s += [trio.current_time()] * (len(self.datagrams) - before)
        self.on_send()
        return taken


class Join:
    """A viewer who joined late in a group of pictures, and whose burst is about to begin."""

    def __init__(self, stream: Stream, sender: Sender) -> None:
        self.stream = stream
        self.sender = sender
        self.socket = TimedSocket()
        self.receiver = Receiver(sender.ssrc)
        self.viewer = self.receiver.viewer
        self.viewer.route = Route(self.socket, ("192.0.2.9", 9), [])  # type: ignore[arg-type]
        self.began_s = trio.current_time()

    async def finish(self) -> float:
        """Wait until the burst is out; returns how long it took."""
        for _ in range(round(2 * burst.MAX_BURST_S / TICK_S)):
            if self.viewer.bursting is None:
                break
            await trio.sleep(TICK_S)
        return trio.current_time() - self.began_s

    def tell_loss(self) -> None:
        self.sender.receive_nack(self.viewer, rtcp.Nack(1, self.sender.ssrc, ()))

    def rate_bytes_per_s(self, first_packet: int) -> float:
        """How fast packets went from one packet of the burst on."""
        size = sum(map(len, self.socket.datagrams[first_packet:]))
        return size / (self.socket.sent_s[-1] - self.socket.sent_s[first_packet])


@asynccontextmanager
async def late_join() -> AsyncIterator[Join]:
    stream = Stream("front")
    sender = Sender(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        stream.publish(make_frame(0, key=True, size=KEY_BYTES, arrival_s=trio.current_time()))
        for number in range(1, FRAMES):
            stream.publish(make_frame(number, size=FRAME_BYTES, arrival_s=trio.current_time()))
        join = Join(stream, sender)
        nursery.start_soon(burst.send_bursts, join.viewer)
        sender.add(join.viewer)
        await wait_all_tasks_blocked()
        yield join
        nursery.cancel_scope.cancel()


async def test_a_lost_packet_can_come_again_within_the_replay_window(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        await join.finish()
        sent_s = join.socket.sent_s
        assert len(sent_s) > 3 * REPLAY_WINDOW_PACKETS
        key_packets = KEY_BYTES // 1_100
        for first in range(key_packets, len(sent_s) - REPLAY_WINDOW_PACKETS):
            assert sent_s[first + REPLAY_WINDOW_PACKETS] - sent_s[first] >= RECOVERY_S


async def test_the_key_frame_goes_first_and_faster(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        took_s = await join.finish()
        assert join.socket.sent_s[KEY_BYTES // 1_172] - join.began_s < 0.02
        assert took_s < 0.7


async def test_each_loss_halves_the_pace_once(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        await trio.sleep(0.1)
        for _ in range(8):  # the same loss, asked for again and again
            join.tell_loss()
            await trio.sleep(0.01)
        sent = len(join.socket.sent_s)
        await join.finish()
        assert join.rate_bytes_per_s(sent + 200) == pytest.approx(4e6, rel=0.15)


async def test_a_viewer_that_loses_all_the_time_gets_a_slow_burst_not_none(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        join.socket.on_send = join.tell_loss
        took_s = await join.finish()
        assert 3 < took_s < burst.MAX_BURST_S
        assert not join.viewer.waiting_for_key


async def test_a_viewer_that_has_it_all_is_not_sent_it_twice(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        await join.finish()
        packets = len(join.socket.sent_s)
        await publish_after_request(join, FRAMES)
        assert len(join.socket.sent_s) - packets < 50
        await trio.sleep(KEY_FRAME_REQUEST_INTERVAL_S)
        await publish_after_request(join, FRAMES + 1)
        await join.finish()
        assert len(join.socket.sent_s) > 2 * packets


async def test_a_viewer_that_lost_something_is_sent_it_again(autojump_clock: MockClock) -> None:
    async with late_join() as join:
        join.tell_loss()
        await join.finish()
        packets = len(join.socket.sent_s)
        await publish_after_request(join, FRAMES)
        await join.finish()
        assert len(join.socket.sent_s) > 2 * packets


async def publish_after_request(join: Join, number: int) -> None:
    """The viewer asks for a key frame; the answer comes with the next frame."""
    join.sender.receive_key_frame_request(join.viewer)
    frame: Frame = make_frame(number, size=FRAME_BYTES, arrival_s=trio.current_time())
    join.stream.publish(frame)
    await wait_all_tasks_blocked()
    await trio.sleep(FRAME_S / 10)
