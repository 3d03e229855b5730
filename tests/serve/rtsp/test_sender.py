"""Packets for one client: numbered without gaps, timed so that the cached pictures do not delay the live ones."""

import pytest

from camgate.serve.rtsp.sender import JOIN_SPACING_TICKS, MAX_PAYLOAD_BYTES, RtpSender
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.rtp.packet import parse_rtp_untrusted
from camgate.wire.rtp.rtcp import Bye, SenderReport, parse_rtcp_untrusted
from tests.fakes.camera import PPS, SPS

START = 2**32 - 100


def frame(number: int, *, is_key: bool = False, size_bytes: int = 100) -> Frame:
    """Return a picture of a 25 fps stream that has run for long."""
    slice_nal = (b"\x65\x88\x84" if is_key else b"\x41\x9a\x02") + number.to_bytes(4, "big") + bytes(size_bytes)
    nals = (SPS, PPS, slice_nal + b"\x80") if is_key else (slice_nal + b"\x80",)
    return Frame(nals, 2**33 + number * 3600, number / 25, is_key)


@pytest.fixture
def sender() -> RtpSender:
    return RtpSender(ssrc=7, sequence=65_530, timestamp=START)


def test_frames_survive_the_way_through_packets(sender: RtpSender) -> None:
    frames = [frame(n, is_key=n % 10 == 0, size_bytes=n * 500) for n in range(20)]
    packets = sender.join_packets(frames[:5])
    for each in frames[5:]:
        packets += sender.packets(each)
    depacketizer = H264Depacketizer(payload_type=96)
    received = [each for packet in packets for each in depacketizer.receive_packet_untrusted(packet, 0.0)]
    assert [each.nals for each in received] == [each.nals for each in frames]
    assert depacketizer.statistics().packets_lost == 0
    assert max(map(len, packets)) <= 12 + MAX_PAYLOAD_BYTES


def test_numbers_begin_as_announced_and_wrap(sender: RtpSender) -> None:
    packets = [parse_rtp_untrusted(packet) for packet in sender.packets(frame(0, is_key=True, size_bytes=20_000))]
    assert [packet.sequence for packet in packets] == [(65_530 + n) % 65_536 for n in range(len(packets))]
    assert {packet.timestamp for packet in packets} == {START}
    assert {packet.ssrc for packet in packets} == {7}
    assert [packet.marker for packet in packets] == [False] * (len(packets) - 1) + [True]


def test_cached_frames_end_where_live_ones_go_on(sender: RtpSender) -> None:
    joined = sender.join_packets([frame(n, is_key=n == 0) for n in range(50)])
    live = [packet for n in (50, 51) for packet in sender.packets(frame(n))]
    times = [parse_rtp_untrusted(packet).timestamp for packet in joined + live]
    marks = list(dict.fromkeys((time - START) % 2**32 for time in times))
    newest = 49 * JOIN_SPACING_TICKS
    assert marks == [*range(0, newest + 1, JOIN_SPACING_TICKS), newest + 3600, newest + 7200]


def test_a_report_says_where_the_media_clock_stands(sender: RtpSender) -> None:
    packets = sender.packets(frame(0, is_key=True)) + sender.packets(frame(25))
    (report,) = parse_rtcp_untrusted(sender.report(now=1.5, unix_s=1_790_000_000.0))
    assert isinstance(report, SenderReport)
    # The frame of 1 s stands 90,000 ticks after the first; half a second has passed since.
    assert report.rtp_timestamp == (START + 135_000) % 2**32
    assert report.unix_time_s == 1_790_000_000.0
    assert report.packet_count == len(packets)
    assert report.octet_count == sum(len(packet) - 12 for packet in packets)


def test_goodbye_names_the_source(sender: RtpSender) -> None:
    assert parse_rtcp_untrusted(sender.goodbye())[-1] == Bye((7,))
