"""The cameras' states and figures as WebSocket messages, made once for all sockets.

`CameraFeed.run` is one task; each socket holds a cursor and takes what is newer than it has seen. So a slow socket
skips what is out of date, and holds nothing in memory but its cursor.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from camgate.base.log import get_logger
from camgate.serve.http.engine import MediaEngine

log = get_logger("serve.http")

FIGURES_INTERVAL_S = 1.0
"""How often figures (bit rate, viewers) go out while somebody listens; states go out as they change."""
STATES_INTERVAL_S = 0.05
"""Changes within this time go out together: hundreds of cameras dialled at a start would else cost a pass each."""
STATE_KEYS = (
    "title",
    "state",
    "last_error",
    "needs_attention",
    "healthy",
    "health_reason",
    "demand",
    "codec",
    "profile",
    "has_b_frames",
    "width",
    "height",
)
"""What goes out at once when it changes, of the sub-stream as well; all else are figures."""


@dataclass(slots=True)
class _Camera:
    state: tuple[object, ...]
    message: str
    version: int


class CameraFeed:
    """What sockets are told of cameras."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._cameras: dict[str, _Camera] = {}
        self._list_message = ""
        self._list_version = 0
        self._version = 0
        self._changed = trio.Event()
        self._listeners = 0
        self._listened = trio.Event()
        self._figures_due = -math.inf
        self._revision = -1

    async def run(self) -> None:
        """Follow the engine for as long as somebody listens."""
        while True:
            await self._listened.wait()
            with trio.move_on_at(self._figures_due):
                await self._engine.wait_changed(self._revision)
            try:
                self._publish(with_figures=trio.current_time() >= self._figures_due)
            except Exception:
                # Wrong figures are no reason to end all viewers.
                log.exception("describing the cameras failed")
                await trio.sleep(FIGURES_INTERVAL_S)
            await trio.sleep(STATES_INTERVAL_S)

    @contextmanager
    def listen(self) -> Iterator["Cursor"]:
        """Take part: the cursor's first messages are the whole list."""
        if self._listeners == 0:
            self._publish(with_figures=True)
        self._listeners += 1
        self._listened.set()
        try:
            yield Cursor(self)
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                self._listened = trio.Event()

    def _publish(self, *, with_figures: bool) -> None:
        self._revision = self._engine.revision()
        cameras = self._engine.cameras()
        version = self._version + 1
        known, self._cameras = self._cameras, self._described(cameras, version)
        # A list must not be older than a removal, or it would bring the camera back.
        if with_figures or known.keys() - self._cameras.keys():
            self._list_message = _dumps({"type": "cameras", "cameras": cameras})
            self._list_version = version
            self._figures_due = trio.current_time() + FIGURES_INTERVAL_S
        if self._list_version == version or self._cameras != known:
            self._version = version
            self._changed.set()
            self._changed = trio.Event()

    def _described(self, cameras: list[dict[str, object]], version: int) -> dict[str, _Camera]:
        """The cameras by name; those whose state is not new keep their version."""
        described = {}
        for camera in cameras:
            name, state = str(camera["name"]), _state_of(camera)
            known = self._cameras.get(name)
            if known is not None and known.state == state:
                described[name] = known
            else:
                described[name] = _Camera(state, _dumps({"type": "camera", "camera": camera}), version)
        return described

    async def wait_newer(self, version: int) -> None:
        """Wait until there is something newer than `version`."""
        while self._version <= version:
            await self._changed.wait()

    def since(self, version: int, names: frozenset[str]) -> tuple[int, frozenset[str], list[str]]:
        """What a reader at `version` that knows of `names` has missed: its new version and names, and the messages."""
        present = frozenset(self._cameras)
        messages = [_dumps({"type": "camera-removed", "name": name}) for name in sorted(names - present)]
        if self._list_version > version:
            messages.append(self._list_message)
        newest = max(version, self._list_version)
        messages += [camera.message for camera in self._cameras.values() if camera.version > newest]
        return self._version, present, messages


class Cursor:
    """How far one socket has read."""

    def __init__(self, feed: CameraFeed) -> None:
        self._feed = feed
        self._version = 0
        self._names: frozenset[str] = frozenset()

    async def next(self) -> list[str]:
        """Wait for news; give them as messages, oldest first."""
        await self._feed.wait_newer(self._version)
        self._version, self._names, messages = self._feed.since(self._version, self._names)
        return messages


def _state_of(camera: dict[str, object]) -> tuple[object, ...]:
    sub = camera.get("sub")
    own = tuple(camera.get(key) for key in STATE_KEYS)
    return own + tuple(sub.get(key) for key in STATE_KEYS) if isinstance(sub, dict) else own


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
