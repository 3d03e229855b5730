"""What was revoked stays so over restarts, is seen by other processes, and is bounded."""

from pathlib import Path

from camgate.auth.revoked import MAX_IDS, Revoked


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
    assert [path.name for path in tmp_path.iterdir()] == ["revoked.json"]


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


def test_it_is_bounded(tmp_path: Path) -> None:
    revoked = Revoked(tmp_path / "revoked.json", lambda: 0.0)
    revoked._until = {str(number): 100.0 + number for number in range(MAX_IDS)}
    revoked.add("new", 50_000.0)
    assert "new" in revoked
    assert "0" not in revoked
    assert "1" in revoked
