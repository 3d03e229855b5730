import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
import trio
import trio.testing

from camgate.ingest.arrivals import CROWD, GATHER_S, YIELD_AFTER_S, Arrivals


@pytest.fixture
async def arrivals() -> AsyncIterator[Arrivals]:
    arrivals = Arrivals()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrivals.run)
        yield arrivals
        nursery.cancel_scope.cancel()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(CROWD)]
    for ours, _ in pairs:
        ours.setblocking(False)
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


Pairs = list[tuple[socket.socket, socket.socket]]


async def test_a_reader_is_called_when_there_is_something_to_read(
    arrivals: Arrivals, pairs: Pairs, autojump_clock: trio.testing.MockClock
) -> None:
    (ours, theirs), times, read = pairs[0], [], []

    def read_now(now: float) -> None:
        times.append(now)
        read.append(ours.recv(100))

    with arrivals.watch(ours, read_now):
        await trio.sleep(1)
        assert not read
        theirs.send(b"first")
        await trio.sleep(1)
        theirs.send(b"second")
        await trio.sleep(1)
    assert read == [b"first", b"second"]
    assert times == [1, 2]


async def test_a_reader_that_leaves_something_is_called_again(
    arrivals: Arrivals, pairs: Pairs, autojump_clock: trio.testing.MockClock
) -> None:
    (ours, theirs), read = pairs[0], bytearray()
    with arrivals.watch(ours, lambda now: read.extend(ours.recv(2))):
        theirs.send(b"in pieces")
        await trio.sleep(1)
    assert read == b"in pieces"


async def test_nobody_is_called_behind_its_block(
    arrivals: Arrivals, pairs: Pairs, autojump_clock: trio.testing.MockClock
) -> None:
    (ours, theirs), times = pairs[0], []
    with arrivals.watch(ours, times.append):
        pass
    theirs.send(b"late")
    await trio.sleep(1)
    assert not times


async def test_a_reader_may_be_gone_when_it_would_be_its_turn(
    arrivals: Arrivals, pairs: Pairs, autojump_clock: trio.testing.MockClock
) -> None:
    """One reader's pictures can make another camera be removed before it is called."""
    (one, to_one), (other, to_other) = pairs[:2]
    calls = []

    def read(connection: socket.socket) -> None:
        connection.recv(100)
        calls.append(connection)
        watches[one if connection is other else other].__exit__(None, None, None)

    watches = {end: arrivals.watch(end, lambda now, end=end: read(end)) for end in (one, other)}
    for watch in watches.values():
        watch.__enter__()
    to_one.send(b"x")
    to_other.send(b"x")
    await trio.sleep(1)
    assert len(calls) == 1
    watches[calls[0]].__exit__(None, None, None)


async def test_a_crowds_pieces_are_gathered_into_one_read(
    arrivals: Arrivals, pairs: Pairs, autojump_clock: trio.testing.MockClock
) -> None:
    read: list[tuple[float, bytes]] = []
    with ExitStack() as watches:
        for ours, _ in pairs:
            watches.enter_context(arrivals.watch(ours, lambda now, ours=ours: read.append((now, ours.recv(100)))))
        for piece in (b"first ", b"second ", b"third"):
            pairs[0][1].send(piece)
            await trio.sleep(GATHER_S / 4)
        await trio.sleep(1)
    assert read == [(pytest.approx(GATHER_S), b"first second third")]


async def test_many_who_have_much_to_read_let_others_run(arrivals: Arrivals, pairs: Pairs) -> None:
    """A reader that takes long, as with a whole second of pictures, must not add up over a crowd."""
    turns_between: list[int] = []
    turns = 0

    def read_slowly(ours: socket.socket) -> None:
        ours.recv(100)
        turns_between.append(turns)
        until = time.perf_counter() + 2 * YIELD_AFTER_S
        while time.perf_counter() < until:
            pass

    with ExitStack() as watches, trio.fail_after(60):
        for ours, theirs in pairs:
            watches.enter_context(arrivals.watch(ours, lambda now, ours=ours: read_slowly(ours)))
            theirs.send(b"x")
        while len(turns_between) < len(pairs):
            turns += 1
            await trio.lowlevel.checkpoint()
    # Within a turn tasks run in any order, so two may follow on one another, three cannot.
    assert len(set(turns_between)) >= len(pairs) // 2
