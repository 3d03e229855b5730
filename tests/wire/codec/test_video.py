"""What the depacketisers of all codecs do alike; what a payload holds is tested with each codec."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from camgate.wire.codec import video
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.nal import START_CODE
from camgate.wire.codec.video import VideoDepacketizer
from camgate.wire.codec.video_codecs import VIDEO_CODECS, video_depacketizer
from camgate.wire.rtp.packet import build_rtp_header
from tests.fakes import h264, h265
from tests.fakes.h264 import FRAME_TICKS, PAYLOAD_TYPE, SSRC


@dataclass
class Case:
    """One codec, a camera that speaks it, and a depacketiser that has got one key frame."""

    fakes: ModuleType
    start: bytes
    middle: bytes
    end: bytes
    tiny: bytes

    def __post_init__(self) -> None:
        self.camera = self.writer()
        codec = "H264" if self.fakes is h264 else "H265"
        self.depacketizer: VideoDepacketizer = video_depacketizer(codec, [], PAYLOAD_TYPE, {})

    def writer(self, **options: int) -> "h264.RtpWriter | h265.H265Writer":
        return (h264.RtpWriter if self.fakes is h264 else h265.H265Writer)(**options)

    def key(self) -> list[bytes]:
        return self.camera.packets(self.fakes.key_nals())

    def picture(self, size: int = 100, seed: int = 0) -> bytes:
        return self.fakes.slice_nal(size, seed=seed)

    def receive(self, packets: Iterable[bytes], now: float = 1.0) -> list[Frame]:
        return [frame for packet in packets for frame in self.depacketizer.receive_packet_untrusted(packet, now)]


def cases() -> Iterator[Case]:
    yield Case(h264, b"\x7c\x81\x9a", b"\x7c\x01", b"\x7c\x41end", b"\x78" + b"\x00\x01\x09" * 5000)
    yield Case(h265, b"\x62\x01\x81\xd0", b"\x62\x01\x01", b"\x62\x01\x41end", b"\x60\x01" + b"\x00\x02\x46\x01" * 5000)


@pytest.fixture(params=range(len(VIDEO_CODECS)), ids=VIDEO_CODECS)
def case(request: pytest.FixtureRequest) -> Case:
    case = list(cases())[request.param]
    assert len(case.receive(case.key())) == 1
    return case


def test_frames_come_at_the_marker_with_time_and_key_flag(case: Case) -> None:
    case.camera.timestamp = 0xFFFFFFFF - FRAME_TICKS
    (key,) = case.receive(case.key(), now=5.0)
    (delta,) = case.receive(case.camera.packets([case.picture(2000)]), now=6.0)
    assert (key.is_key, key.rtp_time, key.arrival_s) == (True, 0xFFFFFFFF - FRAME_TICKS, 5.0)
    assert (delta.is_key, delta.rtp_time, delta.arrival_s) == (False, 0xFFFFFFFF, 6.0)
    assert case.depacketizer.last_access_unit_s == 6.0


def test_a_marker_within_a_fragmented_nal_ends_nothing(case: Case) -> None:
    packets = [case.camera.packet(case.start), case.camera.packet(case.middle + b"x", marker=True)]
    packets += case.camera.payloads([case.end])
    assert len(case.receive(packets)) == 1


def test_frames_with_the_same_timestamp_are_told_apart_by_the_marker(case: Case) -> None:
    packets = [case.camera.packet(case.picture(seed=i), marker=True) for i in range(3)]
    assert len(case.receive(packets)) == 3


def test_a_flood_of_parameter_sets_does_not_pile_up(case: Case) -> None:
    sets = case.fakes.key_nals()[:-1]
    for _ in range(50):
        assert case.receive(case.camera.payloads(sets)) == []
    (frame,) = case.receive(case.key())
    assert len(frame.nals) == len(sets) + 1
    for number in range(video.MAX_WAITING_SETS + 10):
        assert case.receive(case.camera.payloads([sets[-1] + bytes([1, 1 + number])])) == []
    # And the one that came last.
    assert len(case.depacketizer._nals) == video.MAX_WAITING_SETS + 1
    (frame,) = case.receive(case.key())
    assert frame.nals[-1 - len(sets) :] == tuple(case.fakes.key_nals())


def test_other_payload_types_do_not_disturb_the_sequence(case: Case) -> None:
    packets = case.key()
    # Geovision: type 50, with sequence numbers that its video uses as well.
    strangers = [build_rtp_header(50, case.camera.sequence + i, 0, SSRC) + b"x" for i in range(len(packets))]
    assert len(case.receive([packet for pair in zip(strangers, packets, strict=True) for packet in pair])) == 1
    assert case.depacketizer.statistics().packets_ignored == len(packets)


def test_empty_packets_are_harmless(case: Case) -> None:
    camera = case.camera
    packets = [camera.packet(b""), camera.packet(case.picture(), marker=True), camera.packet(b"", marker=True)]
    assert len(case.receive(packets)) == 1


def test_duplicates_are_dropped(case: Case) -> None:
    packets = case.camera.packets([case.picture(2000)])
    assert len(case.receive([packet for packet in packets for _ in range(2)])) == 1
    assert case.depacketizer.statistics().packets_late == len(packets)


def test_many_late_packets_in_turn_are_a_new_sequence(case: Case) -> None:
    case.camera = case.writer(sequence=0x9000, timestamp=77)
    frames = []
    for _ in range(video.MAX_LATE_PACKETS):
        frames += case.receive(case.camera.payloads([case.picture()]))
    assert frames == []
    assert len(case.receive(case.key())) == 1
    assert case.depacketizer.statistics().packets_lost == 0


def test_a_leap_of_the_sequence_is_no_loss(case: Case) -> None:
    case.camera.sequence += 10_000
    assert len(case.receive(case.key())) == 1
    assert case.depacketizer.statistics().packets_lost == 0


def test_a_new_ssrc_begins_anew(case: Case) -> None:
    half = case.camera.packets([case.picture(2000)])[:2]
    case.camera = case.writer(sequence=case.camera.sequence - 3, ssrc=9)
    assert case.receive(half + case.camera.packets([case.picture()])) == []
    assert len(case.receive(case.key())) == 1
    assert case.depacketizer.statistics().packets_lost == 0


@pytest.mark.parametrize("packet", [b"", bytes(11), bytes(12), b"\x90" + bytes(11)])
def test_what_is_no_rtp_is_counted(case: Case, packet: bytes) -> None:
    assert case.receive([packet]) == []
    assert case.depacketizer.statistics().packets_malformed == 1


def test_a_frame_without_end_is_bounded(case: Case) -> None:
    camera = case.camera
    endless = [camera.packet(case.start)]
    endless += [camera.packet(case.middle + bytes([1]) * 60_000) for _ in range(160)]
    case.receive(endless)
    assert sum(map(len, case.depacketizer._fragments)) < 60_000
    assert case.receive([camera.packet(case.end, marker=True)]) == []
    assert case.depacketizer.statistics().frames_damaged == 1
    camera.timestamp += FRAME_TICKS
    assert len(case.receive(case.key())) == 1


def test_a_flood_of_tiny_nals_is_bounded(case: Case) -> None:
    """However they come: each of a frame's NAL units would be a packet to each viewer."""
    camera, most = case.camera, video.MAX_ACCESS_UNIT_NALS
    # Units that are counted as malformed, if they are looked at.
    byte_stream = START_CODE.join([b"\x20"] * (most + 1))
    for floods, payloads in enumerate(([case.tiny], [byte_stream], [case.fakes.AUD] * (most + 1)), 1):
        case.receive([camera.packet(payload) for payload in payloads])
        assert case.depacketizer._nals == []
        assert case.receive(camera.payloads([case.picture()])) == []
        counts = case.depacketizer.statistics()
        assert (counts.frames_damaged, counts.packets_malformed) == (floods, 0)
    (frame,) = case.receive(camera.payloads([case.fakes.AUD] * (most - 10) + case.fakes.key_nals(100)))
    assert len(frame.nals) >= most - 10


def test_frames_out_of_order_are_counted_and_are_b_frames(case: Case) -> None:
    video_format = case.depacketizer.format
    assert video_format is not None
    assert not video_format.may_reorder
    for step in (3, -2, 1) * 3:
        case.camera.timestamp += (step - 1) * FRAME_TICKS
        assert len(case.receive(case.camera.packets([case.picture()]))) == 1
    assert case.depacketizer.statistics().frames_out_of_order == 3
    judged = case.depacketizer.format
    assert judged is not None
    assert judged.may_reorder
    assert case.depacketizer.format is judged


def test_what_is_kept_of_packets_can_be_copied(case: Case) -> None:
    packets = case.camera.packets([case.picture(2000)])
    for packet in packets[:-1]:
        case.receive([memoryview(packet)])  # type: ignore[list-item]
        case.depacketizer.own_fragments()
        assert not any(isinstance(piece, memoryview) for piece in case.depacketizer._fragments)
        case.depacketizer.own_fragments()
    (frame,) = case.receive(packets[-1:])
    assert frame.nals == (case.picture(2000),)
