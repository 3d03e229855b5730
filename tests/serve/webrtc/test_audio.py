"""The sender of sound with a real stream and real SRTP: what each listener gets, and what it is told of the time."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.load.sending import SendingMeter
from camgate.relay.audio import AudioStream
from camgate.relay.lip_sync import Kind
from camgate.relay.splice import Splice
from camgate.serve.webrtc import wall_clock
from camgate.serve.webrtc.audio import AudioSender, Listener, cut
from camgate.serve.webrtc.numbering import START_MARGIN_PACKETS
from camgate.serve.webrtc.packets import MAX_PACKET_BYTES, MAX_PAYLOAD_BYTES
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import Bye, ReportBlock, SenderReport
from tests.fakes.receiver import Receiver

PCMA = AudioFormat(codec="PCMA", clock_hz=8_000)
OPUS = AudioFormat(codec="OPUS", clock_hz=48_000, channels=2)


class Scene:
    """A camera that sends 160 bytes each 20 ms, and whoever listens."""

    def __init__(self, audio: AudioFormat = PCMA, first_index: int | None = None) -> None:
        self.stream = AudioStream("front", audio)
        self.sending = SendingMeter()
        self.sender = AudioSender(self.stream, self.sending, first_index=first_index)
        self._splice = Splice(audio.clock_hz, least_correction_s=0.02)
        self._count = 0

    def join(self, *, gcm: bool = True, payload_type: int = 8) -> tuple[Receiver, Listener]:
        receiver = Receiver(1, gcm=gcm)
        listener = receiver.listen(self.sender.ssrc, payload_type)
        self.sender.add(listener)
        return receiver, listener

    def frame(self, size: int = 160) -> None:
        data = bytes([self._count & 0xFF]) * size
        frame = Frame((data,), 160 * self._count, trio.current_time(), is_key=True)
        self.stream.publish(self._splice.map(frame))
        self._count += 1

    async def frames(self, count: int) -> None:
        await wait_all_tasks_blocked()
        for _ in range(count):
            self.frame()
            await trio.sleep(0.02)


@asynccontextmanager
async def _scene(audio: AudioFormat = PCMA, *, first_index: int | None = None) -> AsyncIterator[Scene]:
    scene = Scene(audio, first_index)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.sender.run)
        yield scene
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("gcm", [True, False])
async def test_a_listener_hears_all_from_now_on(autojump_clock: MockClock, gcm: bool) -> None:
    async with _scene() as scene:
        early, _ = scene.join()
        await scene.frames(3)
        receiver, listener = scene.join(gcm=gcm, payload_type=111)
        await scene.frames(5)
        packets = receiver.take()
        assert [packet.payload for packet in packets] == [bytes([number]) * 160 for number in range(3, 8)]
        assert {(packet.payload_type, packet.ssrc, packet.marker) for packet in packets} == {
            (111, scene.sender.ssrc, False)
        }
        assert [packet.sequence for packet in early.take()[-5:]] == [packet.sequence for packet in packets]
        assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)} == {160}
        assert (listener.statistics().packets_sent, listener.statistics().bytes_sent) == (5, 800)
        assert scene.stream.statistics().listeners == 2
        assert scene.sending.bytes == 160 * (3 + 2 * 5)


@pytest.mark.parametrize("gcm", [True, False])
async def test_a_listener_never_begins_close_to_a_wrap(autojump_clock: MockClock, gcm: bool) -> None:
    async with _scene(first_index=(5 << 16) - 3) as scene:
        scene.join()
        await scene.frames(1)
        receiver, _ = scene.join(gcm=gcm)
        await scene.frames(6)
        sequences = [packet.sequence for packet in receiver.take()]
        assert sequences == list(range(6))
        assert sequences[-1] < 65_536 - START_MARGIN_PACKETS


async def test_what_a_full_socket_refuses_is_gone_and_nothing_waits(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        receiver, listener = scene.join()
        await scene.frames(2)
        receiver.socket.full = 2
        await scene.frames(4)
        packets = receiver.take()
        assert [packet.payload[0] for packet in packets] == [0, 1, 4, 5]
        assert packets[2].sequence - packets[1].sequence == 3
        assert listener.statistics().packets_dropped == 2


async def test_nobody_listening_means_no_reader(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        _, first = scene.join()
        await scene.frames(2)
        _, second = scene.join()
        scene.sender.remove(first)
        await scene.frames(2)
        assert second.statistics().packets_sent == 2
        scene.sender.remove(second)
        await wait_all_tasks_blocked()
        assert scene.stream.statistics().listeners == 0
        assert not scene.stream.wants.count
        receiver, _ = scene.join()
        await wait_all_tasks_blocked()
        await scene.frames(2)
        assert len(receiver.take()) == 2


async def test_the_end_of_the_stream_ends_the_sender(autojump_clock: MockClock) -> None:
    for listens in (True, False):
        scene = Scene()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.sender.run)
            if listens:
                scene.join()
            await wait_all_tasks_blocked()
            scene.stream.close()
            scene.sender.look_for_end()


async def test_reports_tie_the_sound_to_the_wall_clock(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camgate.serve.webrtc.audio.unix_now_s", lambda: 1_700_000_000 + trio.current_time())
    async with _scene() as scene:
        receiver, listener = scene.join()
        began_s = trio.current_time()
        await scene.frames(120)
        packets = receiver.take()
        reports = [report for report in receiver.reports if isinstance(report, SenderReport)]
        assert [report.packet_count for report in reports] == [1, 51, 101]
        assert {report.ssrc for report in reports} == {scene.sender.ssrc}
        for report in reports:
            # The wall clock that a report gives the first packet is when that one was published.
            ahead_s = ((report.rtp_timestamp - packets[0].timestamp) & 0xFFFFFFFF) / 8_000
            assert report.unix_time_s - ahead_s == pytest.approx(1_700_000_000 + began_s, abs=1e-3)
        listener.send_bye()
        receiver.take()
        assert isinstance(receiver.reports[-1], Bye)


async def test_reports_put_the_sound_where_the_camera_says(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camgate.serve.webrtc.audio.unix_now_s", trio.current_time)
    async with _scene() as scene:
        for _ in range(2):
            now = trio.current_time()
            scene.stream.lip_sync.note_report(Kind.VIDEO, now - 0.15, now, now)
            scene.stream.lip_sync.note_report(Kind.AUDIO, now, now, now)
        await trio.sleep(60)
        receiver, _ = scene.join()
        began_s = trio.current_time()
        await scene.frames(60)
        first = receiver.take()[0]
        report = [each for each in receiver.reports if isinstance(each, SenderReport)][-1]
        ahead_s = ((report.rtp_timestamp - first.timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000) / 8_000
        # The first sound is told to belong to a picture that comes 0.15 s after it.
        assert report.unix_time_s - ahead_s == pytest.approx(began_s + 0.15, abs=2e-3)
        assert scene.stream.statistics().skew_s == pytest.approx(0.15)


async def test_receiver_reports_are_of_the_tracks_own_clock() -> None:
    _, listener = Scene(OPUS).join()
    listener.take_report(ReportBlock(1, 64, 0, 0, 480, 0, 0), 48_000)
    statistics = listener.statistics()
    assert (statistics.loss_fraction, statistics.jitter_s) == (0.25, 0.01)


def test_large_packets_of_g711_are_cut_where_the_bytes_are_ticks() -> None:
    frame = Frame((bytes(3_000),), 1_000, 0.0, is_key=True)
    pieces = cut(frame, PCMA)
    assert [len(payload) for payload, _ in pieces] == [
        MAX_PAYLOAD_BYTES,
        MAX_PAYLOAD_BYTES,
        3_000 - 2 * MAX_PAYLOAD_BYTES,
    ]
    assert [rtp_time for _, rtp_time in pieces] == [1_000, 1_000 + MAX_PAYLOAD_BYTES, 1_000 + 2 * MAX_PAYLOAD_BYTES]
    assert cut(frame, OPUS) == []


async def test_pieces_are_packets_of_their_own(autojump_clock: MockClock) -> None:
    async with _scene() as scene:
        receiver, _ = scene.join()
        await scene.frames(1)
        scene.frame(2_000)
        await wait_all_tasks_blocked()
        assert max(map(len, receiver.socket.datagrams)) <= MAX_PACKET_BYTES
        packets = receiver.take()
        assert [len(packet.payload) for packet in packets] == [160, MAX_PAYLOAD_BYTES, 2_000 - MAX_PAYLOAD_BYTES]
        assert [packet.sequence - packets[0].sequence for packet in packets] == [0, 1, 2]


def test_the_wall_clock_of_reports_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wall_clock.unix_now_s()
    assert before == pytest.approx(time.time(), abs=60)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= wall_clock.unix_now_s() - before < 60
