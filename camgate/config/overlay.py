"""What was changed by the API and must survive a restart: cameras of its own, and which cameras are switched off.

It is kept in a file of camgate's own in the state directory, beside the config that people write, which camgate never
touches. Where both have a camera of one name, the people's holds.
"""

import os
import time
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from camgate.base.files import write_private
from camgate.base.log import get_logger
from camgate.base.names import likeness
from camgate.config.cameras import CameraReader
from camgate.config.checks import Wrong
from camgate.config.errors import ConfigError, Problem
from camgate.config.lines import KeyLines
from camgate.config.model import CameraSettings, ServerSettings, Settings
from camgate.config.report import Report
from camgate.config.schema import CAMERAS, SUB
from camgate.config.state import state_directory
from camgate.config.version import KEY as VERSION_KEY
from camgate.config.version import VERSION, take_version
from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import split_url_untrusted

FILE = "cameras.toml"
HEADER = """\
# Written by camgate: what was added by its API, or by `camgate camera`. Change it there, or while camgate is stopped.
"""
LOGIN_KEYS = {"username", "password", "password_file"}
MAX_CAMERAS = 2000
MAX_FILE_BYTES = 4 * 1024 * 1024
FORBIDDEN_KEYS = ("password_file",)
"""Whoever may change cameras may not thereby read files of this machine, or its environment."""

log = get_logger("config.overlay")

Table = Mapping[str, Any]


class NewerOverlay(ConfigError):
    """A newer camgate has saved it, whose cameras shall not be lost."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file holds. cameras: their tables, as in a config; disabled: those that are switched off, of either."""

    cameras: Mapping[str, Table] = field(default_factory=dict)
    disabled: tuple[str, ...] = ()

    def with_camera(self, name: str, table: Table) -> "Saved":
        """Return it with a camera more, or with another table of one."""
        return replace(self, cameras={**self.cameras, name: table})

    def without_camera(self, name: str) -> "Saved":
        """Return it without a camera."""
        kept = {other: table for other, table in self.cameras.items() if other != name}
        return Saved(kept, tuple(other for other in self.disabled if other != name))

    def switched(self, name: str, *, on: bool) -> "Saved":
        """Return it with a camera switched on or off."""
        others = tuple(other for other in self.disabled if other != name)
        return replace(self, disabled=others if on else (*others, name))

    def for_cameras(self, of_file: Container[str]) -> "Saved":
        """Return it without what is switched off of cameras that are nowhere any more: others may get their names."""
        return replace(self, disabled=tuple(each for each in self.disabled if each in of_file or each in self.cameras))


def login_apart(table: Table) -> dict[str, Any]:
    """Return a table whose logins stand in keys of their own, also where they were written into a URL.

    So a URL can be changed, and shown, without its login.
    """
    apart = dict(table)
    if isinstance(table.get(SUB), dict):
        apart[SUB] = login_apart(table[SUB])
    try:
        url = split_url_untrusted(table["url"]) if isinstance(table.get("url"), str) else None
    except MalformedUrl:
        return apart
    # `${NAME}` is for the config's own rules to refuse.
    if url is None or url.username is None or "${" in table["url"] or table.keys() & LOGIN_KEYS:
        return apart
    login = {"username": url.username, "password": url.password}
    return apart | {"url": str(url)} | {key: each for key, each in login.items() if each is not None}


def read_camera(name: str, table: Table, *, file: str = "") -> CameraSettings:
    """Return the settings of a camera of the API. Raises ConfigError with all that is wrong with it."""
    report = Report(file, KeyLines(""))
    camera = _read(report, name, table)
    report.raise_problems()
    assert camera is not None
    return camera


def _read(report: Report, name: str, table: object) -> CameraSettings | None:
    for path, inner in (((), table), ((SUB,), table.get(SUB) if isinstance(table, dict) else None)):
        for key in FORBIDDEN_KEYS:
            if isinstance(inner, dict) and key in inner:
                sentence = "is for the config file only, since files of this machine are read by it; write the password"
                report.add((CAMERAS, name, *path, key), sentence)
                return None
    return CameraReader(report, Path(os.devnull), {}).read(name, table)


def merge(of_file: Settings, saved: Saved, *, file: Path) -> Settings:
    """Return the config with what was saved: its cameras first, and none that is switched off.

    file: where it was saved, for the log, which says what of it cannot be used.
    """
    cameras = dict(of_file.cameras)
    of_file_alike = {likeness(name) for name in cameras}
    for name, table in saved.cameras.items():
        if likeness(name) in of_file_alike:
            log.warning("a camera was saved that is in the config as well, which holds", camera=name, file=file)
            continue
        report = Report(str(file), KeyLines(""))
        camera = _read(report, name, table)
        for problem in report.problems:
            log.error("a camera that was saved cannot be used", camera=name, problem=str(problem))
        if camera is not None and not report.problems:
            cameras[camera.name] = camera
    return replace(of_file, cameras={name: each for name, each in cameras.items() if name not in saved.disabled})


class Overlay:
    """The file, of which there need not be one yet."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def of(cls, settings: ServerSettings, environ: Mapping[str, str]) -> "Overlay":
        """Return that of a camgate with these settings."""
        return cls(state_directory(settings, environ) / FILE)

    def load(self) -> Saved:
        """Read what was saved. Raises ConfigError where that is no such file."""
        try:
            with self.file.open("rb") as stream:
                raw = stream.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return Saved()
        except OSError as error:
            raise self._broken(f"cannot be read: {error.strerror or error}") from None
        try:
            tables = tomllib.loads(raw.decode())
        except (ValueError, RecursionError) as error:
            raise self._broken(f"is not TOML: {error}") from None
        try:
            take_version(tables)
        except Wrong as wrong:
            raise NewerOverlay((Problem(str(self.file), str(wrong), key=VERSION_KEY),)) from None
        cameras, disabled = tables.get(CAMERAS, {}), tables.get("disabled", [])
        are_tables = isinstance(cameras, dict) and all(isinstance(table, dict) for table in cameras.values())
        are_names = isinstance(disabled, list) and all(isinstance(name, str) for name in disabled)
        if len(raw) > MAX_FILE_BYTES or not are_tables or not are_names or tables.keys() - {CAMERAS, "disabled"}:
            raise self._broken("is not as camgate writes it")
        return Saved(cameras, tuple(disabled))

    def load_or_set_aside(self) -> Saved:
        """Read what was saved; where that is broken, say so, keep it under another name, and go on without it.

        Raises ConfigError where that cannot be, and where it is not broken but a newer camgate's.
        """
        try:
            return self.load()
        except NewerOverlay:
            raise
        except ConfigError as error:
            aside = self.file.with_name(f"{self.file.name}.broken-{time.time_ns()}")
            try:
                self.file.rename(aside)
            except OSError as failure:
                raise self._broken(f"{error.problems[0].sentence}; nor can it be moved: {failure.strerror}") from None
            log.error("what was saved cannot be read; going on without it", problem=str(error), kept_as=aside)
            return Saved()

    def save(self, saved: Saved) -> None:
        """Put the file into its place, whole or not at all. Raises OSError."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        tables = {VERSION_KEY: VERSION, "disabled": list(saved.disabled), CAMERAS: saved.cameras}
        write_private(self.file, f"{HEADER}{tomli_w.dumps(tables)}".encode())

    def _broken(self, sentence: str) -> ConfigError:
        return ConfigError((Problem(str(self.file), sentence),))
