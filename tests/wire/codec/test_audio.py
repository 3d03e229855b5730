"""Sound from RTP: which packets count, and what becomes of the others."""

import struct

import pytest

from camgate.wire.codec.audio import MAX_FRAME_BYTES, MAX_LATE_PACKETS, AudioDepacketizer, Pieces
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.format import AudioFormat

PCMA = AudioFormat(codec="PCMA", clock_hz=8000)
SSRC = 0x50BD


def rtp(sequence: int, payload: bytes = b"hum", *, ssrc: int = SSRC, payload_type: int = 8, marker: int = 0) -> bytes:
    header = struct.pack("!BBHII", 0x80, marker | payload_type, sequence & 0xFFFF, 160 * sequence & 0xFFFFFFFF, ssrc)
    return header + payload


def receive(track: AudioDepacketizer, *packets: bytes) -> list[int]:
    """Return the numbers of the packets whose frames came out."""
    return [frame.rtp_time // 160 for packet in packets for frame in track.receive_packet_untrusted(packet, 1.0)]


def test_a_payload_is_a_frame() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert track.last_access_unit_s is None
    (frame,) = track.receive_packet_untrusted(memoryview(rtp(5)), 2.5)
    assert (frame.nals, frame.rtp_time, frame.arrival_s, frame.is_key) == ((b"hum",), 800, 2.5, True)
    assert track.last_access_unit_s == 2.5
    assert track.format is PCMA


def test_lost_late_and_doubled_packets_are_counted_through_the_wrap() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert receive(track, *map(rtp, (65534, 65535, 65536, 65539, 65538, 65539, 65540))) == [
        65534,
        65535,
        65536,
        65539,
        65540,
    ]
    statistics = track.statistics()
    assert (statistics.packets, statistics.packets_lost, statistics.packets_late) == (5, 2, 2)
    assert (statistics.ssrc, statistics.sequence, statistics.frames) == (SSRC, 4, 5)


def test_packets_of_other_types_are_not_even_counted_in_the_sequence() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert receive(track, rtp(1), rtp(1, payload_type=50), rtp(2)) == [1, 2]
    assert (track.statistics().packets_ignored, track.statistics().packets_lost) == (1, 0)
    assert receive(AudioDepacketizer(PCMA), rtp(1, payload_type=50)) == [1]


def test_a_camera_that_begins_anew_is_followed() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert receive(track, rtp(30_000), rtp(7, ssrc=1), rtp(8, ssrc=1)) == [30_000, 7, 8]
    # The same SSRC, a far step ahead, then one back: that one is believed after a while.
    assert receive(track, rtp(20_000, ssrc=1)) == [20_000]
    assert receive(track, *(rtp(100 + n, ssrc=1) for n in range(MAX_LATE_PACKETS + 2))) == [
        100 + MAX_LATE_PACKETS,
        101 + MAX_LATE_PACKETS,
    ]
    assert track.statistics().packets_lost == 0


def test_late_packets_now_and_then_are_no_new_beginning() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    for number in range(1, 3 * MAX_LATE_PACKETS):
        assert receive(track, rtp(number), rtp(number - 1)) == [number]


@pytest.mark.parametrize("packet", [b"", b"\x80", rtp(2)[:11], b"\x40" + rtp(2)[1:], b"\xa0" + rtp(2)[1:-1] + b"\xff"])
def test_what_is_no_rtp_is_counted_and_dropped(packet: bytes) -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert receive(track, rtp(1), packet, rtp(2)) == [1, 2]
    assert track.statistics().packets_malformed == 1


def test_empty_and_absurd_payloads_are_no_sound() -> None:
    track = AudioDepacketizer(PCMA, payload_type=8)
    assert receive(track, rtp(1, b""), rtp(2, bytes(MAX_FRAME_BYTES + 1)), rtp(3, bytes(MAX_FRAME_BYTES))) == [3]
    assert track.statistics().packets_malformed == 1


def test_a_reader_of_payloads_is_told_of_gaps_and_markers() -> None:
    told: list[tuple[bytes, bool, bool]] = []

    class Reader:
        def read_untrusted(self, payload: bytes, timestamp: int, *, is_marked: bool, follows_gap: bool) -> Pieces:
            told.append((payload, is_marked, follows_gap))
            if payload == b"bad":
                raise AudioMalformed("too bad")
            return [(payload[:1], timestamp), (payload[1:], timestamp + 80)]

    track = AudioDepacketizer(PCMA, Reader(), payload_type=8)
    frames = track.receive_packet_untrusted(rtp(1, b"ab"), 1.0)
    assert [(frame.nals, frame.rtp_time) for frame in frames] == [((b"a",), 160), ((b"b",), 240)]
    receive(track, rtp(2, b"cd", marker=0x80), rtp(4, b"ef"), rtp(5, b"bad"), rtp(6, b"gh"), rtp(7, b"ij"))
    assert told[1:] == [
        (b"cd", True, False),
        (b"ef", False, True),
        (b"bad", False, False),
        (b"gh", False, True),
        (b"ij", False, False),
    ]
    assert "too bad" in str(AudioMalformed("too bad"))
