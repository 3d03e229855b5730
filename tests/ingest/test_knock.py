import socket

import pytest
import trio
import trio.testing

from camgate.ingest.errors import CameraAway
from camgate.ingest.knock import wait_open


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
        return [round(b - a, 3) for a, b in zip([0.0, *self.knocks], self.knocks, strict=False)]


async def test_a_refusing_camera_is_tried_each_quarter_second_for_a_minute_then_each_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    door = Door(open_s=70)
    errors: list[CameraAway] = []
    (await wait_open(door.dial, "192.0.2.7", 554, errors.append)).close()
    assert door.periods()[:240] == [0.25] * 240
    assert door.periods()[240:] == [1.0] * 10
    assert len(errors) == len(door.knocks) - 1


async def test_a_silent_camera_is_found_within_a_quarter_second_of_its_return(
    autojump_clock: trio.testing.MockClock,
) -> None:
    door = Door(open_s=10.1, is_silent=True)
    (await wait_open(door.dial, "192.0.2.7", 554, lambda _: None)).close()
    assert trio.current_time() == pytest.approx(10.25)
    assert door.most_pending <= 5


async def test_a_name_is_knocked_at_one_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    door = Door(open_s=10, is_silent=True)
    (await wait_open(door.dial, "camera.example", 554, lambda _: None)).close()
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

    with await wait_open(dial, "192.0.2.7", 554, lambda _: None):
        assert [connection.fileno() == -1 for connection in connections].count(False) == 1
    assert len(connections) == 3


async def test_cancelled_waiting_leaves_nothing_open(autojump_clock: trio.testing.MockClock) -> None:
    door = Door(open_s=1e9)
    with trio.move_on_after(5):
        await wait_open(door.dial, "192.0.2.7", 554, lambda _: None)
    assert not door.connections
