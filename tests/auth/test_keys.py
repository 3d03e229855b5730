"""The signing key: made once, for its owner alone, and never replaced."""

import stat
import threading
from pathlib import Path

import pytest

from camgate.auth.keys import FILE, KeyUnusable, load_or_make_key


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = load_or_make_key(tmp_path)
    assert len(key) == 32
    assert load_or_make_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_two_who_make_it_at_once_agree(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda: keys.append(load_or_make_key(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize(("content", "words"), [(b"short", "5 bytes instead of 32"), (None, "No such file")])
def test_what_is_no_key_is_said(tmp_path: Path, content: bytes | None, words: str) -> None:
    directory = tmp_path if content else tmp_path / "missing"
    if content:
        (directory / FILE).write_bytes(content)
    with pytest.raises(KeyUnusable, match=words) as caught:
        load_or_make_key(directory)
    assert "auth.key" in str(caught.value)
