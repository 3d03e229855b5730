"""Changes of what is kept in a file wait for the disk in a thread: in order, and to their end."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from camgate.auth.revoked import Revoked
from camgate.base.files import locked

HANG_S = 30.0


@contextmanager
def written_by_another(file: Path) -> Iterator[None]:
    """Keep the file's lock for the block, as another process does on a slow disk; an event loop that waits gets it."""
    is_taken, is_done = threading.Event(), threading.Event()

    def write() -> None:
        with locked(file):
            is_taken.set()
            is_done.wait(HANG_S)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert is_taken.wait(HANG_S)
        yield
    finally:
        is_done.set()
        writer.join()


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_the_event_loop_does_not_wait_for_the_disk(tmp_path: Path, is_cancelled: bool) -> None:
    file = tmp_path / "revoked.json"
    revoked = Revoked(file, lambda: 0.0)
    ended: list[str] = []

    async def end(token_id: str) -> None:
        await revoked.end(token_id, 10.0)
        ended.append(token_id)

    async with trio.open_nursery() as nursery:
        with written_by_another(file):
            for each in "abc":
                nursery.start_soon(end, each)
                await wait_all_tasks_blocked()
            assert all(each in revoked for each in "abc")
            assert (ended, file.exists()) == ([], False)
            if is_cancelled:
                nursery.cancel_scope.cancel()
    assert ended == ["a", "b", "c"]
    assert list(json.loads(file.read_text())) == ended


async def test_what_another_process_has_written_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    revoked, command = Revoked(file, lambda: 0.0), Revoked(file, lambda: 0.0)

    def change(copy: Revoked) -> None:
        copy.add("ours", 10.0)
        command.add("theirs", 10.0)
        trio.from_thread.run_sync(revoked.refresh)  # as the daemon does every two seconds

    version = revoked.version
    await revoked.change(change)
    assert "ours" in revoked
    assert "theirs" in revoked
    assert revoked.version > version
