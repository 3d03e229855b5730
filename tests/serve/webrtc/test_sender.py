"""The sender with a real stream and real SRTP: what each viewer sees is whole, in order and decodable."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.load.sending import SendingMeter
from camgate.relay.stream import Stream
from camgate.serve.webrtc import burst
from camgate.serve.webrtc.numbering import START_MARGIN_PACKETS
from camgate.serve.webrtc.packets import MAX_PAYLOAD_BYTES, FrameBuffer, PacketizedFrame
from camgate.serve.webrtc.sender import Sender
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h265 import H265Depacketizer
from camgate.wire.codec.h265_payload import packetize_h265
from camgate.wire.rtp import rtcp
from camgate.wire.rtp.packet import RtpPacket, build_rtp_header
from tests.fakes import h265
from tests.fakes.frames import H265_FORMAT, VIDEO_FORMAT
from tests.fakes.receiver import Receiver

SPS, PPS = b"\x67\x42\xc0\x1f" + bytes(10), b"\x68\xce\x3c\x80"
TICKS = 3600


class Camera:
    """Publishes numbered frames; the number is the first byte behind the NAL header's."""

    def __init__(self, stream: Stream, *, gop: int = 10) -> None:
        self._stream = stream
        self._gop = gop
        self.count = 0

    def frame(self, *, size: int = 2_000) -> None:
        key = self.count % self._gop == 0
        body = bytes([self.count & 0xFF]) + b"\xaa" * size
        nals = (SPS, PPS, b"\x65" + body) if key else (b"\x41" + body,)
        self._stream.publish(Frame(nals, self.count * TICKS, trio.current_time(), key))
        self.count += 1


class Scene:
    def __init__(self, gop: int, first_index: int | None) -> None:
        self.stream = Stream("front")
        self.camera = Camera(self.stream, gop=gop)
        self.sending = SendingMeter()
        self.sender = Sender(self.stream, self.sending, first_index=first_index)
        self.bursts: Callable[[Receiver], None]

    async def frames(self, count: int, *, size: int = 2_000) -> None:
        for _ in range(count):
            self.camera.frame(size=size)
            await wait_all_tasks_blocked()
            await trio.sleep(0.04)

    def join(self, *, gcm: bool = True) -> Receiver:
        receiver = Receiver(self.sender.ssrc, gcm=gcm)
        self.sender.add(receiver.viewer)
        self.bursts(receiver)
        return receiver


@asynccontextmanager
async def _scene(*, gop: int = 10, first_index: int | None = None) -> AsyncIterator[Scene]:
    scene = Scene(gop, first_index)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.sender.run)
        scene.bursts = lambda receiver: nursery.start_soon(burst.send_bursts, receiver.viewer)
        yield scene
        nursery.cancel_scope.cancel()


def _number(frame: list) -> int:  # type: ignore[type-arg]
    """Read the camera's frame number back out of a frame's packets."""
    slices = [p.payload for p in frame if p.payload[0] & 0x1F in (1, 5, 28)]
    first = bytes(slices[0])
    return first[2] if first[0] & 0x1F == 28 else first[1]


@pytest.mark.parametrize("gcm", [True, False])
async def test_a_viewer_gets_the_cached_pictures_at_once_and_then_live_ones(
    autojump_clock: MockClock, gcm: bool
) -> None:
    async with _scene() as scene:
        await scene.frames(5)
        receiver = scene.join(gcm=gcm)
        await wait_all_tasks_blocked()
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == [0, 1, 2, 3, 4]
        await scene.frames(7)
        receiver.take()
        frames = receiver.frames()
        assert [_number(f) for f in frames] == list(range(12))
        times = [f[0].timestamp for f in frames]
        steps = [(b - a) & 0xFFFFFFFF for a, b in pairwise(times)]
        # The cached ones 5 ms apart and ending where live goes on; live ones as the camera made them.
        assert steps == [burst.SPACING_TICKS] * 4 + [TICKS] * 7
        assert frames[0][0].payload[0] & 0x1F == 24, "a key frame starts with its parameter sets"


@pytest.mark.parametrize("has_cache", [True, False])
async def test_it_is_known_when_a_viewers_first_frame_was_sent(autojump_clock: MockClock, has_cache: bool) -> None:
    async with _scene() as scene:
        if has_cache:
            await scene.frames(5)
        joined_s = trio.current_time()
        viewer = scene.join().viewer
        await wait_all_tasks_blocked()
        if not has_cache:
            assert viewer.first_frame_s is None
            await trio.sleep(1)
            scene.camera.frame()
            await wait_all_tasks_blocked()
        first_s = viewer.first_frame_s
        assert first_s == pytest.approx(joined_s + (0 if has_cache else 1), abs=0.01)
        await scene.frames(25)
        assert viewer.first_frame_s == first_s


def test_sending_a_frame_asks_no_clock() -> None:
    """It is the inmost loop, and the benchmarks of it run without an event loop."""
    receiver = Receiver(7)
    frame = PacketizedFrame([bytes(100)] * 3, 0, 0, is_key=True)
    receiver.viewer.numbers.start(0)
    assert receiver.viewer.send_frame(FrameBuffer(frame, receiver.viewer.profile, 7)) == 1
    assert len(receiver.take()) == 3


async def test_a_viewer_before_the_first_key_frame_waits_for_it(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        scene.camera.count = 7
        await scene.frames(2)
        receiver = scene.join()
        await scene.frames(4)
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == [10, 11, 12]


async def test_viewers_of_different_times_share_numbers_and_see_no_gaps(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        receivers = []
        for _ in range(8):
            await scene.frames(3)
            receivers.append(scene.join(gcm=len(receivers) % 2 == 0))
        await scene.frames(5)
        for receiver in receivers:
            receiver.take()
            assert _number(receiver.frames()[-1]) == scene.camera.count - 1
        assert len({receiver.packets[-1].sequence for receiver in receivers}) == 1


async def test_live_frames_queue_behind_a_burst(autojump_clock: MockClock) -> None:
    async with _scene(gop=60) as scene:
        scene.camera.frame(size=200_000)
        await scene.frames(30)
        receiver = scene.join()
        # The first picture alone takes several of the burst's intervals; live goes on meanwhile.
        for _ in range(5):
            scene.camera.frame()
            await trio.sleep(0.001)
        await scene.frames(2)
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == list(range(38))


async def test_a_full_socket_drops_to_the_next_key_frame_without_a_gap(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(1)
        receiver, watcher = scene.join(), scene.join()
        await scene.frames(3)
        receiver.socket.full = 1
        await scene.frames(8)
        for viewer in (receiver, watcher):
            viewer.take()
        assert [_number(f) for f in receiver.frames()] == [0, 1, 2, 3, 10, 11]
        assert [_number(f) for f in watcher.frames()] == list(range(12))
        assert receiver.viewer.statistics().frames_dropped == 1
        assert watcher.viewer.statistics().frames_dropped == 0


async def test_a_lost_packet_is_sent_again_byte_for_byte(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(4)
        receiver = scene.join()
        await scene.frames(4)
        sent = list(receiver.socket.datagrams)
        receiver.socket.datagrams.clear()
        media = [d for d in sent if not 192 <= d[1] <= 223]
        for datagram in (media[0], media[3], media[-1]):
            sequence = int.from_bytes(datagram[2:4], "big")
            scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (sequence,)))
            assert receiver.socket.datagrams.pop() == datagram
        assert receiver.viewer.statistics().packets_retransmitted == 3


async def test_nacks_cost_a_viewer_its_own_budget_only(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        greedy, watcher = scene.join(), scene.join()
        await scene.frames(3)
        last = int.from_bytes(greedy.socket.datagrams[-1][2:4], "big")
        for _ in range(2_000):
            scene.sender.receive_nack(greedy.viewer, rtcp.Nack(1, scene.sender.ssrc, (last,)))
        assert greedy.viewer.statistics().packets_retransmitted <= 700
        await scene.frames(3)
        watcher.take()
        assert [_number(f) for f in watcher.frames()] == list(range(8))


async def test_nonsense_nacks_are_not_answered(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        receiver = scene.join()
        await scene.frames(1)
        newest = receiver.viewer.last_index & 0xFFFF
        receiver.socket.datagrams.clear()
        for sequence in ((newest + 1) & 0xFFFF, (newest + 500) & 0xFFFF, (newest - 20_000) & 0xFFFF):
            scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (sequence,)))
        assert receiver.socket.datagrams == []


async def test_a_key_frame_request_is_answered_from_the_cache(autojump_clock: MockClock) -> None:
    async with _scene(gop=100) as scene:
        await scene.frames(3)
        receiver, watcher = scene.join(), scene.join()
        await scene.frames(30)
        scene.sender.receive_key_frame_request(receiver.viewer)
        scene.sender.receive_key_frame_request(receiver.viewer)
        await scene.frames(3)
        receiver.take()
        watcher.take()
        assert [_number(f) for f in receiver.frames()] == [*range(33), *range(34), 34, 35]
        assert [_number(f) for f in watcher.frames()] == list(range(36))
        times = [f[0].timestamp for f in receiver.frames()]
        assert all(0 < ((b - a) & 0xFFFFFFFF) < 0x80000000 for a, b in pairwise(times))
        # What was sent in the second burst can be asked for again, byte for byte.
        assert receiver.viewer.statistics().key_frame_requests == 2


async def test_key_frame_requests_are_rate_limited(autojump_clock: MockClock) -> None:
    async with _scene(gop=1000) as scene:
        await scene.frames(2)
        receiver = scene.join()
        for _ in range(100):
            scene.sender.receive_key_frame_request(receiver.viewer)
            await scene.frames(1)
        receiver.take()
        keys = sum(_number(f) == 0 for f in receiver.frames())
        # 100 requests in 4 s: the join's own and one a second.
        assert 4 <= keys <= 6


async def test_reports_tie_the_clocks_together(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(1)
        receiver = scene.join()
        await scene.frames(60)
        receiver.take()
        reports = [r for r in receiver.reports if isinstance(r, rtcp.SenderReport)]
        assert 2 <= len(reports) <= 4
        assert reports[-1].packet_count <= len(receiver.packets)
        newest = receiver.packets[-1].timestamp
        assert abs((reports[-1].rtp_timestamp - newest + 0x80000000 & 0xFFFFFFFF) - 0x80000000) < 90_000


async def test_the_last_viewers_leaving_ends_the_subscription(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        first = scene.join()
        await scene.frames(1)
        assert scene.stream.statistics().subscribers == 1
        scene.sender.remove(first.viewer)
        await scene.frames(1)
        assert scene.stream.statistics().subscribers == 0
        second = scene.join()
        await scene.frames(2)
        second.take()
        assert [_number(f) for f in second.frames()] == list(range(6))
        assert scene.stream.statistics().viewers == 1


async def test_a_viewer_who_joins_in_the_moment_the_last_one_leaves(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        first = scene.join()
        await scene.frames(1)
        scene.sender.remove(first.viewer)
        second = scene.join()
        await scene.frames(3)
        second.take()
        assert [_number(f) for f in second.frames()] == list(range(6))


async def test_a_burst_is_forgotten_when_nobody_can_ask_for_it(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(3)
        receiver = scene.join()
        await scene.frames(1)
        assert receiver.viewer.own_frames
        await scene.frames(200)
        assert not receiver.viewer.own_frames


async def test_the_sender_ends_with_its_stream(autojump_clock: MockClock) -> None:
    stream = Stream("front")
    sender = Sender(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.run)
        receiver = Receiver(sender.ssrc)
        sender.add(receiver.viewer)
        await wait_all_tasks_blocked()
        stream.close()


async def test_a_frame_on_its_way_while_the_last_viewer_is_replaced(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(5)
        first = scene.join()
        await scene.frames(5)
        scene.camera.frame()
        # The sender has this key frame, and sees it only after both of these.
        scene.sender.remove(first.viewer)
        second = scene.join()
        await scene.frames(3)
        second.take()
        assert [_number(f) for f in second.frames()] == [10, 11, 12, 13]


async def test_a_viewer_who_is_gone_before_the_sender_wakes_leaves_no_subscription(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        scene.sender.remove(scene.join().viewer)
        await scene.frames(2)
        assert scene.stream.statistics().subscribers == 0


async def test_nothing_is_kept_for_retransmission_when_nobody_watches(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(3)
        receiver = scene.join()
        await scene.frames(200)
        kept = list(scene.sender._ring)
        assert 50 <= len(kept) <= 51, "two seconds at 25 frames a second"
        assert scene.sender._ring_packets == sum(len(packets.payloads) for packets in kept)
        scene.sender.remove(receiver.viewer)
        assert not scene.sender._ring
        assert not scene.sender._payloads


async def test_viewers_who_join_share_what_they_are_sent(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(5)
        receivers = [scene.join(), scene.join()]
        await scene.frames(1)
        first, second = ([frame.payloads for frame in receiver.viewer.own_frames] for receiver in receivers)
        assert all(a is b for a, b in zip(first, second, strict=True))
        assert len(first) >= 5


async def test_asking_for_what_is_gone_spends_the_budget_too(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(2)
        receiver = scene.join()
        await scene.frames(3)
        last = int.from_bytes(receiver.socket.datagrams[-1][2:4], "big")
        gone = tuple((last - 20_000 - i) & 0xFFFF for i in range(1_024))
        scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, gone))
        receiver.socket.datagrams.clear()
        scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (last,)))
        assert receiver.socket.datagrams == []
        await trio.sleep(1)
        scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (last,)))
        assert len(receiver.socket.datagrams) == 1


async def test_a_packet_beyond_libsrtps_window_is_not_sent_again(autojump_clock: MockClock) -> None:
    async with _scene(gop=100) as scene:
        await scene.frames(1)
        receiver = scene.join(gcm=False)
        await scene.frames(1)
        for _ in range(6):
            scene.camera.frame(size=250_000)
            await trio.sleep(0.04)
        receiver.take()
        sent = receiver.packets
        assert len(sent) > 1_200
        scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (sent[5].sequence,)))
        assert receiver.socket.datagrams == []
        scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (sent[-1_000].sequence,)))
        assert len(receiver.socket.datagrams) == 1


@pytest.mark.parametrize("gcm", [True, False])
async def test_a_burst_that_the_socket_does_not_take_is_given_up(autojump_clock: MockClock, gcm: bool) -> None:
    async with _scene(gop=20) as scene:
        await scene.frames(10)
        receiver = scene.join(gcm=gcm)
        receiver.socket.full = burst.FULL_SOCKET_TRIES
        await scene.frames(5)
        assert receiver.viewer.bursting is None
        assert receiver.viewer.waiting_for_key
        await scene.frames(8)
        sent = list(receiver.socket.datagrams)
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == [20, 21, 22]
        # Their numbers were planned for pictures of the burst; asked for again they are still themselves.
        for datagram in (d for d in sent if not 192 <= d[1] <= 223):
            sequence = int.from_bytes(datagram[2:4], "big")
            scene.sender.receive_nack(receiver.viewer, rtcp.Nack(1, scene.sender.ssrc, (sequence,)))
            assert receiver.socket.datagrams.pop() == datagram


async def test_a_huge_frame_that_the_socket_does_not_take_harms_nobody(autojump_clock: MockClock) -> None:
    async with _scene(gop=3) as scene:
        receiver, other = scene.join(gcm=False), scene.join()
        await scene.frames(3)
        receiver.socket.full = 1
        # More packets than libsrtp can go back: they are numbered, dropped, and their numbers used again.
        await scene.frames(1, size=1_500_000)
        await scene.frames(8)
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == [0, 1, 2, 6, 7, 8, 9, 10, 11]
        assert other.viewer.frames_sent == 12


async def test_a_slow_burst_does_not_queue_live_frames_for_ever(autojump_clock: MockClock) -> None:
    async with _scene(gop=500) as scene:
        await scene.frames(10)
        receiver = scene.join()
        receiver.socket.slow = burst.FULL_SOCKET_TRIES - 1
        await scene.frames(int(burst.MAX_BURST_S * 25) + 10)
        assert receiver.viewer.bursting is None
        assert receiver.viewer.waiting_for_key


async def test_a_viewer_who_lost_the_thread_may_ask_for_the_cached_key_frame(autojump_clock: MockClock) -> None:
    async with _scene(gop=100) as scene:
        await scene.frames(3)
        receiver = scene.join()
        await scene.frames(2)
        receiver.socket.full = 1
        await scene.frames(2)
        scene.sender.receive_key_frame_request(receiver.viewer)
        await scene.frames(2)
        receiver.take()
        assert [_number(f) for f in receiver.frames()] == [*range(5), *range(8), 8]


@pytest.mark.parametrize("gcm", [True, False])
async def test_viewers_play_on_when_the_sequence_numbers_wrap(autojump_clock: MockClock, gcm: bool) -> None:
    wrap = 1 << 17
    async with _scene(first_index=wrap - START_MARGIN_PACKETS - 200) as scene:
        await scene.frames(3)
        early = scene.join(gcm=gcm)
        await scene.frames(5, size=60_000)
        late = scene.join(gcm=gcm)
        await scene.frames(100, size=60_000)
        early.take()
        late.take()
        assert early.viewer.numbers.offset == 0
        assert late.viewer.numbers.offset > 0, "too near the wrap to start there"
        assert early.packets[-1].sequence < 5_000 < early.packets[0].sequence, "it went through the wrap"
        assert len(early.frames()) == 108
        assert len(late.frames()) == 108


async def test_a_stream_that_is_shed_skips_to_its_next_key_frame_without_a_gap(autojump_clock: MockClock) -> None:
    async with _scene(gop=10) as scene:
        await scene.frames(3)
        receivers = [scene.join(), scene.join(gcm=False)]
        await scene.frames(1)
        for _ in range(3):
            scene.camera.frame()
        await trio.lowlevel.checkpoint()
        assert scene.sender.queue_age_s(trio.current_time() + 0.2) == pytest.approx(0.2)
        assert scene.sender.queued_bytes() > 2 * 2 * 2_000
        scene.sender.shed()
        assert (scene.sender.queued_bytes(), scene.sender.queue_age_s(trio.current_time())) == (0, 0.0)
        late = scene.join()
        await scene.frames(8)
        for receiver in [*receivers, late]:
            receiver.take()
            numbers = [_number(frame) for frame in receiver.frames()]
            assert numbers[-5:] == [10, 11, 12, 13, 14]
            assert numbers[:-5] == list(range(len(numbers[:-5]))), "what came before has no hole"
            sequences = [packet.sequence for packet in receiver.packets]
            assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(sequences))
        assert scene.stream.statistics().shed_frames > 0
        assert scene.stream.statistics().dropped_frames == 0


async def test_a_key_frame_request_while_shed_waits_for_the_key_frame(autojump_clock: MockClock) -> None:
    async with _scene(gop=10) as scene:
        await scene.frames(3)
        receiver = scene.join()
        await scene.frames(1)
        scene.sender.shed()
        scene.sender.receive_key_frame_request(receiver.viewer)
        await scene.frames(8)
        receiver.take()
        assert [_number(frame) for frame in receiver.frames()] == [0, 1, 2, 3, 10, 11]


async def test_what_frames_cost_is_told_to_the_load_meter(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        await scene.frames(3)
        receivers = [scene.join(), scene.join()]
        await scene.frames(1)
        before = scene.sending.bytes, scene.sending.busy_s
        await scene.frames(4)
        assert scene.sending.bytes - before[0] == pytest.approx(4 * 2 * 2_000, rel=0.01)
        assert scene.sending.busy_s > before[1]
        assert scene.sending.take_worst_delay_s() == 0.0, "virtual time stands still while sending"
        assert len(receivers) == 2


async def test_what_a_sender_keeps_shows_in_statistics(autojump_clock: MockClock) -> None:
    async with _scene(gop=10) as scene:
        await scene.frames(3)
        receiver = scene.join()
        await scene.frames(4)
        statistics = scene.sender.statistics()
        packets = len(receiver.take())
        assert (statistics.viewers, statistics.frames_queued, statistics.bytes_queued) == (1, 0, 0)
        assert statistics.ring_packets + statistics.cached_packets >= packets
        assert statistics.cached_packets > 0
        kept = receiver.viewer.statistics()
        assert (kept.frames_waiting, kept.repeats_waiting) == (0, 0)
        assert kept.frames_kept >= 3
        for _ in range(2):
            scene.camera.frame()
        assert scene.sender.statistics().frames_queued == 2
        assert scene.sender.statistics().bytes_queued > 2 * 2_000
        await scene.frames(200)
        assert receiver.viewer.statistics().frames_kept == 0, "nobody asks for it so late"
        scene.sender.remove(receiver.viewer)
        rest = scene.sender.statistics()
        assert (rest.viewers, rest.ring_packets, rest.cached_packets) == (0, 0, 0)


async def test_h265_goes_out_with_its_parameter_sets_first_and_nothing_that_browsers_do_not_need(
    autojump_clock: MockClock,
) -> None:
    async with _scene() as scene:
        scene.stream.set_format(H265_FORMAT)
        for number in range(3):
            nals = [h265.AUD, *h265.key_nals(3000)] if number == 0 else [h265.AUD, h265.SEI, h265.slice_nal(2000)]
            scene.stream.publish(Frame(tuple(nals), number * TICKS, trio.current_time(), number == 0))
            if number == 0:
                receiver = scene.join()
            await wait_all_tasks_blocked()
            await trio.sleep(0.04)
        receiver.take()
        depacketizer = H265Depacketizer()
        frames = [
            frame for packet in receiver.packets for frame in depacketizer.receive_packet_untrusted(_rtp(packet), 0.0)
        ]
        assert [list(frame.nals) for frame in frames] == [h265.key_nals(3000), *[[h265.slice_nal(2000)]] * 2]
        # One packet of parameter sets, and fragments of one size.
        key = receiver.frames()[0]
        assert key[0].payload[0] >> 1 & 63 == 48
        assert len({len(packet.payload) for packet in key[1:-1]}) == 1


def _rtp(packet: RtpPacket) -> bytes:
    header = build_rtp_header(packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, marker=packet.marker)
    return header + bytes(packet.payload)


async def test_another_codec_is_told_before_it_is_sent(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        scene.stream.set_format(VIDEO_FORMAT)
        told: list[VideoFormat] = []

        def close(video: VideoFormat) -> None:
            told.append(video)
            if video.codec == "H265":
                receiver.viewer.closed = True

        await scene.frames(3)
        receiver = scene.join()
        scene.sender.on_format = close
        await scene.frames(2)
        receiver.take()
        sent = len(receiver.packets)
        scene.stream.set_format(H265_FORMAT)
        scene.stream.publish(Frame(tuple(h265.key_nals()), 100 * TICKS, trio.current_time(), True))
        await wait_all_tasks_blocked()
        assert told[-1] is H265_FORMAT
        receiver.take()
        assert len(receiver.packets) == sent
        assert scene.sender.statistics().ring_packets == len(packetize_h265(h265.key_nals(), MAX_PAYLOAD_BYTES))
        # Who comes now gets the new codec, from its key frame on.
        later = scene.join()
        await wait_all_tasks_blocked()
        later.take()
        assert later.frames()[0][0].payload[0] >> 1 & 63 == 48
