"""Which streams are dropped in overload: a machine in virtual time that can send so many bytes a second."""

import logging
from collections import deque
from dataclasses import dataclass, field

import pytest

from camgate.load.shedding import LATE_S, Shedding

TICK_S = 0.1
FRAME_S = 0.04
GOP_FRAMES = 50
BOUND_S = 0.25


@dataclass
class FakeSender:
    """A stream whose frames, times its viewers, all have the same size."""

    name: str
    frame_bytes: int
    phase: int = 0
    queue: list[float] = field(default_factory=list)
    sent: float = 0.0
    is_shed: bool = False
    sheds: int = 0
    delivered: int = 0
    worst_delay_s: float = 0.0

    def load_bytes_per_s(self, now: float) -> float:
        return self.frame_bytes / FRAME_S

    def queued_bytes(self) -> int:
        return len(self.queue) * self.frame_bytes

    def queue_age_s(self, now: float) -> float:
        return now - self.queue[0] if self.queue else 0.0

    def shed(self) -> int:
        lost = len(self.queue)
        self.queue.clear()
        self.sent = 0.0
        self.is_shed = True
        self.sheds += 1
        return lost

    def send(self, room: float, now: float) -> float:
        """Send as many bytes as there is room for; returns what is left of it."""
        while self.queue and room:
            part = min(room, self.frame_bytes - self.sent)
            self.sent += part
            room -= part
            if self.sent >= self.frame_bytes:
                self.sent = 0.0
                self.worst_delay_s = max(self.worst_delay_s, now - self.queue.pop(0))
                self.delivered += 1
        return room

    def publish(self, number: int, now: float) -> None:
        if (number + self.phase) % GOP_FRAMES == 0:
            self.is_shed = False
        if not self.is_shed:
            self.queue.append(now)


def machine(senders: list[FakeSender], bytes_per_s: float, seconds: float) -> Shedding:
    """Let time pass in milliseconds: in each, one stream that has something to send gets its turn, as tasks do."""
    shedding, turns = Shedding(), deque(senders)
    for ms in range(int(seconds * 1000)):
        now = ms / 1000
        if ms % round(FRAME_S * 1000) == 0:
            for sender in senders:
                sender.publish(round(now / FRAME_S), now)
        if ms % round(TICK_S * 1000) == 0:
            shedding.relieve(senders, bytes_per_s, now)
        room = bytes_per_s / 1000
        for _ in senders:
            turns.rotate()
            room = turns[0].send(room, now)
            if not room:
                break
    return shedding


def test_the_heaviest_is_shed_and_the_light_ones_lose_nothing() -> None:
    heavy = FakeSender("heavy", 400_000)
    light = [FakeSender(f"light{n}", 20_000, phase=n * 5) for n in range(10)]
    # 600 kB a frame's time are wanted, 500 kB can be sent.
    shedding = machine([*light, heavy], 500_000 / FRAME_S, 60)
    assert shedding.sheds == heavy.sheds > 0
    assert all(each.delivered == 60 / FRAME_S for each in light)
    assert max(each.worst_delay_s for each in [heavy, *light]) < BOUND_S
    assert heavy.delivered > 0.1 * 60 / FRAME_S, "it comes back with each key frame"


def test_of_equal_streams_only_some_are_shed_at_a_time() -> None:
    senders = [FakeSender(f"cam{n}", 20_000, phase=n * 7) for n in range(20)]
    machine(senders, 300_000 / FRAME_S, 60)
    assert max(each.worst_delay_s for each in senders) < BOUND_S
    wanted = 20 * 60 / FRAME_S
    assert sum(each.delivered for each in senders) > 0.55 * wanted, "three quarters could be sent"


def test_no_stream_stays_black_for_the_sake_of_others_like_it() -> None:
    senders = [FakeSender(f"cam{n}", 40_000 - n * 1_000, phase=n * 7) for n in range(20)]
    machine(senders, 500_000 / FRAME_S, 60)
    shares = [each.delivered / (60 / FRAME_S) for each in senders]
    assert min(shares) > 0.1, shares


def test_a_machine_that_keeps_up_sheds_nothing() -> None:
    senders = [FakeSender("heavy", 400_000), FakeSender("light", 20_000)]
    assert machine(senders, 450_000 / FRAME_S, 20).sheds == 0


def test_a_queue_that_is_about_to_be_empty_is_left_alone() -> None:
    late = FakeSender("front", 10_000, queue=[0.0])
    shedding = Shedding()
    shedding.relieve([late, FakeSender("yard", 10_000)], 10_000_000, LATE_S + 0.01)
    assert shedding.sheds == 0


def test_a_stream_that_is_alone_is_left_to_the_bound_of_its_queue() -> None:
    late = FakeSender("front", 1_000_000, queue=[0.0] * 5)
    shedding = Shedding()
    shedding.relieve([late], 1_000_000, 0.2)
    assert shedding.sheds == 0


def test_the_log_names_the_cameras_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    shedding = Shedding()
    for step in range(16):
        now = step * TICK_S
        late = FakeSender(f"cam{step % 2}", 1_000_000, queue=[now - 0.2] * 5)
        shedding.relieve([late, FakeSender("light", 1_000)], 100_000, now)
    with caplog.at_level(logging.WARNING):
        shedding.relieve([], 100_000, 3.0)
    assert 2 <= len(caplog.records) <= 4
    assert "heaviest streams skip" in caplog.records[0].getMessage()
