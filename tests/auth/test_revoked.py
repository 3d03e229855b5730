"""What was revoked stays so over restarts, is seen by other processes, and is bounded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from camgate.auth.revoked import MAX_IDS, MAX_SESSIONS, Revoked, TooManyRevoked
from camgate.base.files import stamp_of

ADD_MANY = """
import sys
from pathlib import Path
from camgate.auth.revoked import Revoked
for number in range(40):
    assert Revoked(Path(sys.argv[1]), lambda: 0.0).add(f"{sys.argv[2]}-{number}", 10.0)
"""


def test_it_survives_a_restart_and_is_forgotten_at_its_end(tmp_path: Path) -> None:
    file, now_s = tmp_path / "revoked.json", [1000.0]
    revoked = Revoked(file, lambda: now_s[0])
    revoked.add("a", 1010.0)
    revoked.add("b", 2000.0)
    assert "a" in Revoked(file, lambda: now_s[0])
    now_s[0] = 1500.0
    revoked.add("c", 2000.0)
    again = Revoked(file, lambda: now_s[0])
    assert [each in again for each in ("a", "b", "c", "d")] == [False, True, True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["revoked.json", "revoked.json.lock"]


def test_another_process_sees_it(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    daemon, command = Revoked(file, lambda: 0.0), Revoked(file, lambda: 0.0)
    assert not daemon.refresh()
    command.add("a", 10.0)
    daemon.add("b", 10.0)  # loses nothing of what the other wrote
    assert "a" in daemon
    assert command.refresh()
    assert "b" in command
    assert not command.refresh()


def test_a_broken_file_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    for content in ("[1]", "{", '{"a": "x"}', ""):
        file.write_text(content)
        revoked = Revoked(file, lambda: 0.0)
        assert "a" not in revoked


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    writers = [subprocess.Popen([sys.executable, "-c", ADD_MANY, file, name]) for name in ("a", "b", "c")]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert json.loads(file.read_text()).keys() == {f"{name}-{number}" for name in "abc" for number in range(40)}


def test_none_is_forgotten_before_its_time(tmp_path: Path) -> None:
    file, now_s = tmp_path / "revoked.json", [0.0]
    file.write_text(json.dumps({str(number): 100.0 + number for number in range(MAX_IDS)}))
    revoked = Revoked(file, lambda: now_s[0])
    with pytest.raises(TooManyRevoked, match="10,000 ids"):
        revoked.add("new", 50_000.0)
    assert "new" not in revoked
    assert all(str(number) in revoked for number in range(MAX_IDS))
    revoked.add("7", 50_000.0)  # is there already
    now_s[0] = 100.5
    revoked.add("new", 50_000.0)
    assert [each in Revoked(file, lambda: now_s[0]) for each in ("0", "1", "7", "new")] == [False, True, True, True]


def test_sessions_leave_room_for_tokens(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    file.write_text(json.dumps({str(number): 100.0 for number in range(MAX_SESSIONS)}))
    revoked = Revoked(file, lambda: 0.0)
    with pytest.raises(TooManyRevoked):
        revoked.add("session", 100.0, MAX_SESSIONS)
    assert revoked.add("token", 100.0)


async def test_what_has_ended_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "revoked.json"
    revoked = Revoked(file, lambda: 0.0)
    await revoked.end("a", 10.0)
    written = stamp_of(file)
    await revoked.end("a", 20.0)
    assert stamp_of(file) == written
    await revoked.end("b", 20.0)
    assert json.loads(file.read_text()) == {"a": 10.0, "b": 20.0}


async def test_what_cannot_be_ended_goes_on(tmp_path: Path) -> None:
    revoked = Revoked(tmp_path / "revoked.json", lambda: 0.0)
    with pytest.raises(TooManyRevoked):
        await revoked.end("a", 10.0, most=0)
    assert "a" not in revoked
