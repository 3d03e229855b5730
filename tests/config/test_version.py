"""A config says which form it has; older ones are read, newer ones are refused in words."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from camgate.config import version
from camgate.config.errors import ConfigError
from camgate.config.load import parse
from camgate.config.model import Settings
from camgate.config.overlay import Overlay, Saved
from camgate.config.version import STEPS, VERSION

CAMERA = "[cameras.front]\nurl = 'rtsp://192.0.2.1/'\n"


def read(text: str) -> Settings:
    return parse(text, {}, file="camgate.toml", directory=Path())


def test_no_version_is_the_first() -> None:
    assert read(CAMERA) == read(f"version = 1\n{CAMERA}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2", "is 2, and this camgate reads configs up to version 1; use a newer camgate"),
        ("0", "write the number of the config's form: version = 1"),
        ("true", "write the number of the config's form: version = 1"),
        ("'1'", "write the number of the config's form: version = 1"),
        ("1.0", "write the number of the config's form: version = 1"),
    ],
)
def test_a_version_that_is_none_of_ours_is_the_only_thing_that_is_told(given: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(f"# of another camgate\nversion = {given}\n[not.yet.known]\n{CAMERA}")
    [problem] = raised.value.problems
    assert (problem.line, problem.key) == (2, "version")
    assert words in problem.sentence


def test_there_is_a_step_from_each_version_to_the_next() -> None:
    assert set(STEPS) == set(range(1, VERSION))


def test_old_forms_go_through_every_step_to_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(tables: MutableMapping[str, Any]) -> None:
        tables["server"]["listen"] = tables["server"].pop("address")

    def moved(tables: MutableMapping[str, Any]) -> None:
        tables["webrtc"] = {"port": tables["server"].pop("media_port")}

    monkeypatch.setattr(version, "VERSION", 3)
    monkeypatch.setattr(version, "STEPS", {1: renamed, 2: moved})
    oldest = read(f"{CAMERA}[server]\naddress = '127.0.0.1:8200'\nmedia_port = 8201\n")
    older = read(f"version = 2\n{CAMERA}[server]\nlisten = '127.0.0.1:8200'\nmedia_port = 8201\n")
    newest = read(f"version = 3\n{CAMERA}[server]\nlisten = '127.0.0.1:8200'\n[webrtc]\nport = 8201\n")
    assert oldest == older == newest
    with pytest.raises(ConfigError, match="media_port: there is no such key"):
        read(f"version = 3\n{CAMERA}[server]\nmedia_port = 8201\n")


def test_what_a_newer_camgate_saved_is_neither_read_nor_set_aside(tmp_path: Path) -> None:
    overlay = Overlay(tmp_path / "cameras.toml")
    overlay.save(Saved({"gate": {"url": "rtsp://192.0.2.1/"}}))
    written = overlay.file.read_text()
    assert f"version = {VERSION}\n" in written
    assert overlay.load().cameras.keys() == {"gate"}
    overlay.file.write_text(written.replace(f"version = {VERSION}", f"version = {VERSION + 1}"))
    with pytest.raises(ConfigError, match=r"cameras\.toml: version: is 2, .* use a newer camgate"):
        overlay.load_or_set_aside()
    assert list(tmp_path.iterdir()) == [overlay.file]
