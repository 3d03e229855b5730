"""The reorder buffer: order out of any order, bounded in packets and in time, and what it takes for a new sequence."""

import struct
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtp.reorder import MAX_LATE_PACKETS, MAX_UNDESCRIBED_PACKETS, WINDOW_PACKETS, WINDOW_S, ReorderBuffer

SSRC = 0xCA3E7A


def rtp(sequence: int, ssrc: int = SSRC) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence & 0xFFFF, 0, ssrc) + b"\x41"


def number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def numbers(packets: list[bytes]) -> list[int]:
    return [number(packet) for packet in packets]


def receive(buffer: ReorderBuffer, *sequences: int, now: float = 0.0) -> list[int]:
    return numbers(buffer.receive_untrusted([rtp(sequence) for sequence in sequences], now))


def test_packets_in_order_pass() -> None:
    buffer = ReorderBuffer()
    assert receive(buffer, 65534, 65535, 0, 1) == [65534, 65535, 0, 1]
    assert not buffer.is_holding
    assert buffer.counts.packets == 4
    assert buffer.counts.reordered == buffer.counts.lost == 0


def test_an_overtaken_packet_comes_to_its_place() -> None:
    buffer = ReorderBuffer()
    assert receive(buffer, 65534, 0) == [65534]
    assert buffer.is_holding
    assert receive(buffer, 65535, 1) == [65535, 0, 1]
    assert not buffer.is_holding
    assert buffer.counts.reordered == 1


def test_a_gap_is_given_up_when_its_time_is_over() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1, 3, 4, now=10.0)
    receive(buffer, 6, now=10.1)
    assert buffer.next_deadline() == 10.0 + WINDOW_S
    assert buffer.handle_deadline(10.0 + WINDOW_S - 0.001) == []
    assert numbers(buffer.handle_deadline(10.0 + WINDOW_S)) == [3, 4]
    assert buffer.next_deadline() == pytest.approx(10.1 + WINDOW_S)
    assert receive(buffer, 2, 5, now=10.25) == [5, 6]
    assert (buffer.counts.lost, buffer.counts.late) == (1, 1)


def test_a_gap_is_given_up_by_the_clock_of_a_packet_too() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1, 3, now=10.0)
    assert receive(buffer, 4, now=10.0 + WINDOW_S) == [3, 4]


def test_a_gap_is_given_up_when_too_many_wait() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1)
    assert receive(buffer, *range(3, 3 + WINDOW_PACKETS)) == []
    assert receive(buffer, 3 + WINDOW_PACKETS) == list(range(3, 4 + WINDOW_PACKETS))
    assert buffer.counts.lost == 1


def test_duplicates_are_dropped() -> None:
    buffer = ReorderBuffer()
    assert receive(buffer, 1, 1, 3, 3, 2, 2, 3) == [1, 2, 3]
    assert buffer.counts.late == 4


def test_a_long_run_of_late_packets_is_a_new_sequence() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1000)
    assert receive(buffer, *range(100, 100 + MAX_LATE_PACKETS)) == []
    assert receive(buffer, 100 + MAX_LATE_PACKETS) == list(range(100, 101 + MAX_LATE_PACKETS))
    assert receive(buffer, 101 + MAX_LATE_PACKETS) == [101 + MAX_LATE_PACKETS]
    assert buffer.counts.restarts == 1


def test_duplicates_of_everything_are_no_new_sequence() -> None:
    buffer = ReorderBuffer()
    for sequence in range(300):
        assert receive(buffer, sequence) == [sequence]
        assert receive(buffer, sequence) == []
    assert buffer.counts.restarts == 0


def test_a_jump_ahead_is_believed_with_its_second_packet() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1, 3)
    assert receive(buffer, 20_000) == []
    assert receive(buffer, 20_001) == [3, 20_000, 20_001]
    assert buffer.counts.restarts == 1
    assert buffer.counts.lost == 1


def test_another_source_is_believed_with_its_second_packet() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 1, 2)
    assert buffer.receive_untrusted([rtp(500, 7)], 0.0) == []
    assert numbers(buffer.receive_untrusted([rtp(501, 7), rtp(502, 7)], 0.0)) == [500, 501, 502]
    assert (buffer.counts.restarts, buffer.counts.strays) == (1, 0)


def test_another_source_beside_one_that_goes_on_is_not_believed() -> None:
    buffer = ReorderBuffer()
    receive(buffer, 0)
    for sequence in range(1, 100):
        assert numbers(buffer.receive_untrusted([rtp(sequence, 7), rtp(sequence)], 0.0)) == [sequence]
    assert (buffer.counts.restarts, buffer.counts.strays) == (0, 98)


def test_forged_sources_change_nothing() -> None:
    buffer, random = ReorderBuffer(), Random(1)
    receive(buffer, 0)
    for sequence in range(1, 201):
        forged = [rtp(random.randrange(0, 65_536, 2), random.randrange(1, 1000)) for _ in range(5)]
        assert numbers(buffer.receive_untrusted([*forged, rtp(sequence)], 0.0)) == [sequence]
    assert buffer.counts.restarts == 0
    assert buffer.counts.strays == 999


def of_type(payload_type: int, sequence: int) -> bytes:
    return bytes((0x80, payload_type)) + rtp(sequence)[2:]


def test_other_payload_types_take_no_place() -> None:
    buffer = ReorderBuffer(96)
    other = of_type(50, 5)
    assert buffer.receive_untrusted([rtp(4), other, rtp(5), rtp(6)], 0.0) == [rtp(4), other, rtp(5), rtp(6)]
    assert (buffer.counts.ignored, buffer.counts.late) == (1, 0)


def test_a_payload_type_that_was_not_described_is_put_in_order_where_no_other_comes() -> None:
    buffer = ReorderBuffer(96)
    early = [of_type(97, sequence) for sequence in range(MAX_UNDESCRIBED_PACKETS)]
    assert buffer.receive_untrusted(early, 0.0) == early
    later = [of_type(97, sequence) for sequence in (16, 18, 17)]
    assert numbers(buffer.receive_untrusted(later, 0.0)) == [16, 17, 18]


def test_what_is_no_rtp_is_dropped() -> None:
    buffer = ReorderBuffer()
    assert buffer.receive_untrusted([b"", b"\x80" * 11, b"\x40" * 12], 0.0) == []
    assert buffer.counts.malformed == 3


@given(st.integers(0, 65_535), st.lists(st.integers(0, 30), min_size=1, max_size=300), st.integers(1, 9))
def test_what_is_overtaken_within_the_window_comes_out_whole_and_in_order(
    first: int, delays: list[int], batch: int
) -> None:
    """A packet that is held back by so many others arrives that much later."""
    sent = [first + i & 0xFFFF for i in range(len(delays))]
    # The first one decides where the sequence begins.
    order = [0, *sorted(range(1, len(sent)), key=lambda i: (i + delays[i], i))]
    buffer, out = ReorderBuffer(), []
    for start in range(0, len(order), batch):
        out += receive(buffer, *(sent[i] for i in order[start : start + batch]), now=start * 0.001)
    assert out == sent
    assert buffer.counts.lost == buffer.counts.late == 0


@given(st.lists(st.tuples(st.integers(-70, 90), st.floats(0, 0.1)), max_size=300), st.integers(0, 65_535))
def test_nothing_comes_twice_or_out_of_order_or_waits_too_long(steps: list[tuple[int, float]], first: int) -> None:
    """Whatever comes in whatever order: numbers only rise, and the bounds hold."""
    buffer, now, came, out = ReorderBuffer(), 0.0, {}, []
    sequence = first
    for step, wait_s in steps:
        deadline = buffer.next_deadline()
        now += wait_s
        if deadline is not None and deadline <= now:
            for packet in numbers(buffer.handle_deadline(deadline)):
                assert deadline - came[packet] <= WINDOW_S + 1e-9
                out.append(packet)
        sequence += step
        came.setdefault(sequence & 0xFFFF, now)
        out += receive(buffer, sequence, now=now)
        assert len(buffer._held) <= WINDOW_PACKETS
    if not buffer.counts.restarts:
        assert all(0 < later - earlier & 0xFFFF < 32_768 for earlier, later in pairwise(out))
        assert len(out) == len(set(out))
