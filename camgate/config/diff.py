"""What differs between two configs, and what of it a running camgate can take: pure decisions, for a reload.

    diff = compare(running, wanted)
    diff.applied_to(running) == wanted
    diff.taken_by(running)  # what runs from now on; the rest changes at the next start

Cameras differ key by key, so that only those are connected to anew for which it matters. All else differs section by
section; AT_RUN_TIME leaves out the keys that belong to sockets and to what is built around them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from camgate.config.model import AuthSettings, CameraSettings, Settings, WebhookSettings
from camgate.config.schema import SECTIONS, SUB, WEBHOOKS

SHOWN_KEYS = frozenset({"title", "groups", "expected_fps", "max_viewers"})
"""Of a camera, and known to camgate alone: nothing is connected to anew for them."""
KEY_FRAME_KEYS = frozenset({"onvif", "url", "username", "password"})
"""Of a camera: what asking it for key frames depends on."""
AT_RUN_TIME: Mapping[str, frozenset[str]] = {
    "server": frozenset({"max_viewers"}),
    "webrtc": frozenset({"turn"}),
    "rtsp_server": frozenset({"max_clients", "max_clients_per_address", "users"}),
    "auth": frozenset({"users", "roles", "session_days"}),
    "logging": frozenset({"level"}),
    "metrics": frozenset(),
    "performance": frozenset(),
}
"""By section: the keys that a running camgate takes. It takes all keys of the sections that are not here."""
_OF_SUB = f"{SUB}."


@dataclass(frozen=True, slots=True)
class CameraChange:
    """A camera that is there before and after. keys: what differs, its sub-stream's as `sub.url`."""

    before: CameraSettings
    after: CameraSettings
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.after.name

    @property
    def restarts(self) -> bool:
        """Whether the camera has to be connected to anew."""
        return any(key not in SHOWN_KEYS and key != "onvif" for key in self._own_keys)

    @property
    def asks_anew(self) -> bool:
        """Whether it is asked for key frames in another way."""
        return not KEY_FRAME_KEYS.isdisjoint(self._own_keys)

    @property
    def restarts_sub(self) -> bool:
        """Whether its sub-stream comes, goes or has to be connected to anew."""
        return len(self._own_keys) < len(self.keys)

    @property
    def of_sub(self) -> "CameraChange | None":
        """What differs of its sub-stream, where there is one before and after."""
        keys = tuple(key.removeprefix(_OF_SUB) for key in self.keys if key.startswith(_OF_SUB))
        if not keys or self.before.sub is None or self.after.sub is None:
            return None
        return CameraChange(self.before.sub, self.after.sub, keys)

    @property
    def _own_keys(self) -> list[str]:
        return [key for key in self.keys if key != SUB and not key.startswith(_OF_SUB)]


@dataclass(frozen=True, slots=True)
class SectionChange:
    """A section that differs. keys: what differs; after: as it is wanted; taken: as it is from now on."""

    name: str
    keys: tuple[str, ...]
    after: Any
    taken: Any

    @property
    def now(self) -> list[str]:
        """The keys that hold at once."""
        return [key for key in self.keys if getattr(self.taken, key) == getattr(self.after, key)]

    @property
    def later(self) -> list[str]:
        """The keys that hold from the next start on."""
        return [key for key in self.keys if getattr(self.taken, key) != getattr(self.after, key)]


@dataclass(frozen=True, slots=True)
class Diff:
    """All that differs.

    order: of all cameras after it, where that is not as adding and removing leave it. webhooks: by name, those that
    differ as they are wanted; None for one that is wanted no more.
    """

    added: tuple[CameraSettings, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[CameraChange, ...] = ()
    order: tuple[str, ...] | None = None
    sections: tuple[SectionChange, ...] = ()
    webhooks: Mapping[str, WebhookSettings | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self == Diff()

    @property
    def now(self) -> tuple[str, ...]:
        """What is taken at once of all that is no camera, as key paths."""
        keys = [f"{section.name}.{key}" for section in self.sections for key in section.now]
        return (*keys, *(f"{WEBHOOKS}.{name}" for name in self.webhooks))

    @property
    def later(self) -> tuple[str, ...]:
        """What changes at the next start, as key paths."""
        return tuple(f"{section.name}.{key}" for section in self.sections for key in section.later)

    def applied_to(self, before: Settings) -> Settings:
        """Return the config that `before` was compared with."""
        sections = {section.name: section.after for section in self.sections}
        return replace(
            before, cameras=self._cameras(before.cameras), webhooks=self._webhooks(before.webhooks), **sections
        )

    def taken_by(self, running: Settings) -> Settings:
        """Return what runs once it was taken: as it is wanted, but for what changes at the next start."""
        sections = {section.name: section.taken for section in self.sections}
        return replace(
            running, cameras=self._cameras(running.cameras), webhooks=self._webhooks(running.webhooks), **sections
        )

    def _cameras(self, before: Mapping[str, CameraSettings]) -> dict[str, CameraSettings]:
        cameras = {name: camera for name, camera in before.items() if name not in self.removed}
        cameras |= {change.name: change.after for change in self.changed}
        cameras |= {camera.name: camera for camera in self.added}
        return cameras if self.order is None else {name: cameras[name] for name in self.order}

    def _webhooks(self, before: Mapping[str, WebhookSettings]) -> dict[str, WebhookSettings]:
        after = {**before, **self.webhooks}
        return {name: webhook for name, webhook in after.items() if webhook is not None}


def compare(running: Settings, wanted: Settings) -> Diff:
    """Return what differs."""
    before, after = running.cameras, wanted.cameras
    left = [*(name for name in before if name in after), *(name for name in after if name not in before)]
    return Diff(
        added=tuple(camera for name, camera in after.items() if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(_camera_changes(before, after)),
        order=None if left == list(after) else tuple(after),
        sections=tuple(_section_changes(running, wanted)),
        webhooks=_webhook_changes(running.webhooks, wanted.webhooks),
    )


def _camera_changes(
    before: Mapping[str, CameraSettings], after: Mapping[str, CameraSettings]
) -> Iterator[CameraChange]:
    for name, camera in after.items():
        if name in before and before[name] != camera:
            yield CameraChange(before[name], camera, tuple(_camera_keys(before[name], camera)))


def _camera_keys(before: CameraSettings, after: CameraSettings) -> Iterator[str]:
    for key in _differing(before, after):
        if key == SUB and before.sub is not None and after.sub is not None:
            yield from (f"{_OF_SUB}{inner}" for inner in _differing(before.sub, after.sub))
        else:
            yield key


def _section_changes(running: Settings, wanted: Settings) -> Iterator[SectionChange]:
    for name in SECTIONS:
        before, after = getattr(running, name), getattr(wanted, name)
        if keys := _differing(before, after):
            at_once = AT_RUN_TIME.get(name, keys)
            taken = replace(before, **{key: getattr(after, key) for key in keys if key in at_once})
            if isinstance(before, AuthSettings):
                taken = _taken_of_auth(before, after, taken)
            yield SectionChange(name, tuple(keys), after, taken)


def _webhook_changes(
    before: Mapping[str, WebhookSettings], after: Mapping[str, WebhookSettings]
) -> dict[str, WebhookSettings | None]:
    names = dict.fromkeys([*before, *after])
    return {name: after.get(name) for name in names if before.get(name) != after.get(name)}


def _taken_of_auth(before: AuthSettings, after: AuthSettings, taken: AuthSettings) -> AuthSettings:
    # Whoever is to be believed no longer is not from now on; others are believed, or otherwise believed, later.
    issuers = {name: issuer for name, issuer in before.issuers.items() if name in after.issuers}
    taken = replace(taken, issuers=issuers)
    # Who may reach the listeners hangs on whether there is anybody to sign in.
    return taken if before.is_on == after.is_on == taken.is_on else before


def _differing(before: Any, after: Any) -> list[str]:
    """Return the names of the fields that differ, in the order of the class."""
    names = [each.name for each in fields(before)]
    return [name for name in names if getattr(before, name) != getattr(after, name)]
