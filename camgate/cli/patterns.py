"""Patterns that cover no camera, which a typing mistake does: what to say of them."""

from collections.abc import Collection

from camgate.auth.identity import GROUP_PREFIX, Grant
from camgate.config.model import CameraSettings, Settings

MAX_LISTED = 8
"""Names in a sentence."""


def covered(grant: Grant, settings: Settings) -> list[CameraSettings]:
    """Return the cameras that a grant covers."""
    cameras = settings.cameras.values()
    return [camera for camera in cameras if grant.covers(grant.action, camera.name, camera.groups)]


def what_there_is(pattern: str, settings: Settings) -> str:
    """Return what a pattern that covers nothing could have meant."""
    if not pattern.startswith(GROUP_PREFIX):
        return f"there are {_listed(settings.cameras)}"
    groups = {group for camera in settings.cameras.values() for group in camera.groups}
    return f"there are the groups {_listed(groups)}" if groups else "no camera has groups"


def _listed(names: Collection[str]) -> str:
    first, rest = sorted(names)[:MAX_LISTED], len(names) - MAX_LISTED
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")
