"""Packets laid out once: what each client is sent is whole, its own, and fit for one call."""

from itertools import pairwise

import pytest

from camgate.serve.rtsp.layout import MAX_KEPT_FRAMES, MAX_PAYLOAD_BYTES, FrameLayout, LayoutCache
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h264_payload import packetize_h264
from camgate.wire.rtp.packet import parse_rtp_untrusted
from camgate.wire.rtsp.interleaved import InterleavedReader
from tests.fakes.camera import PPS, SPS

KEY = (SPS, PPS, b"\x65\x88\x84" + bytes(range(1, 200)) * 30 + b"\x80")


def packetize(frame: Frame) -> list[bytes]:
    return packetize_h264(frame.nals, MAX_PAYLOAD_BYTES)


def read_interleaved(data: bytes | bytearray, channel: int) -> list[bytes]:
    reader = InterleavedReader()
    reader.channels = {channel}
    reader.receive_data(data)
    assert reader.next_message_untrusted(0.0) is None
    packets = reader.take_packets()
    assert {number for number, _ in packets} == {channel}
    return [bytes(packet) for _, packet in packets]


def read_runs(layout: FrameLayout) -> list[bytes]:
    """Cut each run as the kernel does."""
    packets: list[bytes] = []
    for run, segment_bytes, count in layout.runs:
        step = segment_bytes or len(run)
        cut = [bytes(run[at : at + step]) for at in range(0, len(run), step)]
        assert len(cut) == count
        packets += cut
    return packets


def test_both_layouts_carry_the_same_packets() -> None:
    payloads = packetize(Frame(KEY, 0, 0.0, True))
    interleaved = FrameLayout(payloads, 96, is_interleaved=True)
    datagrams = FrameLayout(payloads, 96, is_interleaved=False)
    datagrams.stamp(65_534, 7, 9)
    packets = read_interleaved(interleaved.stamped_copy(4, 65_534, 7, 9), 4)
    assert packets == read_runs(datagrams)
    parsed = [parse_rtp_untrusted(packet) for packet in packets]
    assert [packet.sequence for packet in parsed] == [(65_534 + n) % 65_536 for n in range(len(payloads))]
    assert {(packet.timestamp, packet.ssrc, packet.payload_type) for packet in parsed} == {(7, 9, 96)}
    assert [packet.marker for packet in parsed] == [False] * (len(payloads) - 1) + [True]
    assert [packet.payload for packet in parsed] == payloads
    depacketizer = H264Depacketizer(payload_type=96)
    (frame,) = [frame for packet in packets for frame in depacketizer.receive_packet_untrusted(packet, 0.0)]
    assert frame.nals == KEY


def test_packets_fit_an_ethernet_frame() -> None:
    layout = FrameLayout(packetize(Frame(KEY, 0, 0.0, True)), 96, is_interleaved=False)
    assert max(map(len, read_runs(layout))) + 8 + 40 <= 1_460


def test_clients_do_not_see_each_others_numbers() -> None:
    layout = FrameLayout([b"one", b"two"], 96, is_interleaved=True)
    first = layout.stamped_copy(0, 1, 2, 3)
    second = layout.stamped_copy(0, 100, 200, 300)
    assert [parse_rtp_untrusted(packet).ssrc for packet in read_interleaved(first, 0)] == [3, 3]
    assert [parse_rtp_untrusted(packet).ssrc for packet in read_interleaved(second, 0)] == [300, 300]


def test_frames_are_laid_out_once() -> None:
    frames = [Frame((b"\x41\x9a" + bytes([number]) * 9,), number, 0.0, False) for number in range(MAX_KEPT_FRAMES + 1)]
    asked: list[Frame] = []

    def counting(frame: Frame) -> list[bytes]:
        asked.append(frame)
        return packetize(frame)

    cache = LayoutCache(counting, 96, is_marked=True)
    layouts = [cache.lay_out(frame, is_interleaved=True) for frame in frames for _ in range(3)]
    assert asked == frames
    assert all(a is b for a, b in pairwise(layouts[:3]))
    cache.lay_out(frames[0], is_interleaved=True)
    assert len(asked) == len(frames) + 1, "the oldest is not kept"


def test_layouts_are_kept_while_anybody_plays() -> None:
    cache, frame = LayoutCache(packetize, 96, is_marked=True), Frame(KEY, 0, 0.0, True)
    with cache.in_use():
        with cache.in_use():
            first = cache.lay_out(frame, is_interleaved=True)
        assert cache.lay_out(frame, is_interleaved=True) is first
    with cache.in_use():
        assert cache.lay_out(frame, is_interleaved=True) is not first


@pytest.mark.parametrize("sequence", [0, 65_535])
def test_a_single_packet(sequence: int) -> None:
    layout = FrameLayout([b"payload"], 0, is_interleaved=False)
    layout.stamp(sequence, 0xFFFFFFFF, 0xFFFFFFFF)
    (packet,) = map(parse_rtp_untrusted, read_runs(layout))
    assert (packet.sequence, packet.timestamp) == (sequence, 0xFFFFFFFF)
    assert (packet.payload, packet.marker) == (b"payload", True)
