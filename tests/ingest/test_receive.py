import struct

import pytest

from camgate.ingest.errors import CameraHungUp
from camgate.ingest.receive import TrackReceiver, VideoReceiver, receive_audio
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.rtp.rtcp import (
    ReceiverReport,
    ReportBlock,
    build_bye,
    build_sender_report,
    compact_ntp,
    parse_rtcp_untrusted,
)
from camgate.wire.rtsp.track import Track
from tests.fakes.camera import KEY_SLICE, OTHER_SLICE, PPS, SPS

SSRC = 0x1234ABCD
PICTURE = KEY_SLICE + b"rest of a picture"
SETS = b"\x18" + len(SPS).to_bytes(2, "big") + SPS + len(PPS).to_bytes(2, "big") + PPS
"""A STAP-A packet (RFC 6184, 5.7.1)."""


def rtp(
    sequence: int, *, ssrc: int = SSRC, timestamp: int = 0, payload_type: int = 96, payload: bytes = PICTURE
) -> bytes:
    return struct.pack("!BBHII", 0x80, 0x80 | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def receiver() -> TrackReceiver[VideoFormat]:
    track = Track(
        index=0, media="video", codec="H264", payload_type=96, clock_rate=90000, control="rtsp://c/1", rtp_channel=4
    )
    return VideoReceiver(track, 0.0)


def receive(track: TrackReceiver[VideoFormat], sequences: range, **fields: int) -> None:
    track.receive_packets([(4, rtp(sequence, timestamp=3600 * sequence, **fields)) for sequence in sequences], 1.0)


def report_of(track: TrackReceiver[VideoFormat], now: float = 1.0) -> ReportBlock:
    data = track.build_report(now)
    assert data is not None
    report = parse_rtcp_untrusted(data)[0]
    assert isinstance(report, ReceiverReport)
    return report.reports[0]


def test_nothing_received_is_nothing_to_report() -> None:
    assert receiver().build_report(0.0) is None


def test_a_whole_stream_reports_no_loss_and_counts_through_the_wrap() -> None:
    track = receiver()
    receive(track, range(65530, 65540))
    assert report_of(track).highest_sequence == 65539
    receive(track, range(65540, 65540 + 70_000))
    block = report_of(track)
    assert (block.ssrc, block.highest_sequence) == (SSRC, 65539 + 70_000)
    assert (block.cumulative_lost, block.fraction_lost) == (0, 0)


def test_a_gap_is_reported_as_loss_once_in_the_fraction_and_for_good_in_the_sum() -> None:
    track = receiver()
    receive(track, range(100, 110))
    report_of(track)
    receive(track, range(120, 130))
    block = report_of(track)
    assert (block.fraction_lost, block.cumulative_lost) == (128, 10)
    receive(track, range(130, 140))
    block = report_of(track)
    assert (block.fraction_lost, block.cumulative_lost) == (0, 10)
    assert block.highest_sequence == 139


def test_a_camera_that_begins_anew_does_not_count_as_loss() -> None:
    track = receiver()
    receive(track, range(1000, 1100))
    report_of(track)
    receive(track, range(40_000, 40_100), ssrc=7)
    block = report_of(track)
    assert (block.ssrc, block.cumulative_lost) == (7, 0)
    assert block.highest_sequence & 0xFFFF == 40_099


def test_the_sender_reports_time_comes_back_with_the_delay_since() -> None:
    track = receiver()
    receive(track, range(1))
    track.receive_packets([(5, build_sender_report(SSRC, 1_700_000_000.5, 0, 1, 1, "camera"))], 100.0)
    block = report_of(track, now=101.5)
    assert block.last_sr == compact_ntp(1_700_000_000.5)
    assert block.delay_since_last_sr == 65536 * 3 // 2


def test_frames_come_from_the_tracks_own_channel_and_payload_type() -> None:
    track = receiver()
    assert track.last_picture_s == track.last_frame_s == 0.0
    assert track.receive_packets([(4, rtp(1, payload_type=50)), (4, b"\x80\x60")], 1.0) == []
    assert track.last_frame_s == 0.0
    frames = track.receive_packets([(4, rtp(2, payload=SETS)), (4, rtp(3))], 2.0)
    assert [frame.is_key for frame in frames] == [True]
    assert track.last_picture_s == track.last_frame_s == 2.0
    assert track.format is not None
    assert track.format.width == 640


def test_pictures_that_cannot_be_decoded_show_that_the_camera_lives() -> None:
    track = receiver()
    assert track.receive_packets([(4, rtp(1, payload=OTHER_SLICE + b"rest"))], 3.0) == []
    assert (track.last_picture_s, track.last_frame_s) == (3.0, 0.0)


def test_nothing_keeps_a_read_alive() -> None:
    track = receiver()
    fragments = [b"\x7c\x85" + KEY_SLICE[1:], b"\x7c\x05 middle", b"\x7c\x05 middle", b"\x7c\x45 end"]
    frames = []
    for number, payload in enumerate([SETS, *fragments]):
        packet = rtp(number, payload=payload)
        if number < len(fragments):
            packet = packet[:1] + bytes([packet[1] & 0x7F]) + packet[2:]
        read = bytearray(packet)
        with memoryview(read) as view:
            frames += track.receive_packets([(4, view)], 1.0)
        # A bytearray that is still looked at cannot grow.
        read.append(0)
    assert [frame.nals for frame in frames] == [(SPS, PPS, KEY_SLICE + b" middle middle end")]


def test_the_report_goes_to_the_channel_after_where_the_camera_named_only_one() -> None:
    assert receiver().rtcp_channel == 5


def test_bye_ends_the_session_and_damaged_rtcp_does_not() -> None:
    track = receiver()
    assert track.receive_packets([(5, b"\x00\x01")], 1.0) == []
    with pytest.raises(CameraHungUp, match="BYE"):
        track.receive_packets([(5, build_bye(SSRC))], 1.0)


def test_an_audio_track_gives_its_payloads_and_no_goodbye_ends_the_session() -> None:
    track = Track(
        index=1, media="audio", codec="PCMA", payload_type=8, clock_rate=8000, control="rtsp://c/2", rtp_channel=2
    )
    audio = receive_audio(track, 0.0)
    assert audio.format == AudioFormat(codec="PCMA", clock_hz=8000)
    assert audio.channels == {2, 3}
    frames = audio.receive_packets([(2, rtp(7, payload_type=8, timestamp=160, payload=b"hum")), (3, build_bye(1))], 1.0)
    assert [(frame.nals, frame.rtp_time, frame.arrival_s) for frame in frames] == [((b"hum",), 160, 1.0)]
    report = audio.build_report(2.0)
    assert report is not None
