"""What the API has changed: kept whole or not at all, beside the config, and never lost silently."""

import logging
from pathlib import Path
from typing import Any

import pytest

from camgate.config.errors import ConfigError
from camgate.config.model import CameraSettings, Settings
from camgate.config.overlay import Overlay, Saved, login_apart, merge, read_camera

FRONT = CameraSettings(name="front", url="rtsp://192.0.2.1/")
OF_FILE = Settings(cameras={"front": FRONT})
GATE = {"url": "rtsp://192.0.2.2/", "username": "admin", "password": 'hush "hush"', "groups": ["outside"]}


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    return Overlay(tmp_path / "state" / "cameras.toml")


def test_nothing_was_saved_yet(overlay: Overlay) -> None:
    assert overlay.load() == overlay.load_or_set_aside() == Saved()
    assert not overlay.file.parent.exists()


def test_what_was_saved_is_there_for_its_owner_alone(overlay: Overlay) -> None:
    saved = Saved().with_camera("gate", {**GATE, "sub": {"url": "rtsp://192.0.2.2/s"}}).switched("front", on=False)
    overlay.save(saved)
    assert overlay.load() == saved
    assert overlay.file.stat().st_mode & 0o777 == 0o600
    assert list(overlay.file.parent.iterdir()) == [overlay.file]
    overlay.save(saved.without_camera("gate").switched("front", on=True))
    assert overlay.load() == Saved()


def test_a_disk_that_is_full_leaves_what_was_there(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay.save(Saved({"gate": GATE}))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        overlay.save(Saved())
    assert overlay.load() == Saved({"gate": GATE})
    assert list(overlay.file.parent.iterdir()) == [overlay.file]


@pytest.mark.parametrize(
    "text", ["[[[", "\xff", "cameras = 7", "[cameras]\ngate = 7", "disabled = 7", "disabled = [7]", "more = 1"]
)
def test_what_is_broken_is_told_and_kept_aside(overlay: Overlay, text: str, caplog: pytest.LogCaptureFixture) -> None:
    overlay.file.parent.mkdir()
    overlay.file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"cameras\.toml"):
        overlay.load()
    assert overlay.load_or_set_aside() == Saved()
    (aside,) = overlay.file.parent.iterdir()
    assert aside.name.startswith("cameras.toml.broken-")
    assert aside.read_bytes() == text.encode("latin-1")
    assert str(aside) in caplog.text


def test_the_config_and_what_was_saved_make_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    saved = Saved(
        {"gate": GATE, "FRONT": {"url": "rtsp://192.0.2.9/"}, "old": {"url": "http://x/"}, "off": GATE}, ("off",)
    )
    merged = merge(OF_FILE, saved, file=Path("cameras.toml"))
    assert list(merged.cameras) == ["front", "gate"]
    assert merged.cameras["gate"].password == 'hush "hush"'
    assert merged.cameras["front"] is FRONT
    assert "camera=FRONT" in caplog.text
    assert "cameras.old.url" in caplog.text
    assert merge(OF_FILE, Saved(disabled=("front",)), file=Path("x")).cameras == {}


def test_no_file_of_this_machine_is_read_for_the_api(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of-this-machine\n")
    table = {"url": GATE["url"], "username": "u", "password_file": str(file)}
    for asked in (table, {**GATE, "sub": {**table, "url": "rtsp://192.0.2.3/"}}):
        with pytest.raises(ConfigError, match="is for the config file only"):
            read_camera("gate", asked)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({}, "cameras.gate"),
        ({"url": 7}, "cameras.gate.url"),
        ({"url": None}, "cameras.gate.url"),
        ({**GATE, "titel": "x"}, "cameras.gate.titel"),
        ({**GATE, "linger_s": 10**400}, "cameras.gate.linger_s"),
        ({"url": "rtsp://${SECRET}/"}, "cameras.gate.url"),
        ({"url": GATE["url"], "username": "u", "password": "${SECRET}"}, "cameras.gate.password"),
        ({"url": GATE["url"], "username": "u", "password_file": "/etc/shadow"}, "cameras.gate.password_file"),
        ({**GATE, "sub": {"url": "rtsp://x/", "password_file": "/etc/shadow"}}, "cameras.gate.sub.password_file"),
        ({**GATE, "sub": 7}, "cameras.gate.sub"),
    ],
)
def test_what_no_camera_of_the_api_may_be(table: dict[str, Any], key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "env-canary")
    with pytest.raises(ConfigError) as refused:
        read_camera("gate", table)
    assert key in [problem.key for problem in refused.value.problems]
    assert "env-canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "apart"),
    [
        ({"url": "rtsp://x/a"}, {"url": "rtsp://x/a"}),
        ({"url": "rtsp://me:hu%20sh@x/a"}, {"url": "rtsp://x/a", "username": "me", "password": "hu sh"}),
        ({"url": "rtsp://me@x/a"}, {"url": "rtsp://x/a", "username": "me"}),
        # What is wrong is left for the config's own rules, and so is what looks like the environment's.
        ({"url": "rtsp://me:${A}@x/a"}, {"url": "rtsp://me:${A}@x/a"}),
        ({"url": "rtsp://me:x@x/a", "username": "you"}, {"url": "rtsp://me:x@x/a", "username": "you"}),
        ({"url": 7}, {"url": 7}),
        ({"url": "me:x@x"}, {"url": "me:x@x"}),
        ({"sub": {"url": "rtsp://me:x@x/a"}}, {"sub": {"url": "rtsp://x/a", "username": "me", "password": "x"}}),
    ],
)
def test_logins_in_urls_get_keys_of_their_own(table: dict[str, Any], apart: dict[str, Any]) -> None:
    assert login_apart(table) == apart
