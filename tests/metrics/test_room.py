"""How much room there is where camgate keeps something, or will."""

import os
from pathlib import Path

from camgate.metrics.page import room_at


def test_a_directory_that_is_not_there_yet_has_the_room_of_where_it_will_be(tmp_path: Path) -> None:
    facts = os.statvfs(tmp_path)
    for directory in (tmp_path, tmp_path / "state", tmp_path / "lib" / "camgate"):
        room = room_at(directory)
        assert room is not None
        assert room[1] == facts.f_blocks * facts.f_frsize
    (tmp_path / "file").touch()
    assert room_at(tmp_path / "file" / "state") is None
