"""`Reloader`: the one road on which a running camgate comes to other settings.

    read (in a thread) -> compare -> check -> take

Taking does not wait, so nobody sees a half of it: a camera that comes with a narrower role is never there before the
role is. What has to hang up first does so in the background (`ingest.cameras`). What is wrong with a config is found
before anything is taken. One reload at a time; whoever asks meanwhile gets one of their own behind it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from camgate.auth.access import Access
from camgate.base.log import get_logger
from camgate.base.secrets import mask
from camgate.config.diff import Diff, compare
from camgate.config.errors import ConfigError, Problem, StartError
from camgate.config.exposure import check_exposure, exposures
from camgate.config.load import start_problem
from camgate.config.model import RtspServerSettings, Settings
from camgate.engine import Engine
from camgate.ingest.cameras import Cameras
from camgate.serve.http.control import ConfigRefused, NothingToReload, Reloaded
from camgate.serve.http.rates import Rates
from camgate.serve.rtsp.guests import Guests

log = get_logger("reload")

REMOVED = "the camera was removed"
"""What its viewers are told."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where a running camgate has its settings from. read: may take its time, and raises ConfigError."""

    file: Path
    read: Callable[[], Settings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Whoever takes settings. guests: None where there is no RTSP server."""

    cameras: Cameras
    access: Access
    engine: Engine
    rates: Rates
    guests: Guests | None


class Reloader:
    """Knows what runs, and has its parts take what differs."""

    def __init__(self, source: ConfigSource | None, parts: Parts, *, insecure: bool) -> None:
        """source: None where there is no file. insecure: the operator wants it reached without users."""
        self._source = source
        self._parts = parts
        self._insecure = insecure
        self._one_at_a_time = trio.Lock()

    @property
    def settings(self) -> Settings:
        """Those of now."""
        return self._parts.engine.settings

    async def reload(self, by: str) -> Reloaded:
        """Read the config anew and take it; see `serve.http.control.Control`."""
        if self._source is None:
            raise NothingToReload
        async with self._one_at_a_time:
            try:
                wanted = await trio.to_thread.run_sync(self._source.read)
                diff = compare(self.settings, wanted)
                self._check(wanted, diff)
            except ConfigError as error:
                for problem in error.problems:
                    log.error("the config is not taken, and the one before holds on", by=by, problem=str(problem))
                raise ConfigRefused(error.problems) from None
            return self._take(diff, by)

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

    def _take(self, diff: Diff, by: str) -> Reloaded:
        before, parts = self.settings, self._parts
        after = diff.taken_by(before)
        parts.engine.apply(after)
        ended = sum(parts.access.leases.end_of_camera(name, REMOVED) for name in diff.removed)
        ended += parts.access.apply(after.auth, {name: camera.groups for name, camera in after.cameras.items()})
        parts.cameras.apply(diff)
        parts.rates.apply(after.limits)
        if parts.guests is not None:
            ended += _apply_to_guests(parts.guests, before.rtsp_server, after.rtsp_server)
        if after.logging.level != before.logging.level:
            logging.getLogger("camgate").setLevel(after.logging.level.upper())
        reloaded = _report(diff, ended)
        _tell(reloaded, by)
        return reloaded


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


def _tell(reloaded: Reloaded, by: str) -> None:
    facts = {
        "added": " ".join(reloaded.added),
        "removed": " ".join(reloaded.removed),
        "changed": " ".join(f"{name}({','.join(keys)})" for name, keys in reloaded.changed.items()),
        "settings": " ".join(reloaded.settings),
        "ended": reloaded.ended,
    }
    log.info("the config was read anew", by=mask(by), **{key: value for key, value in facts.items() if value})
    for key in reloaded.at_next_start:
        log.warning(f"{key} changes at the next start")
