from collections.abc import Iterable
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h265 import H265Depacketizer
from camgate.wire.codec.h265_payload import packetize_h265
from camgate.wire.codec.nal import split_annex_b
from tests.fakes.h264 import FRAME_TICKS
from tests.fakes.h265 import (
    AUD,
    B_FRAMES_SPS,
    BLA_W_LP,
    CRA,
    IDR_W_RADL,
    OTHER_PPS,
    OTHER_SPS,
    OTHER_VPS,
    PPS,
    RASL_N,
    RASL_R,
    SEI,
    SETS,
    SPS,
    TRAIL_N,
    VPS,
    H265Writer,
    aggregate,
    fragments,
    key_nals,
    slice_nal,
)

LONG_START_CODE = b"\x00\x00\x00\x01"


def receive(depacketizer: H265Depacketizer, packets: Iterable[bytes], now: float = 1.0) -> list[Frame]:
    return [frame for packet in packets for frame in depacketizer.receive_packet_untrusted(packet, now)]


def nals_of(frames: Iterable[Frame]) -> list[list[bytes]]:
    return [list(frame.nals) for frame in frames]


@pytest.fixture
def camera() -> H265Writer:
    return H265Writer()


@pytest.fixture
def depacketizer() -> H265Depacketizer:
    return H265Depacketizer(payload_type=96)


@pytest.fixture
def started(camera: H265Writer, depacketizer: H265Depacketizer) -> H265Depacketizer:
    """A depacketiser that has got one key frame from `camera`."""
    assert len(receive(depacketizer, camera.packets(key_nals()))) == 1
    return depacketizer


# What goes right

nal_sizes = st.lists(st.integers(6, 4000), min_size=1, max_size=5)


@given(st.lists(nal_sizes, min_size=1, max_size=6), st.integers(16, 1500), st.integers(0, 0xFFFF), st.data())
def test_round_trip(pictures: list[list[int]], max_payload_bytes: int, sequence: int, data: st.DataObject) -> None:
    """Whatever a camera's packetiser makes of a stream: aggregates of anything, fragments, DONL, markers or none."""
    has_don, marker = data.draw(st.booleans()), data.draw(st.booleans())
    camera = H265Writer(
        sequence=sequence, timestamp=sequence << 16, max_payload_bytes=max_payload_bytes, with_don=has_don
    )
    depacketizer = H265Depacketizer(has_don=has_don, payload_type=data.draw(st.sampled_from([None, 96])))
    sent, expected = [], []
    drops_rasl = True
    for number, sizes in enumerate(pictures):
        is_key = number % 3 == 0
        nal_type = data.draw(st.sampled_from([BLA_W_LP, IDR_W_RADL, 20, CRA] if is_key else [0, 1, 2, 3, RASL_R]))
        slices = [slice_nal(size, nal_type, first=not place, seed=size) for place, size in enumerate(sizes)]
        sent.append([AUD, *SETS, SEI, *slices] if is_key else [AUD, *slices])
        if is_key:
            drops_rasl = number == 0 or nal_type == BLA_W_LP
        if nal_type != RASL_R or not drops_rasl:
            expected.append((sent[-1], is_key))
    frames = [frame for nals in [*sent, [AUD]] for frame in receive(depacketizer, camera.packets(nals, marker=marker))]
    assert [(list(frame.nals), frame.is_key) for frame in frames] == expected
    statistics = depacketizer.statistics()
    assert (statistics.frames_damaged, statistics.packets_malformed) == (0, 0)
    assert statistics.frames_skipped == len(sent) - len(expected)


@given(st.lists(nal_sizes, min_size=1, max_size=6), st.integers(16, 1500))
def test_what_camgate_packetises_comes_back(pictures: list[list[int]], max_payload_bytes: int) -> None:
    camera, depacketizer = H265Writer(), H265Depacketizer()
    sent = [[*SETS, *(slice_nal(size, IDR_W_RADL, first=not i) for i, size in enumerate(sizes))] for sizes in pictures]
    packets = [packet for nals in sent for packet in camera.payloads(packetize_h265(nals, max_payload_bytes))]
    assert nals_of(receive(depacketizer, packets)) == sent


def test_a_real_stream_decodes_to_the_same_pictures() -> None:
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    parameters = "keyint=10:bframes=0:repeat-headers=1:log-level=none:pools=none"
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast", "x265-params": parameters}
    camera, depacketizer = H265Writer(max_payload_bytes=300), H265Depacketizer(payload_type=96)
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
    video = depacketizer.format
    assert video is not None
    assert (video.codec, video.width, video.height, video.profile) == ("H265", 320, 192, "Main")


def decode(access_units: list[bytes]) -> list[bytes]:
    decoder = av.CodecContext.create("hevc", "r")
    pictures = [picture for unit in access_units for picture in decoder.decode(av.Packet(unit))]
    pictures += decoder.decode(None)
    return [bytes(plane) for picture in pictures for plane in picture.planes]


# Where an access unit ends


def test_a_marker_on_parameter_sets_or_sei_ends_nothing(camera: H265Writer, depacketizer: H265Depacketizer) -> None:
    nals = [VPS, SPS, PPS, SEI, slice_nal(nal_type=IDR_W_RADL)]
    packets = [camera.packet(nal, marker=True) for nal in nals]
    assert nals_of(receive(depacketizer, packets)) == [nals]


def test_without_markers_the_next_timestamp_ends_the_frame(camera: H265Writer, depacketizer: H265Depacketizer) -> None:
    assert receive(depacketizer, camera.packets(key_nals(), marker=False)) == []
    assert nals_of(receive(depacketizer, camera.packets([slice_nal()], marker=False))) == [key_nals()]


def test_parameter_sets_with_a_time_of_their_own_join_the_next_frame(
    camera: H265Writer, depacketizer: H265Depacketizer
) -> None:
    key = slice_nal(nal_type=IDR_W_RADL)
    packets = camera.payloads([AUD, VPS, SPS]) + camera.payloads([PPS]) + camera.payloads([key])
    (frame,) = receive(depacketizer, packets)
    assert list(frame.nals) == [*SETS, key]
    assert frame.rtp_time == 2 * FRAME_TICKS


# How cameras pack


def test_trail_n_is_a_nal_type_although_it_is_zero(camera: H265Writer, started: H265Depacketizer) -> None:
    # retina#123; and fragmented, too.
    for size in (50, 3000):
        picture = slice_nal(size, TRAIL_N)
        assert picture[0] == 0
        assert nals_of(receive(started, camera.packets([picture]))) == [[picture]]


def test_a_fragment_that_is_start_and_end_is_a_whole_nal(camera: H265Writer, started: H265Depacketizer) -> None:
    # OpenIPC.
    picture = slice_nal()
    frames = receive(started, camera.payloads([b"\x62\x01\xc1" + picture[2:]]))
    assert nals_of(frames) == [[picture]]


def test_of_differing_fragment_types_the_first_counts(camera: H265Writer, started: H265Depacketizer) -> None:
    (frame,) = receive(started, camera.payloads([b"\x62\x01\x81\xd01", b"\x62\x01\x132", b"\x62\x01\x433"]))
    assert frame.nals == (b"\x02\x01\xd0123",)


def test_empty_fragments_do_no_harm(camera: H265Writer, started: H265Depacketizer) -> None:
    payloads = [b"\x62\x01\x81\xd01", b"\x62\x01\x01", b"\x62\x01\x012", b"\x62\x01\x41"]
    (frame,) = receive(started, camera.payloads(payloads))
    assert frame.nals == (b"\x02\x01\xd012",)


def test_a_missing_end_bit_ends_with_the_next_nal(camera: H265Writer, started: H265Depacketizer) -> None:
    begun, other = b"\x62\x01\x81\xd01", slice_nal(first=False)
    (frame,) = receive(started, camera.payloads([begun, b"\x62\x01\x012", begun, other]))
    assert frame.nals == (b"\x02\x01\xd012", b"\x02\x01\xd01", other)


def test_a_missing_end_bit_ends_with_the_next_frame(camera: H265Writer, started: H265Depacketizer) -> None:
    packets = camera.payloads([b"\x62\x01\x81\xd01", b"\x62\x01\x012"])
    frames = receive(started, packets + camera.packets([slice_nal()]))
    assert frames[0].nals == (b"\x02\x01\xd012",)
    assert len(frames) == 2


def test_a_padded_aggregate(camera: H265Writer, depacketizer: H265Depacketizer) -> None:
    key = slice_nal(nal_type=IDR_W_RADL)
    payload = aggregate([VPS, SPS, b"", PPS, key, b"", b""]) + b"\x00"
    assert nals_of(receive(depacketizer, camera.payloads([payload]))) == [[*SETS, key]]


def test_a_byte_stream_in_one_payload_is_split(camera: H265Writer, depacketizer: H265Depacketizer) -> None:
    key = slice_nal(900, IDR_W_RADL)
    stream = LONG_START_CODE.join([VPS, SPS, PPS, key]) + b"\x00\x00"
    assert nals_of(receive(depacketizer, camera.packets([stream]))) == [[*SETS, key]]
    # Such a camera does it with plain slices as well.
    first, second = slice_nal(700), slice_nal(700, first=False)
    frames = receive(depacketizer, camera.packets([first + b"\x00\x00\x01" + second]))
    assert nals_of(frames) == [[first, second]]


def test_a_payload_may_begin_with_a_start_code(camera: H265Writer, depacketizer: H265Depacketizer) -> None:
    # Its first byte looks like TRAIL_N.
    payloads = [LONG_START_CODE + nal for nal in key_nals(100)]
    assert nals_of(receive(depacketizer, camera.payloads(payloads))) == [key_nals(100)]


def test_headers_with_extension_and_padding(camera: H265Writer, started: H265Depacketizer) -> None:
    plain = camera.packet(slice_nal(), marker=True)
    extended = bytes((0xB0,)) + plain[1:12] + bytes.fromhex("bede000110ff0000") + plain[12:] + b"\x00\x00\x03"
    assert nals_of(receive(started, [extended])) == [[slice_nal()]]


def test_other_layers_are_left_out(camera: H265Writer, started: H265Depacketizer) -> None:
    foreign_set, foreign_slice = b"\x44\x09" + OTHER_PPS[2:], b"\x02\x09" + slice_nal()[2:]
    payloads = [foreign_set, slice_nal(), foreign_slice]
    assert nals_of(receive(started, camera.payloads(payloads))) == [[slice_nal()]]
    (key,) = receive(started, camera.payloads([slice_nal(nal_type=IDR_W_RADL)]))
    assert key.nals[2] == PPS


@pytest.mark.parametrize("max_payload_bytes", [30, 1000])
def test_decoding_order_numbers_are_read_and_dropped(max_payload_bytes: int) -> None:
    camera = H265Writer(with_don=True, max_payload_bytes=max_payload_bytes)
    depacketizer = H265Depacketizer(has_don=True, payload_type=96)
    pictures = [key_nals(2000), [slice_nal(10), slice_nal(500, first=False)], [slice_nal(20)]]
    frames = [frame for nals in pictures for frame in receive(depacketizer, camera.packets(nals))]
    assert nals_of(frames) == pictures


# Key frames


def test_parameter_sets_of_the_sdp_go_before_key_frames(camera: H265Writer) -> None:
    # GW leaves start codes behind and in front.
    depacketizer = H265Depacketizer([VPS + LONG_START_CODE, LONG_START_CODE + SPS, PPS])
    assert depacketizer.format is not None
    assert depacketizer.format.label == "H.265 Main"
    key = slice_nal(nal_type=IDR_W_RADL)
    assert nals_of(receive(depacketizer, camera.payloads([key]))) == [[*SETS, key]]


def test_the_sdp_and_the_stream_may_each_bring_some_sets(camera: H265Writer) -> None:
    # go2rtc#1588.
    depacketizer = H265Depacketizer([VPS])
    assert depacketizer.format is None
    key = slice_nal(nal_type=IDR_W_RADL)
    assert nals_of(receive(depacketizer, camera.payloads([SPS, PPS, key]))) == [[*SETS, key]]


@pytest.mark.parametrize("missing", SETS)
def test_a_key_frame_waits_for_all_three_sets(
    camera: H265Writer, depacketizer: H265Depacketizer, missing: bytes
) -> None:
    key = slice_nal(nal_type=IDR_W_RADL)
    assert receive(depacketizer, camera.payloads([nal for nal in [*SETS, key] if nal is not missing])) == []
    assert receive(depacketizer, camera.payloads([slice_nal()])) == []
    statistics = depacketizer.statistics()
    assert (statistics.key_frames_without_sets, statistics.frames_skipped) == (1, 1)
    assert nals_of(receive(depacketizer, camera.payloads([missing, key]))) == [[*SETS, key]]


@pytest.mark.parametrize("nal_type", range(16, 22))
def test_decoding_may_begin_at_any_random_access_picture(
    camera: H265Writer, depacketizer: H265Depacketizer, nal_type: int
) -> None:
    (frame,) = receive(depacketizer, camera.packets(key_nals(100, nal_type)))
    assert frame.is_key


def test_a_change_of_parameter_sets_is_a_new_format(camera: H265Writer, started: H265Depacketizer) -> None:
    before = started.format
    receive(started, camera.packets(key_nals()))
    assert started.format is before
    (key,) = receive(started, camera.packets([OTHER_VPS, OTHER_SPS, OTHER_PPS, slice_nal(nal_type=IDR_W_RADL)]))
    assert key.nals[:3] == (OTHER_VPS, OTHER_SPS, OTHER_PPS)
    assert started.format is not None
    assert (started.format.width, started.format.level_id) == (1920, 120)


def test_b_frames_that_are_promised_are_believed_until_pictures_show_otherwise(camera: H265Writer) -> None:
    depacketizer = H265Depacketizer()
    receive(depacketizer, camera.packets([VPS, B_FRAMES_SPS, PPS, slice_nal(nal_type=IDR_W_RADL)]))
    assert depacketizer.format is not None
    assert depacketizer.format.may_reorder
    for _ in range(32):
        receive(depacketizer, camera.packets([slice_nal()]))
    assert not depacketizer.format.may_reorder


def test_leading_pictures_that_need_what_was_before_are_left_out(
    camera: H265Writer, depacketizer: H265Depacketizer
) -> None:
    first = [key_nals(50, CRA), [slice_nal(nal_type=RASL_R)], [slice_nal(nal_type=RASL_N)], [slice_nal()]]
    frames = [frame for nals in first for frame in receive(depacketizer, camera.packets(nals), now=7.0)]
    assert nals_of(frames) == [first[0], first[3]]
    assert depacketizer.statistics().frames_skipped == 2
    # Behind a CRA in mid-stream they can be decoded, behind a BLA or a loss they cannot.
    assert len(receive(depacketizer, camera.packets(key_nals(50, CRA)))) == 1
    assert len(receive(depacketizer, camera.packets([slice_nal(nal_type=RASL_R)]))) == 1
    assert len(receive(depacketizer, camera.packets(key_nals(50, BLA_W_LP)))) == 1
    assert receive(depacketizer, camera.packets([slice_nal(nal_type=RASL_R)]), now=9.0) == []
    assert depacketizer.last_access_unit_s == 9.0
    camera.packets([slice_nal()])
    assert len(receive(depacketizer, camera.packets(key_nals(50, CRA)))) == 1
    assert receive(depacketizer, camera.packets([slice_nal(nal_type=RASL_R)])) == []


# What goes wrong


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_packet_costs_the_frames_up_to_the_next_key_frame(
    camera: H265Writer, started: H265Depacketizer, lost: int
) -> None:
    damaged = camera.packets([slice_nal(2400)])
    assert len(damaged) == 5
    del damaged[lost]
    after = [packet for _ in range(3) for packet in camera.packets([slice_nal(2000)])]
    key = camera.packets(key_nals())
    assert receive(started, damaged + after) == []
    assert len(receive(started, key)) == 1
    assert len(receive(started, camera.packets([slice_nal()]))) == 1
    statistics = started.statistics()
    assert (statistics.packets_lost, statistics.frames_damaged, statistics.frames_skipped) == (1, 1, 3)


def test_a_key_frame_whose_first_slice_was_lost_is_not(camera: H265Writer, started: H265Depacketizer) -> None:
    packets = camera.payloads([slice_nal(nal_type=IDR_W_RADL), slice_nal(nal_type=IDR_W_RADL, first=False)])
    assert receive(started, packets[1:]) == []
    assert started.statistics().frames_damaged == 1


@pytest.mark.parametrize(
    "defect",
    [
        fragments(slice_nal(), 20)[1],
        b"\x62\x01",
        b"\x60\x01\x00\x50short",
        b"\x64\x01\x00\x00",
        b"\x66\x01",
        b"\x02\x01",
    ],
    ids=["fragment", "no fu header", "aggregate", "PACI", "type 51", "empty slice"],
)
def test_a_payload_that_makes_no_sense_damages_its_frame(
    camera: H265Writer, started: H265Depacketizer, defect: bytes
) -> None:
    assert receive(started, camera.payloads([slice_nal(), defect])) == []
    assert started.statistics().frames_damaged == 1
    assert receive(started, camera.packets([slice_nal()])) == []
    assert len(receive(started, camera.packets(key_nals()))) == 1


def test_what_is_no_nal_unit_is_left_out(camera: H265Writer, started: H265Depacketizer) -> None:
    payloads = [b"\x00", b"\x02", b"\x02\x00hello", aggregate([b"\x60\x01x", slice_nal()])]
    assert nals_of(receive(started, camera.payloads(payloads))) == [[slice_nal()]]
    assert started.statistics().packets_malformed == 3


def test_a_parameter_set_that_cannot_be_read_is_passed_on(camera: H265Writer, started: H265Depacketizer) -> None:
    (frame,) = receive(started, camera.payloads([b"\x44\x01", slice_nal()]))
    assert frame.nals[0] == b"\x44\x01"
    assert started.statistics().packets_malformed == 1


def test_views_are_kept_until_they_are_owned(camera: H265Writer, started: H265Depacketizer) -> None:
    packets = camera.packets([slice_nal(2400)])
    data = bytearray(b"".join(packets))
    frames: list[Frame] = []
    at = 0
    for packet in packets:
        frames += started.receive_packet_untrusted(memoryview(data)[at : at + len(packet)], 1.0)
        started.own_fragments()
        data[at : at + len(packet)] = bytes(len(packet))
        at += len(packet)
    assert nals_of(frames) == [[slice_nal(2400)]]
