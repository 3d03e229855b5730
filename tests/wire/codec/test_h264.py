from collections.abc import Iterable
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec import video
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h264_nal import NAL_FU_A, split_annex_b
from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes.h264 import (
    AUD,
    FRAME_TICKS,
    OTHER_PPS,
    OTHER_SPS,
    PAYLOAD_TYPE,
    PPS,
    SEI,
    SPS,
    SSRC,
    RtpWriter,
    key_nals,
    slice_nal,
)

LONG_START_CODE = b"\x00\x00\x00\x01"


def receive(depacketizer: H264Depacketizer, packets: Iterable[bytes], now: float = 1.0) -> list[Frame]:
    return [frame for packet in packets for frame in depacketizer.receive_packet_untrusted(packet, now)]


def nals_of(frames: Iterable[Frame]) -> list[list[bytes]]:
    return [list(frame.nals) for frame in frames]


@pytest.fixture
def camera() -> RtpWriter:
    return RtpWriter()


@pytest.fixture
def depacketizer() -> H264Depacketizer:
    return H264Depacketizer()


@pytest.fixture
def started(camera: RtpWriter, depacketizer: H264Depacketizer) -> H264Depacketizer:
    """A depacketiser that has got one key frame from `camera`."""
    assert len(receive(depacketizer, camera.packets(key_nals()))) == 1
    return depacketizer


# What goes right


def test_frames_come_at_the_marker_with_time_and_key_flag(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    camera.timestamp = 0xFFFFFFFF - FRAME_TICKS
    first, second = key_nals(), [slice_nal(2000)]
    (key,) = receive(depacketizer, camera.packets(first), now=5.0)
    (delta,) = receive(depacketizer, camera.packets(second), now=6.0)
    assert nals_of([key, delta]) == [first, second]
    assert (key.is_key, key.rtp_time, key.arrival_s) == (True, 0xFFFFFFFF - FRAME_TICKS, 5.0)
    assert (delta.is_key, delta.rtp_time, delta.arrival_s) == (False, 0xFFFFFFFF, 6.0)
    assert depacketizer.last_access_unit_s == 6.0


nal_sizes = st.lists(st.integers(3, 4000), min_size=1, max_size=5)


@given(st.lists(nal_sizes, min_size=1, max_size=6), st.integers(16, 1500), st.integers(0, 0xFFFF), st.booleans())
def test_round_trip(pictures: list[list[int]], max_payload_bytes: int, sequence: int, marker: bool) -> None:
    camera = RtpWriter(sequence=sequence, timestamp=sequence << 16, max_payload_bytes=max_payload_bytes)
    depacketizer = H264Depacketizer()
    sent = []
    for number, sizes in enumerate(pictures):
        is_key = number % 3 == 0
        slices = [slice_nal(size, key=is_key, first_mb=place, seed=size) for place, size in enumerate(sizes)]
        sent.append([AUD, SPS, PPS, SEI, *slices] if is_key else [AUD, *slices])
    frames = [frame for nals in [*sent, [AUD]] for frame in receive(depacketizer, camera.packets(nals, marker=marker))]
    assert nals_of(frames) == sent
    assert [frame.is_key for frame in frames] == [number % 3 == 0 for number in range(len(sent))]
    statistics = depacketizer.statistics()
    assert (statistics.frames_damaged, statistics.frames_skipped, statistics.packets_malformed) == (0, 0, 0)


def test_a_real_stream_decodes_to_the_same_pictures() -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "g": "10", "x264-params": "slices=3"}
    camera, depacketizer = RtpWriter(max_payload_bytes=300), H264Depacketizer()
    frames: list[Frame] = []
    direct = []
    for number in range(25):
        picture = av.VideoFrame(320, 192, "yuv420p")
        picture.pts = number
        for plane in picture.planes:
            plane.update(bytes((x * number >> 3) & 0xFF for x in range(plane.buffer_size)))
        for packet in encoder.encode(picture):
            direct.append(bytes(packet))
            frames += receive(depacketizer, camera.packets(split_annex_b(bytes(packet))))
    assert [frame.is_key for frame in frames] == [number % 10 == 0 for number in range(25)]
    again = [b"".join(LONG_START_CODE + nal for nal in frame.nals) for frame in frames]
    assert decode(again) == decode(direct)
    assert depacketizer.format is not None
    assert (depacketizer.format.width, depacketizer.format.height) == (320, 192)


def decode(access_units: list[bytes]) -> list[bytes]:
    decoder = av.CodecContext.create("h264", "r")
    pictures = [picture for unit in access_units for picture in decoder.decode(av.Packet(unit))]
    pictures += decoder.decode(None)
    return [bytes(plane) for picture in pictures for plane in picture.planes]


# Where an access unit ends


def test_a_marker_on_parameter_sets_or_sei_ends_nothing(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    key = slice_nal(key=True)
    packets = [camera.packet(nal, marker=True) for nal in (SPS, PPS, SEI, key)]
    assert nals_of(receive(depacketizer, packets)) == [[SPS, PPS, SEI, key]]


def test_without_markers_the_next_timestamp_ends_the_frame(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    first, second = key_nals(), [slice_nal()]
    assert receive(depacketizer, camera.packets(first, marker=False), now=1.0) == []
    (key,) = receive(depacketizer, camera.packets(second, marker=False), now=2.0)
    assert list(key.nals) == first
    assert key.arrival_s == 1.0
    assert nals_of(receive(depacketizer, camera.packets([AUD], marker=False))) == [second]


def test_parameter_sets_with_a_time_of_their_own_join_the_next_frame(
    camera: RtpWriter, depacketizer: H264Depacketizer
) -> None:
    key = slice_nal(key=True)
    packets = camera.payloads([AUD, SPS]) + camera.payloads([PPS]) + camera.payloads([key])
    (frame,) = receive(depacketizer, packets)
    assert list(frame.nals) == [SPS, PPS, key]
    assert frame.rtp_time == 2 * FRAME_TICKS


def test_a_parameter_set_with_a_time_of_its_own_goes_with_any_frame(
    camera: RtpWriter, started: H264Depacketizer
) -> None:
    (frame,) = receive(started, camera.payloads([OTHER_PPS]) + camera.payloads([slice_nal()]))
    assert list(frame.nals) == [OTHER_PPS, slice_nal()]


def test_a_marker_within_a_fragmented_nal_ends_nothing(camera: RtpWriter, started: H264Depacketizer) -> None:
    first = slice_nal()
    packets = [camera.packet(first), camera.packet(fu(0x81, b"\x1b1"), marker=True)]
    packets += camera.payloads([fu(0x41, b"2")])
    assert nals_of(receive(started, packets)) == [[first, b"\x61\x1b12"]]


def test_a_flood_of_parameter_sets_does_not_pile_up(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    for _ in range(50):
        receive(depacketizer, camera.payloads([SPS, PPS]))
    (frame,) = receive(depacketizer, camera.payloads([slice_nal(key=True)]))
    assert len(frame.nals) == 3


def test_frames_with_the_same_timestamp_are_told_apart_by_the_marker(
    camera: RtpWriter, started: H264Depacketizer
) -> None:
    packets = [camera.packet(slice_nal(seed=i), marker=True) for i in range(3)]
    assert len(receive(started, packets)) == 3


# How cameras pack


def fu(fu_header: int, body: bytes) -> bytes:
    return bytes((0x60 | NAL_FU_A, fu_header)) + body


def test_a_fragment_that_is_start_and_end_is_a_whole_nal(camera: RtpWriter, started: H264Depacketizer) -> None:
    picture = slice_nal()
    frames = receive(started, camera.payloads([bytes((0x40 | NAL_FU_A, 0xC1)) + picture[1:]]))
    assert nals_of(frames) == [[picture]]


def test_of_differing_fragment_types_the_first_counts(camera: RtpWriter, started: H264Depacketizer) -> None:
    (frame,) = receive(started, camera.payloads([fu(0x81, b"\x9a1"), fu(0x05, b"2"), fu(0x47, b"3")]))
    assert frame.nals == (b"\x61\x9a123",)


def test_empty_fragments_and_the_reserved_bit_do_no_harm(camera: RtpWriter, started: H264Depacketizer) -> None:
    (frame,) = receive(started, camera.payloads([fu(0xA1, b"\x9a1"), fu(0x01, b""), fu(0x21, b"2"), fu(0x41, b"")]))
    assert frame.nals == (b"\x61\x9a12",)


def test_a_missing_end_bit_ends_with_the_next_nal(camera: RtpWriter, started: H264Depacketizer) -> None:
    single, begun = slice_nal(first_mb=5), fu(0x81, b"\x9a1")
    (frame,) = receive(started, camera.payloads([begun, fu(0x01, b"2"), begun, single]))
    assert frame.nals == (b"\x61\x9a12", b"\x61\x9a1", single)


def test_a_missing_end_bit_ends_with_the_next_frame(camera: RtpWriter, started: H264Depacketizer) -> None:
    packets = camera.payloads([fu(0x81, b"\x9a1"), fu(0x01, b"2")])
    frames = receive(started, packets + camera.packets([slice_nal()]))
    assert frames[0].nals == (b"\x61\x9a12",)
    assert len(frames) == 2


def test_a_padded_aggregate(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    key = slice_nal(key=True)
    units = b"".join(len(nal).to_bytes(2, "big") + nal for nal in (SPS, b"", PPS, key, b"", b""))
    frames = receive(depacketizer, camera.payloads([b"\x78" + units + b"\x00"]))
    assert nals_of(frames) == [[SPS, PPS, key]]


def test_a_byte_stream_in_one_payload_is_split(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    key = slice_nal(900, key=True)
    stream = SPS + LONG_START_CODE + PPS + LONG_START_CODE + key + b"\x00\x00"
    assert nals_of(receive(depacketizer, camera.packets([stream]))) == [[SPS, PPS, key]]
    # Such a camera does it with plain slices as well.
    first, second = slice_nal(700), slice_nal(700, first_mb=9)
    frames = receive(depacketizer, camera.packets([first + b"\x00\x00\x01" + second]))
    assert nals_of(frames) == [[first, second]]


def test_a_payload_may_begin_with_a_start_code(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    payloads = [LONG_START_CODE + nal for nal in (SPS, PPS, slice_nal(key=True))]
    assert nals_of(receive(depacketizer, camera.payloads(payloads))) == [[SPS, PPS, slice_nal(key=True)]]


def test_trailing_zeros_are_cut(camera: RtpWriter, started: H264Depacketizer) -> None:
    picture = slice_nal()
    assert nals_of(receive(started, camera.payloads([picture + bytes(9)]))) == [[picture]]


def test_headers_with_extension_and_padding(camera: RtpWriter, started: H264Depacketizer) -> None:
    plain = camera.packet(slice_nal(), marker=True)
    extended = bytes((0xB0,)) + plain[1:12] + bytes.fromhex("bede000110ff0000") + plain[12:] + b"\x00\x00\x03"
    assert nals_of(receive(started, [extended])) == [[slice_nal()]]


def test_empty_packets_are_harmless(camera: RtpWriter, started: H264Depacketizer) -> None:
    packets = [camera.packet(b""), camera.packet(slice_nal(), marker=True), camera.packet(b"", marker=True)]
    assert len(receive(started, packets)) == 1


def test_other_payload_types_do_not_disturb_the_sequence(camera: RtpWriter) -> None:
    depacketizer = H264Depacketizer(payload_type=PAYLOAD_TYPE)
    packets = camera.packets(key_nals())
    # Geovision: type 50, with sequence numbers that its video uses as well.
    strangers = [build_rtp_header(50, sequence, 0, SSRC) + b"x" for sequence in range(len(packets))]
    mixed = [packet for pair in zip(strangers, packets, strict=True) for packet in pair]
    assert len(receive(depacketizer, mixed)) == 1
    assert depacketizer.statistics().packets_ignored == len(packets)


# Parameter sets


def test_a_payload_type_that_was_not_described_is_taken_if_no_other_comes(camera: RtpWriter) -> None:
    depacketizer = H264Depacketizer(payload_type=PAYLOAD_TYPE + 1)
    packets = [packet for _ in range(12) for packet in camera.packets(key_nals(300))]
    assert len(receive(depacketizer, packets)) >= 1
    described = RtpWriter(sequence=camera.sequence, timestamp=camera.timestamp)
    assert receive(depacketizer, [described.packet(slice_nal(), marker=True, payload_type=PAYLOAD_TYPE + 1)]) == []


def test_parameter_sets_of_the_sdp_go_before_key_frames(camera: RtpWriter) -> None:
    # GW leaves start codes behind and in front.
    depacketizer = H264Depacketizer([SPS + LONG_START_CODE, LONG_START_CODE + PPS])
    assert depacketizer.format is not None
    assert depacketizer.format.profile_level_id == "42c01e"
    key = slice_nal(key=True)
    assert nals_of(receive(depacketizer, camera.payloads([key]))) == [[SPS, PPS, key]]


def test_garbage_in_the_sdp_is_ignored(camera: RtpWriter) -> None:
    depacketizer = H264Depacketizer([b"", b"\x00", b"\x67", b"\xff\xff"])
    assert depacketizer.format is None
    assert len(receive(depacketizer, camera.packets(key_nals()))) == 1


def test_a_change_of_parameter_sets_is_a_new_format(camera: RtpWriter, started: H264Depacketizer) -> None:
    before = started.format
    assert before is not None
    assert (before.width, before.fps) == (640, 25)
    receive(started, camera.packets(key_nals()))
    assert started.format is before
    (key,) = receive(started, camera.packets([OTHER_SPS, OTHER_PPS, slice_nal(key=True)]))
    assert key.nals[0] == OTHER_SPS
    assert started.format is not None
    assert started.format.width == 1920


def test_a_key_frame_without_known_sets_is_dropped(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    packets = camera.payloads([slice_nal(key=True)]) + camera.payloads([slice_nal()])
    assert receive(depacketizer, packets) == []
    statistics = depacketizer.statistics()
    assert (statistics.key_frames_without_sets, statistics.frames_skipped) == (1, 1)
    assert len(receive(depacketizer, camera.packets(key_nals()))) == 1


# Loss


def test_frames_before_the_first_key_frame_are_skipped(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    assert receive(depacketizer, camera.packets([slice_nal()]), now=3.0) == []
    assert depacketizer.statistics().frames_skipped == 1
    assert depacketizer.last_access_unit_s == 3.0


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_packet_costs_the_frames_up_to_the_next_key_frame(
    camera: RtpWriter, started: H264Depacketizer, lost: int
) -> None:
    damaged = camera.packets([slice_nal(2000)])
    assert len(damaged) == 5
    del damaged[lost]
    after = [camera.packets([slice_nal(2000)]) for _ in range(3)]
    key = camera.packets(key_nals())
    assert receive(started, damaged + [packet for packets in after for packet in packets]) == []
    assert len(receive(started, key)) == 1
    assert len(receive(started, camera.packets([slice_nal()]))) == 1
    statistics = started.statistics()
    assert statistics.packets_lost == 1
    # When the first packet is lost the rest begins in mid-picture; when the last is, only the next frame shows it.
    assert (statistics.frames_damaged, statistics.frames_skipped) == (1, 3)


def test_a_lost_frame_costs_its_successors(camera: RtpWriter, started: H264Depacketizer) -> None:
    camera.packets([slice_nal(2000)])
    assert receive(started, camera.packets([slice_nal()])) == []
    statistics = started.statistics()
    assert (statistics.packets_lost, statistics.frames_damaged, statistics.frames_skipped) == (5, 0, 1)


def test_a_key_frame_right_behind_a_loss_is_good(camera: RtpWriter, started: H264Depacketizer) -> None:
    camera.packets([slice_nal(2000)])
    assert len(receive(started, camera.packets(key_nals()))) == 1


def test_a_key_frame_whose_first_slice_was_lost_is_not(camera: RtpWriter, started: H264Depacketizer) -> None:
    packets = camera.payloads([slice_nal(key=True), slice_nal(key=True, first_mb=100)])
    assert receive(started, packets[1:]) == []
    assert started.statistics().frames_damaged == 1


def test_parameter_sets_survive_the_loss_of_their_frame(camera: RtpWriter, depacketizer: H264Depacketizer) -> None:
    packets = camera.payloads([SPS, PPS, slice_nal(key=True), slice_nal(key=True, first_mb=9)])
    del packets[2]
    assert receive(depacketizer, packets) == []
    (frame,) = receive(depacketizer, camera.payloads([slice_nal(key=True)]))
    assert frame.nals[:2] == (SPS, PPS)


def test_half_a_parameter_set_is_not_kept(camera: RtpWriter) -> None:
    depacketizer = H264Depacketizer([SPS, PPS])
    packets = camera.payloads([b"\x7c\x87" + OTHER_SPS[1:9], b"\x7c\x07" + OTHER_SPS[9:20], b"\x7c\x47xyz"])
    del packets[1]
    receive(depacketizer, packets)
    (frame,) = receive(depacketizer, camera.payloads([slice_nal(key=True)]))
    assert frame.nals[0] == SPS


@pytest.mark.parametrize(
    "defect",
    [
        fu(0x01, b"no start"),
        b"\x7c",
        b"\x78\x00\x50short",
        b"\x79\x00\x00\x00",
        b"\x41",
    ],
    ids=["fragment", "no fu header", "aggregate", "STAP-B", "empty slice"],
)
def test_a_payload_that_makes_no_sense_damages_its_frame(
    camera: RtpWriter, started: H264Depacketizer, defect: bytes
) -> None:
    assert receive(started, camera.payloads([slice_nal(), defect])) == []
    assert started.statistics().frames_damaged == 1
    assert receive(started, camera.packets([slice_nal()])) == []
    assert len(receive(started, camera.packets(key_nals()))) == 1


def test_nal_types_that_nobody_knows_are_left_out(camera: RtpWriter, started: H264Depacketizer) -> None:
    payloads = [b"\x00", b"\x00hello", slice_nal()]
    assert nals_of(receive(started, camera.payloads(payloads))) == [[slice_nal()]]


def test_a_parameter_set_that_cannot_be_read_is_passed_on(camera: RtpWriter, started: H264Depacketizer) -> None:
    (frame,) = receive(started, camera.payloads([b"\x68", slice_nal()]))
    assert frame.nals[0] == b"\x68"
    assert started.statistics().packets_malformed == 1


@pytest.mark.parametrize("packet", [b"", bytes(11), bytes(12), b"\x90" + bytes(11)])
def test_what_is_no_rtp_is_counted(started: H264Depacketizer, packet: bytes) -> None:
    assert receive(started, [packet]) == []
    assert started.statistics().packets_malformed == 1


# Sequence numbers


def test_duplicates_are_dropped(camera: RtpWriter, started: H264Depacketizer) -> None:
    packets = camera.packets([slice_nal(2000)])
    doubled = [packet for packet in packets for _ in range(2)]
    assert nals_of(receive(started, doubled)) == [[slice_nal(2000)]]
    assert started.statistics().packets_late == 5


def test_few_late_packets_never_add_up_to_a_restart(camera: RtpWriter, started: H264Depacketizer) -> None:
    for _ in range(70):
        packets = camera.packets([slice_nal()])
        assert len(receive(started, packets + packets)) == 1


def test_many_late_packets_in_turn_are_a_new_sequence(started: H264Depacketizer) -> None:
    restarted = RtpWriter(sequence=0x9000, timestamp=77)
    frames = []
    for _ in range(video.MAX_LATE_PACKETS):
        frames += receive(started, restarted.payloads([slice_nal()]))
    assert frames == []
    assert len(receive(started, restarted.packets(key_nals()))) == 1
    assert started.statistics().packets_lost == 0


def test_a_leap_of_the_sequence_is_no_loss(camera: RtpWriter, started: H264Depacketizer) -> None:
    camera.sequence += 10_000
    assert len(receive(started, camera.packets(key_nals()))) == 1
    assert started.statistics().packets_lost == 0


def test_a_new_ssrc_begins_anew(camera: RtpWriter, started: H264Depacketizer) -> None:
    half = camera.packets([slice_nal(2000)])[:2]
    other = RtpWriter(sequence=camera.sequence - 3, ssrc=9)
    assert receive(started, half + other.packets([slice_nal()])) == []
    assert len(receive(started, other.packets(key_nals()))) == 1
    assert started.statistics().packets_lost == 0


def test_a_stream_of_another_ssrc_that_is_mixed_in_costs_nothing_but_the_change(
    camera: RtpWriter, started: H264Depacketizer
) -> None:
    """live555 of 2014 sends a session that has ended into the next one (retina#17)."""
    other = RtpWriter(sequence=7, ssrc=9)
    mixed = [other.packets(key_nals()), camera.packets(key_nals())]
    for _ in range(20):
        mixed += [other.packets([slice_nal()]), camera.packets([slice_nal()])]
    assert len(receive(started, [packet for packets in mixed for packet in packets])) == 21
    assert started.statistics().ssrc == 9
    assert started.statistics().frames_damaged == 0


# Bounds and oddities


def test_a_frame_without_end_is_bounded(camera: RtpWriter, started: H264Depacketizer) -> None:
    endless = [camera.packet(fu(0x81, b"\x9a"))]
    endless += [camera.packet(fu(0x01, bytes([1]) * 60_000)) for _ in range(160)]
    receive(started, endless)
    assert sum(map(len, started._fragments)) < 60_000
    assert receive(started, [camera.packet(fu(0x41, b"end"), marker=True)]) == []
    assert started.statistics().frames_damaged == 1
    camera.timestamp += FRAME_TICKS
    assert len(receive(started, camera.packets(key_nals()))) == 1


def test_a_flood_of_tiny_nals_is_bounded(camera: RtpWriter, started: H264Depacketizer) -> None:
    aggregate = b"\x78" + b"\x00\x01\x09" * 5000
    receive(started, [camera.packet(aggregate) for _ in range(5)])
    assert len(started._nals) <= video.MAX_ACCESS_UNIT_NALS


def test_frames_out_of_order_are_counted(camera: RtpWriter, started: H264Depacketizer) -> None:
    for step in (3, -2, 1):
        camera.timestamp += (step - 1) * FRAME_TICKS
        assert len(receive(started, camera.packets([slice_nal()]))) == 1
    assert started.statistics().frames_out_of_order == 1
