"""`Reloader`: the one road on which a running camgate comes to other settings.

    read (in a thread) -> compare -> check -> take

Taking does not wait, so nobody sees a half of it: a camera that comes with a narrower role is never there before the
role is. What has to hang up first does so in the background (`ingest.cameras`). What is wrong with a config is found
before anything is taken. One reload at a time; whoever asks meanwhile gets one of their own behind it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import trio

from camgate.auth.access import Access
from camgate.base.log import get_logger
from camgate.base.log_setup import set_level
from camgate.base.names import likeness
from camgate.base.secrets import mask
from camgate.config.diff import Diff, compare
from camgate.config.errors import ConfigError, Problem, StartError
from camgate.config.exposure import check_exposure, exposures
from camgate.config.load import load, start_problem
from camgate.config.model import CameraSettings, RtspServerSettings, Settings
from camgate.config.overlay import MAX_CAMERAS, Overlay, Saved, login_apart, merge, read_camera
from camgate.config.twins import warn_of_twins
from camgate.engine import Engine
from camgate.ingest.cameras import Cameras
from camgate.relay.errors import UnknownCamera
from camgate.reload.logins import check_logins_stay
from camgate.reload.masked import shown
from camgate.reload.probes import Probes
from camgate.serve.http.control import (
    CameraExists,
    CameraOfFile,
    CannotSave,
    ConfigRefused,
    NothingToReload,
    Reloaded,
    TooManySaved,
)
from camgate.serve.http.rates import Rates
from camgate.serve.rtsp.guests import Guests
from camgate.webhooks.webhooks import Webhooks
from camgate.wire.rtsp.url import split_url_untrusted

log = get_logger("reload")

API, FILE_ORIGIN, BUILT_IN = "api", "file", "built-in"
"""Where a camera is configured, in the API's words."""
PROBED = "probe"
"""What errors call a camera that is only looked at."""
REMOVED = "the camera was removed"
SWITCHED_OFF = "the camera was switched off"
"""What its viewers are told."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where a running camgate has its settings from.

    read: what stands in `file`, told whether one without cameras is wrong; may take its time, and raises ConfigError.
    of_file: the same at the start. overlay: where changes by the API are kept.
    """

    file: Path
    read: Callable[[bool], Settings]
    of_file: Settings
    overlay: Overlay

    @classmethod
    def of(cls, file: Path, environ: Mapping[str, str], of_file: Settings) -> "ConfigSource":
        """Go on from what was read of a file, whether there are cameras in it or not."""

        def read(needs_cameras: bool) -> Settings:
            return load(file, environ, needs_cameras=needs_cameras)

        return cls(file, read, of_file, Overlay.of(of_file.server, environ))

    def begin(self) -> tuple[Settings, Saved]:
        """Return what camgate begins with, and what of it was saved. Raises ConfigError."""
        found = self.overlay.load_or_set_aside()
        saved = found.for_cameras(self.of_file.cameras)
        if not self.of_file.cameras and saved == Saved():
            self.read(True)  # says that there are none
        if saved != found:
            self.keep(saved)
        return merge(self.of_file, saved, file=self.overlay.file), saved

    def keep(self, saved: Saved) -> None:
        """Keep what is left of what was found. Where that fails it is tried again at the next reload or start."""
        try:
            self.overlay.save(saved)
        except OSError as error:
            log.warning("which cameras are switched off cannot be kept", file=self.overlay.file, reason=error.strerror)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Whoever takes settings. guests: None where there is no RTSP server."""

    cameras: Cameras
    access: Access
    engine: Engine
    rates: Rates
    webhooks: Webhooks
    guests: Guests | None


class Reloader:
    """Knows what runs, and has its parts take what differs."""

    def __init__(
        self,
        source: ConfigSource | None,
        parts: Parts,
        *,
        saved: Saved | None = None,
        insecure: bool = False,
        announced: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """source: None where there is no file. saved: of what runs. insecure: it is to be reached without users.

        announced: entered for the time of each reload.
        """
        saved = Saved() if saved is None else saved
        self._source = source
        self._parts = parts
        self._insecure = insecure
        self._announced = announced
        self._one_at_a_time = trio.Lock()
        self._of_file = source.of_file if source else Settings(cameras={})
        self._saved = saved
        self._probes = Probes(parts.engine.snapshots)

    @property
    def settings(self) -> Settings:
        """Those of now."""
        return self._parts.engine.settings

    async def reload(self, by: str) -> Reloaded:
        """Read the config anew and take it; see `serve.http.control.Control`."""
        if self._source is None:
            raise NothingToReload
        async with self._one_at_a_time:
            with self._announced():
                return await self._reload(self._source, by)

    async def _reload(self, source: ConfigSource, by: str) -> Reloaded:
        try:
            of_file, found = await trio.to_thread.run_sync(self._read, source)
            saved = found.for_cameras(of_file.cameras)
            diff = self._compare(of_file, saved)
        except ConfigError as error:
            for problem in error.problems:
                log.error("the config is not taken, and the one before holds on", by=by, problem=str(problem))
            raise ConfigRefused(error.problems) from None
        if saved != found:
            await trio.to_thread.run_sync(source.keep, saved)
        self._of_file, self._saved = of_file, saved
        reloaded = self._take(diff, by)
        await self.end_gone_shares()
        return reloaded

    async def end_gone_shares(self) -> None:
        """Take back the share links of cameras that are nowhere any more; what is switched off is still somewhere."""
        await self._parts.access.keep_shares_of({*self._of_file.cameras, *self._saved.cameras, *self.settings.cameras})

    def config(self) -> dict[str, object]:
        """Return what runs, secrets masked; see `serve.http.control.Control`."""
        settings: dict[str, object] = shown(self.settings)
        return settings

    def cameras(self) -> list[dict[str, object]]:
        """Describe how all cameras are configured; see `serve.http.control.Control`."""
        names = dict.fromkeys([*self._of_file.cameras, *self._saved.cameras, *self.settings.cameras])
        return [self.camera(name) for name in names]

    def camera(self, name: str) -> dict[str, object]:
        """Describe how a camera is configured; see `serve.http.control.Control`."""
        found = self._of_file.cameras.get(name) or self.settings.cameras.get(name)
        if found is None and name in self._saved.cameras:
            try:
                found = read_camera(name, self._saved.cameras[name])
            except ConfigError:
                return {"name": name, "origin": API, "enabled": False, "settings": None}
        if found is None:
            raise UnknownCamera(name)
        return {
            "name": name,
            "origin": self._origin(name),
            "enabled": name in self.settings.cameras,
            "settings": shown(found),
        }

    def _origin(self, name: str) -> str:
        if self._source is None:
            return BUILT_IN
        return FILE_ORIGIN if name in self._of_file.cameras else API

    async def add_camera(self, name: str, table: Mapping[str, object], by: str) -> Reloaded:
        """Add a camera that is kept; see `serve.http.control.Control`."""
        async with self._changing() as file:
            known = {likeness(other) for other in (*self._of_file.cameras, *self._saved.cameras)}
            if likeness(name) in known:
                raise CameraExists(name)
            if len(self._saved.cameras) >= MAX_CAMERAS:
                raise TooManySaved(MAX_CAMERAS)
            table = login_apart(table)
            _checked(name, table)
            return await self._save(file, self._saved.with_camera(name, table), by)

    async def change_camera(self, name: str, changes: Mapping[str, object], by: str) -> Reloaded:
        """Change keys of a camera of the API; see `serve.http.control.Control`."""
        async with self._changing() as file:
            table = _changed(name, self._own(name), changes)
            return await self._save(file, self._saved.with_camera(name, table), by)

    async def remove_camera(self, name: str, by: str) -> Reloaded:
        """Remove a camera of the API; see `serve.http.control.Control`."""
        async with self._changing() as file:
            self._own(name)
            return await self._save(file, self._saved.without_camera(name), by)

    async def switch_camera(self, name: str, by: str, *, on: bool) -> Reloaded:
        """Switch any camera on or off; see `serve.http.control.Control`."""
        async with self._changing() as file:
            self.camera(name)
            return await self._save(file, self._saved.switched(name, on=on), by)

    async def probe(self, name: str | None, table: Mapping[str, object], by: str) -> Mapping[str, object]:
        """Look at a camera; see `serve.http.control.Control`."""
        if name is None:
            settings = _checked(PROBED, login_apart(table))
        else:
            if self._source is None:
                raise NothingToReload
            settings = _checked(name, _changed(name, self._own(name), table))
        log.info("a camera is looked at", by=mask(by), address=split_url_untrusted(settings.url).authority)
        return await self._probes.look(settings)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[ConfigSource]:
        if self._source is None:
            raise NothingToReload
        async with self._one_at_a_time:
            yield self._source

    def _own(self, name: str) -> Mapping[str, object]:
        """Return the table of a camera that the API may change. Raises CameraOfFile, UnknownCamera."""
        assert self._source is not None
        if name in self._of_file.cameras:
            raise CameraOfFile(name, str(self._source.file))
        if name not in self._saved.cameras:
            raise UnknownCamera(name)
        return self._saved.cameras[name]

    async def _save(self, source: ConfigSource, saved: Saved, by: str) -> Reloaded:
        """Keep what was changed and take it, or neither. What the file holds by now is a reload's to take."""
        try:
            diff = self._compare(self._of_file, saved)
            await trio.to_thread.run_sync(source.overlay.save, saved)
        except ConfigError as error:
            raise ConfigRefused(error.problems) from None
        except OSError as error:
            log.error("a change cannot be kept, and is not made", file=source.overlay.file, reason=error.strerror)
            raise CannotSave(error.strerror or "it failed") from error
        self._saved = saved
        reloaded = self._take(diff, by, "cameras were changed")
        await self.end_gone_shares()
        return reloaded

    def _read(self, source: ConfigSource) -> tuple[Settings, Saved]:
        saved = source.overlay.load()
        return source.read(not saved.cameras), saved

    def _compare(self, of_file: Settings, saved: Saved) -> Diff:
        """Return what would change. Raises ConfigError for what must not be."""
        assert self._source is not None
        wanted = merge(of_file, saved, file=self._source.overlay.file)
        diff = compare(self.settings, wanted)
        self._check(wanted, diff)
        return diff

    def _check(self, wanted: Settings, diff: Diff) -> None:
        """Look for what stands against a config although each key is right. Raises ConfigError."""
        assert self._source is not None
        try:
            check_exposure(wanted, insecure=self._insecure)
        except StartError as error:
            raise ConfigError((start_problem(error, self._source.file),)) from None
        for exposure in () if self._insecure else exposures(diff.taken_by(self.settings)):
            sentence = f"{exposure}, until the next start; restart camgate instead"
            raise ConfigError((Problem(str(self._source.file), sentence, key=exposure.key),))

    def _take(self, diff: Diff, by: str, sentence: str = "the config was read anew") -> Reloaded:
        before, parts = self.settings, self._parts
        after = diff.taken_by(before)
        parts.engine.apply(after)
        off = self._saved.disabled
        ended = sum(
            parts.access.leases.end_of_camera(name, SWITCHED_OFF if name in off else REMOVED) for name in diff.removed
        )
        ended += parts.access.apply(after.auth, {name: camera.groups for name, camera in after.cameras.items()})
        parts.cameras.apply(diff)
        parts.rates.apply(after.limits)
        parts.webhooks.apply(diff.webhooks)
        if parts.guests is not None:
            ended += _apply_to_guests(parts.guests, before.rtsp_server, after.rtsp_server)
        if after.logging.level != before.logging.level:
            set_level(after.logging.level)
        warn_of_twins(after.cameras, before.cameras)
        reloaded = _report(diff, ended)
        _tell(sentence, reloaded, by)
        return reloaded


def patched(table: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return a table with changes as RFC 7396 has them: null takes a key away, tables are changed key by key."""
    merged = dict(table)
    for key, value in changes.items():
        inner = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = patched(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _checked(name: str, table: Mapping[str, object]) -> CameraSettings:
    try:
        return read_camera(name, table)
    except ConfigError as error:
        raise ConfigRefused(error.problems) from None


def _changed(name: str, before: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return the table of a camera with changes, if it may have them. Raises ConfigRefused."""
    changes = login_apart(changes)
    after = patched(before, changes)
    _checked(name, after)
    try:
        check_logins_stay(name, before, changes, after)
    except ConfigError as error:
        raise ConfigRefused(error.problems) from None
    return after


def _apply_to_guests(guests: Guests, before: RtspServerSettings, after: RtspServerSettings) -> int:
    guests.apply(max_clients=after.max_clients, max_clients_per_address=after.max_clients_per_address)
    changed = {name for name, kept in before.users.items() if after.users.get(name) != kept}
    return guests.cut_off(lambda user: user in changed)


def _report(diff: Diff, ended: int) -> Reloaded:
    return Reloaded(
        added=tuple(camera.name for camera in diff.added),
        removed=diff.removed,
        changed={change.name: change.keys for change in diff.changed},
        restarted=tuple(change.name for change in diff.changed if change.restarts),
        settings=diff.now,
        at_next_start=diff.later,
        ended=ended,
    )


def _tell(sentence: str, reloaded: Reloaded, by: str) -> None:
    facts = {
        "added": " ".join(reloaded.added),
        "removed": " ".join(reloaded.removed),
        "changed": " ".join(f"{name}({','.join(keys)})" for name, keys in reloaded.changed.items()),
        "settings": " ".join(reloaded.settings),
        "ended": reloaded.ended,
    }
    log.info(sentence, by=mask(by), **{key: value for key, value in facts.items() if value})
    for key in reloaded.at_next_start:
        log.warning(f"{key} changes at the next start")
