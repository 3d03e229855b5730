"""Lost packets: what is sent again and when, to viewers with and without a pace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.relay.stream import Stream
from camgate.serve.webrtc import burst, recovery
from camgate.serve.webrtc.pace import Pace
from camgate.serve.webrtc.packets import PATIENT_DELAYS
from camgate.serve.webrtc.sender import Sender
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp import rtcp
from tests.fakes.receiver import Receiver

SPS, PPS = b"\x67\x42\xc0\x1f" + bytes(10), b"\x68\xce\x3c\x80"
PLAYOUT_DELAY_ID = 5


class Scene:
    """A camera at 25 frames a second: key frames of 60 kB each second, others of 6 kB."""

    def __init__(self) -> None:
        self.stream = Stream("front")
        self.sender = Sender(self.stream)
        self.receiver = Receiver(self.sender.ssrc, playout_delay_id=PLAYOUT_DELAY_ID)
        self.viewer = self.receiver.viewer
        self._count = 0

    def frame(self) -> None:
        key = self._count % 25 == 0
        body = b"\xaa" * (60_000 if key else 6_000)
        nals = (SPS, PPS, b"\x65" + body) if key else (b"\x41" + body,)
        self.stream.publish(Frame(nals, self._count * 3_600, trio.current_time(), key))
        self._count += 1

    async def frames(self, count: int) -> list[bytes]:
        """Let time pass; returns the RTP packets that left meanwhile."""
        self.receiver.socket.datagrams.clear()
        for _ in range(count):
            self.frame()
            await wait_all_tasks_blocked()
            await trio.sleep(0.04)
        return self.left()

    def left(self) -> list[bytes]:
        return [datagram for datagram in self.receiver.socket.datagrams if not 192 <= datagram[1] <= 223]

    async def asked(self, missing: list[bytes]) -> list[bytes]:
        """Ask for packets again; returns what leaves before any time passes."""
        self.receiver.socket.datagrams.clear()
        sequences = tuple(int.from_bytes(datagram[2:4], "big") for datagram in missing)
        self.sender.receive_nack(self.viewer, rtcp.Nack(1, self.sender.ssrc, sequences))
        await wait_all_tasks_blocked()
        return self.left()


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.sender.run)
        nursery.start_soon(burst.send_bursts, scene.viewer)
        await scene.frames(30)
        scene.sender.add(scene.viewer)
        yield scene
        nursery.cancel_scope.cancel()


async def test_a_packet_is_sent_again_once_a_round_trip(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(5)
        scene.viewer.round_trip_s = 0.3
        assert await scene.asked(sent[-2:]) == sent[-2:]
        await trio.sleep(0.1)
        assert await scene.asked(sent[-3:]) == sent[-3:-2]
        await trio.sleep(0.3)
        assert await scene.asked(sent[-2:]) == sent[-2:]


async def test_a_viewer_whose_network_loses_much_gets_repeats_twice(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(5)
        scene.viewer.loss_fraction = 2 * recovery.TWICE_LOSS
        assert await scene.asked(sent[-1:]) == 2 * sent[-1:]


async def test_a_viewer_who_misses_little_gets_each_frame_at_once(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        for _ in range(6):
            sent = await scene.frames(25)
            await scene.asked(sent[:: len(sent) // (recovery.MANY_AT_ONCE - 1) + 1])
        assert scene.viewer.pace is None


async def test_a_viewer_who_misses_much_at_once_gets_large_frames_at_a_pace(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(45)
        repeated = await scene.asked(sent[-60 : -60 + recovery.MANY_AT_ONCE])
        assert scene.viewer.pace is not None
        assert len(repeated) < recovery.MANY_AT_ONCE, "repeats are paced as well"
        assert await scene.frames(2)
        while scene._count % 25:
            await scene.frames(1)
        scene.receiver.socket.datagrams.clear()
        scene.frame()
        await wait_all_tasks_blocked()
        at_once = len(scene.left())
        await trio.sleep(0.04)
        later = len(scene.left())
        await trio.sleep(1)
        assert 0 < at_once <= 3 * recovery.PIECE_PACKETS
        assert at_once < later
        assert len(scene.left()) == 53
        scene.receiver.take()
        scene.receiver.frames()  # which fails on a gap


async def test_a_key_frame_takes_the_place_of_what_is_late(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(15)
        # All of the burst: 30 frames, more than a second at this pace.
        await scene.asked(sent)
        pace = scene.viewer.pace
        assert pace is not None
        pace.bytes_per_s = 100_000
        while scene._count % 25:
            await scene.frames(1)
        assert pace.repeats
        dropped = scene.viewer.frames_dropped
        scene.frame()
        await wait_all_tasks_blocked()
        assert pace.repeats == 0
        assert scene.viewer.frames_dropped > dropped
        await scene.frames(24)
        scene.receiver.take()
        packets = scene.receiver.packets
        assert len({packet.sequence for packet in packets}) == len(packets)


async def test_a_path_slower_than_the_stream_skips_to_key_frames(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "follow", lambda pace, stream: setattr(pace, "bytes_per_s", 20_000.0))
    async with _scene() as scene:
        await scene.asked(await scene.frames(15))
        for _ in range(15):
            await scene.frames(25)
        assert scene.viewer.frames_dropped > 200
        assert len(scene.viewer.bursting or ()) < 60


async def test_a_pace_goes_with_a_scene_that_begins_to_move(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(15)
        await scene.asked(sent)
        pace = scene.viewer.pace
        assert pace is not None
        pace.follow(10_000)
        slow = pace.bytes_per_s
        while scene._count % 25:
            await scene.frames(1)
        assert scene.viewer.bursting is not None, "still sending what was asked for"
        scene.frame()
        await wait_all_tasks_blocked()
        assert pace.bytes_per_s > slow


async def test_a_bad_path_asks_the_browser_for_patience(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        key = b""
        while not scene.viewer.profile.is_patient:
            sent = await scene.frames(1)
            await scene.asked(sent[-1:])
            scene.viewer.loss_fraction = recovery.TWICE_LOSS
            key = next((datagram for datagram in sent if datagram[0] & 0x10), key)
        # The header of a packet from before the change is still what it was: a nonce protects one packet only.
        assert await scene.asked([key]) == [key]
        sent = await scene.frames(26)
        patient = next(datagram for datagram in sent if datagram[0] & 0x10)
        assert patient[12:17] == key[12:17]
        least, most = PATIENT_DELAYS
        assert (key[17:20], patient[17:20]) == (bytes(3), (least << 12 | most).to_bytes(3, "big"))
        for _ in range(65):
            await scene.frames(25)
        assert not scene.viewer.profile.is_patient


async def test_a_packet_from_before_two_changes_is_not_sent_again(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        sent = await scene.frames(5)
        scene.viewer.be_patient(trio.current_time())
        scene.viewer.judge_path(trio.current_time())
        assert await scene.asked(sent[-1:]) == sent[-1:]
        await scene.frames(1)
        scene.viewer.judge_path(trio.current_time() + 100)
        await trio.sleep(1)
        assert await scene.asked(sent[-1:]) == []
