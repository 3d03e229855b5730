import itertools
import socket
from random import Random

import trio
import trio.testing

from camgate.ingest.connect import close_all
from camgate.ingest.errors import CameraAway
from camgate.ingest.intake import Intake
from camgate.ingest.knock import wait_open
from camgate.ingest.pace import Pace


class Door:
    """A camera's TCP port: refuses, or is silent, until `open_s`. Notes when it is knocked at."""

    def __init__(self, open_s: float, *, is_silent: bool = False) -> None:
        self.open_s = open_s
        self.is_silent = is_silent
        self.knocks: list[float] = []
        self.most_pending = 0
        self.connections: list[socket.socket] = []
        self._pending = 0

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        now = trio.current_time()
        self.knocks.append(now)
        self._pending += 1
        self.most_pending = max(self.most_pending, self._pending)
        try:
            if now < self.open_s:
                await trio.sleep(timeout_s if self.is_silent else 0)
                raise CameraAway(host, "is away")
            self.connections.append(socket.socket())
            return self.connections[-1]
        finally:
            self._pending -= 1

    def periods(self) -> list[float]:
        return [round(b - a, 3) for a, b in itertools.pairwise(self.knocks)]


async def test_a_refusing_camera_is_tried_each_quarter_second_for_a_minute_then_each_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    door = Door(open_s=70)
    errors: list[CameraAway] = []
    (await wait_open(Intake(door.dial), "192.0.2.7", 554, errors.append, Random(1))).close()
    assert door.knocks[0] < 0.25
    assert door.periods()[:239] == [0.25] * 239
    assert set(door.periods()[240:]) == {1.0}
    assert door.open_s <= door.knocks[-1] <= door.open_s + 1.0
    assert len(errors) == len(door.knocks) - 1


async def test_a_silent_camera_is_found_within_a_quarter_second_of_its_return(
    autojump_clock: trio.testing.MockClock,
) -> None:
    door = Door(open_s=10.1, is_silent=True)
    (await wait_open(Intake(door.dial), "192.0.2.7", 554, lambda _: None, Random(1))).close()
    assert door.open_s < trio.current_time() <= door.open_s + 0.25
    assert door.most_pending <= 5


async def test_a_name_is_knocked_at_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    door = Door(open_s=10, is_silent=True)
    (await wait_open(Intake(door.dial), "camera.example", 554, lambda _: None, Random(1))).close()
    assert door.most_pending == 1


async def test_knocks_let_in_together_leave_one_connection(autojump_clock: trio.testing.MockClock) -> None:
    connections: list[socket.socket] = []
    gate = trio.Event()

    async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
        connection = socket.socket()
        connections.append(connection)
        if len(connections) == 3:
            gate.set()
        with trio.CancelScope(shield=True):
            await gate.wait()
        return connection

    with await wait_open(Intake(dial), "192.0.2.7", 554, lambda _: None, Random(1)):
        assert [connection.fileno() == -1 for connection in connections].count(False) == 1
    assert len(connections) == 3


async def test_cameras_that_went_away_together_do_not_knock_in_step(autojump_clock: trio.testing.MockClock) -> None:
    doors = [Door(open_s=5) for _ in range(20)]
    async with trio.open_nursery() as nursery:
        for number, door in enumerate(doors):
            nursery.start_soon(wait_open, Intake(door.dial), "192.0.2.7", 554, lambda _: None, Random(number))
    first = sorted(door.knocks[0] for door in doors)
    assert len(set(first)) == 20
    assert first[-1] - first[0] > 0.15
    close_all([connection for door in doors for connection in door.connections])


async def test_who_is_let_in_awaits_a_turn_and_holds_no_connection_when_it_is_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    door = Door(open_s=0)
    intake = Intake(door.dial, Pace(interval_s=100.0))
    await intake.pace.turn()
    with trio.move_on_after(50) as patience:
        await wait_open(intake, "192.0.2.7", 554, lambda _: None, Random(1))
    assert patience.cancelled_caught
    assert [connection.fileno() for connection in door.connections] == [-1]


async def test_cancelled_waiting_leaves_nothing_open(autojump_clock: trio.testing.MockClock) -> None:
    door = Door(open_s=1e9)
    with trio.move_on_after(5):
        await wait_open(Intake(door.dial), "192.0.2.7", 554, lambda _: None, Random(1))
    assert not door.connections
