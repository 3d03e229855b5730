"""What a viewer counts."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from camgate.bench.marks import Mark, build_mark
from camgate.bench.reception import Reception, Window, left_out
from tests.fakes.h264 import PPS, SPS, RtpWriter, slice_nal

SENT_S = 1_700_000_000.0
DELAY_S = 0.020


class Camera:
    """Numbers frames and marks them; each has five packets."""

    def __init__(self, sequence: int = 0) -> None:
        self.writer = RtpWriter(sequence=sequence)
        self.frame = 0

    def packets(self, *, key: bool = False) -> list[bytes]:
        mark = build_mark(Mark(round(SENT_S * 1e6), self.frame))
        self.frame += 1
        sets = [SPS, PPS] if key else []
        return self.writer.packets([*sets, slice_nal(1800 if key else 2200, key=key) + mark])


def feed(reception: Reception, packets: Iterable[bytes]) -> None:
    for packet in packets:
        reception.receive_packet(packet, SENT_S + DELAY_S)


def test_a_full_viewer_sees_everything() -> None:
    camera, reception = Camera(sequence=65_530), Reception(full=True)
    feed(reception, camera.packets(key=True))
    assert reception.key_frame_s == SENT_S + DELAY_S
    assert reception.key_frame is not None
    reception.begin_window()
    sent = [packet for _ in range(10) for packet in camera.packets()]
    feed(reception, sent)
    window = reception.window
    assert window.received == window.last_index - window.first_index == len(sent)
    assert window.octets == sum(map(len, sent))
    assert window.delays_s == pytest.approx([DELAY_S] * 10, abs=1e-5)
    assert sorted(window.frames) == list(range(1, 11))
    assert window.frames_missing == 0


def test_a_lost_packet_shows_in_the_numbers_and_costs_frames() -> None:
    camera, reception = Camera(), Reception(full=True)
    feed(reception, camera.packets(key=True))
    reception.begin_window()
    feed(reception, camera.packets()[1:])
    feed(reception, camera.packets())
    feed(reception, camera.packets(key=True))
    window = reception.window
    assert window.last_index - window.first_index == window.received + 1
    assert window.frames_missing == 2


def test_a_frame_that_the_server_left_out_shows_in_the_marks_only() -> None:
    camera, reception = Camera(), Reception(full=True)
    feed(reception, camera.packets(key=True))
    reception.begin_window()
    sequence = camera.writer.sequence
    camera.packets()
    camera.writer.sequence = sequence
    feed(reception, camera.packets(key=True))
    window = reception.window
    assert window.received == window.last_index - window.first_index
    assert window.frames_missing == 1


def test_repeats_and_stragglers_do_not_count() -> None:
    camera, reception = Camera(), Reception(full=True)
    packets = camera.packets(key=True)
    feed(reception, [*packets, packets[0], packets[-1]])
    assert reception.window.received == len(packets)


def test_a_key_frame_counts_when_it_is_whole() -> None:
    camera, reception = Camera(), Reception(full=False)
    first, second = camera.packets(key=True), camera.packets(key=True)
    feed(reception, [*first[:2], *first[3:]])
    assert reception.first_packet_s is not None
    assert reception.key_frame_s is None
    feed(reception, second)
    assert reception.key_frame_s is not None
    assert reception.key_frame is None, "only full viewers keep it"


def test_a_light_viewer_counts_by_multiples_of_32_and_reads_what_marks_it_gets() -> None:
    camera, reception = Camera(sequence=1), Reception(full=False)
    feed(reception, camera.packets(key=True))
    sent = [packet for _ in range(200) for packet in camera.packets()]
    kept = [packet for packet in sent if packet[3] % 32 == 0]
    feed(reception, kept[:1])
    reception.begin_window()
    feed(reception, kept[1:])
    window = reception.window
    assert window.received * reception.packets_per_received == window.last_index - window.first_index
    marked = [packet for packet in kept[1:] if packet[1] & 0x80]
    assert len(window.delays_s) == len(marked) > 3
    assert window.frames_missing == 0


def test_marks_that_a_light_viewer_gets_beyond_that_are_read_and_not_counted() -> None:
    camera, reception = Camera(sequence=1), Reception(full=False)
    feed(reception, camera.packets(key=True))
    sent = [packet for _ in range(200) for packet in camera.packets()]
    kept = [packet for packet in sent if packet[3] % 32 == 0 or packet[1] & 0x80]
    feed(reception, kept[:20])
    reception.begin_window()
    feed(reception, kept[20:])
    window = reception.window
    assert window.received * 32 == window.last_index - window.first_index
    assert len(window.delays_s) == len([packet for packet in kept[20:] if packet[1] & 0x80])
    ends = [index for _, index in sorted(window.frames.items())]
    assert {after - before for before, after in pairwise(ends)} == {len(camera.packets())}


def test_a_light_viewer_that_misses_one_knows() -> None:
    camera, reception = Camera(sequence=1), Reception(full=False)
    feed(reception, camera.packets(key=True))
    kept = [packet for _ in range(100) for packet in camera.packets() if packet[3] % 32 == 0]
    feed(reception, kept[:1])
    reception.begin_window()
    feed(reception, kept[1:4] + kept[5:])
    window = reception.window
    assert window.received * 32 == window.last_index - window.first_index - 32


def test_what_was_left_out_between_two_marks() -> None:
    reference = Window(frames={frame: 1_000 + 9 * frame for frame in range(100)})
    assert left_out(Window(frames={5: 45, 50: 450, 90: 810}), reference) == 0
    assert left_out(Window(frames={5: 45, 50: 450 - 18}), reference) == 18
    assert left_out(Window(frames={5: 45, 500: 1}), reference) == 0
    assert left_out(Window(), reference) == 0
