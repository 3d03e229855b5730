"""The cameras' states and figures as WebSocket messages, made once for all sockets.

`CameraFeed.run` is one task. It describes a camera again when its state changes; each second when a socket asked for
this camera by name, as a camera's page does; and each few seconds for the sockets that want an overview, which are sent
only what has visibly changed. Each socket holds a cursor and takes what is newer than it has seen. So a slow socket
skips what is out of date, and holds nothing in memory but its cursor and one message a camera. Sockets that may hear of
the same cameras share an audience, which finds out once what all of them have missed.
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

import trio

from camgate.base.log import get_logger
from camgate.relay.changes import Changes
from camgate.serve.http.engine import MediaEngine

log = get_logger("serve.http")

FIGURES_INTERVAL_S = 1.0
"""How often figures (bit rate, viewers) go out to sockets that named their cameras; states go out as they change."""
OVERVIEW_INTERVAL_S = 5.0
"""How often they go out to the other sockets, where they have visibly changed: a wall shows none of them."""
STATES_INTERVAL_S = 0.05
"""Changes within this time go out together: hundreds of cameras dialled at a start would else cost a pass each."""
AT_A_TIME = 20
"""Cameras described before other tasks get their turn: about a millisecond's work."""
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

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(slots=True)
class _Camera:
    """A camera as it was last described; the versions say when that was news, for either kind of socket."""

    visible: tuple[object, ...]
    facts: str
    changed: int
    described: int


class CameraFeed:
    """What sockets are told of cameras."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._cameras: dict[str, _Camera] = {}
        self._version = 0
        self._names_version = 0
        self._audiences: WeakValueDictionary[_AudienceKey, _Audience] = WeakValueDictionary()
        self._overviews = 0
        self._watched: Counter[str] = Counter()
        self._listened = trio.Event()
        self._overview_due_s = self._figures_due_s = math.inf
        self._waiting = trio.CancelScope()
        self._revision = engine.revision()
        self.overview_news = Changes()
        self.figures_news = Changes()

    async def run(self) -> None:
        """Follow the engine for as long as somebody listens."""
        while True:
            await self._listened.wait()
            with trio.move_on_at(min(self._overview_due_s, self._figures_due_s)) as self._waiting:
                await self._engine.wait_changed(self._revision)
            try:
                await self._look(trio.current_time())
            except Exception:
                # Wrong figures are no reason to end all viewers.
                log.exception("describing the cameras failed")
                await trio.sleep(FIGURES_INTERVAL_S)
            await trio.sleep(STATES_INTERVAL_S)

    @contextmanager
    def listen(self, names: frozenset[str] | None = None, sight: Container[object] | None = None) -> Iterator["Cursor"]:
        """Take part; the cursor's first message is the list.

        names: the cameras to hear of; None for an overview. sight: the cameras that one may hear of; None for all. It
        is asked once a camera, and what is found is shared by all who listen with the same one.
        """
        if names is not None and sight is not None:
            names, sight = frozenset(name for name in names if name in sight), None
        if names is not None:
            self._describe(names)
        elif not self._overviews:
            self._describe(self._engine.camera_names())
        self._count(names, 1)
        try:
            yield Cursor(self, self._audience(names, sight))
        finally:
            self._count(names, -1)

    def _audience(self, names: frozenset[str] | None, sight: Container[object] | None) -> "_Audience":
        key = (names, sight)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = _Audience(self, names, sight)
        return audience

    def _count(self, names: frozenset[str] | None, change: int) -> None:
        if names is None:
            self._overviews += change
        for name in names or ():
            self._watched[name] += change
            if not self._watched[name]:
                del self._watched[name]
        now = trio.current_time()
        self._overview_due_s = min(self._overview_due_s, now + OVERVIEW_INTERVAL_S) if self._overviews else math.inf
        self._figures_due_s = min(self._figures_due_s, now + FIGURES_INTERVAL_S) if self._watched else math.inf
        # Who comes may be due before those for whom there is a wait already.
        self._waiting.deadline = min(self._waiting.deadline, self._overview_due_s, self._figures_due_s)
        if self._overviews or self._watched:
            self._listened.set()
        elif self._listened.is_set():
            self._listened = trio.Event()

    async def _look(self, now: float) -> None:
        revision = self._engine.revision()
        names = self._due(now)
        for start in range(0, len(names), AT_A_TIME):
            self._describe(names[start : start + AT_A_TIME])
            await trio.lowlevel.checkpoint()
        self._forget_removed()
        # Last: what could not be described must be tried again.
        self._revision = revision

    def _due(self, now: float) -> list[str]:
        """Return the cameras to describe now."""
        names = set(self._engine.changed_since(self._revision))
        if now >= self._overview_due_s:
            self._overview_due_s = now + OVERVIEW_INTERVAL_S
            names.update(self._engine.camera_names())
        elif not self._overviews:
            names &= self._watched.keys()
        if now >= self._figures_due_s:
            self._figures_due_s = now + FIGURES_INTERVAL_S
            names.update(self._watched)
        return list(names)

    def _describe(self, names: Collection[str]) -> None:
        """Describe these cameras, where they exist, and tell who waits for news of them."""
        self._version += 1
        has_changed = False
        for camera in self._engine.cameras(names) if names else ():
            name, visible = str(camera["name"]), _visible(camera)
            known = self._cameras.get(name)
            is_new = known is None or known.visible != visible
            changed = self._version if known is None or is_new else known.changed
            self._cameras[name] = _Camera(visible, _encode(camera), changed, self._version)
            self._names_version += known is None
            has_changed |= is_new
        if has_changed:
            self.overview_news.announce()
        if self._watched:
            self.figures_news.announce()

    def _forget_removed(self) -> None:
        removed = [name for name in self._cameras if not self._engine.has_camera(name)]
        for name in removed:
            del self._cameras[name]
        if removed:
            self._version += 1
            self._names_version += 1
            self.overview_news.announce()
            self.figures_news.announce()

    def news(self, present: frozenset[str], told: frozenset[str], version: int, *, is_overview: bool) -> list[str]:
        """The messages that tell of those cameras of `present` that are news after `version`, or are not `told` yet.

        is_overview: only what has visibly changed is news.
        """
        return [
            f'{{"type":"camera","camera":{camera.facts}}}'
            for name, camera in self._cameras.items()
            if name in present and ((camera.changed if is_overview else camera.described) > version or name not in told)
        ]

    def facts_in_order(self) -> Iterator[tuple[str, str]]:
        """Every camera's name and what is told of it, in the engine's order."""
        for name in self._engine.camera_names():
            if (camera := self._cameras.get(name)) is not None:
                yield name, camera.facts

    @property
    def version(self) -> int:
        """Rises with each pass, and when cameras go."""
        return self._version

    @property
    def names(self) -> Collection[str]:
        """The cameras that are known."""
        return self._cameras.keys()

    @property
    def names_version(self) -> int:
        """Rises when a camera becomes known or goes."""
        return self._names_version


class _Audience:
    """All sockets that hear of the same cameras: those of `names` (None: an overview), of these those in `sight`."""

    def __init__(self, feed: CameraFeed, names: frozenset[str] | None, sight: Container[object] | None) -> None:
        self._feed = feed
        self._names = names
        self._sight = sight
        self._present: frozenset[str] = frozenset()
        self._present_at = -1
        self._missed: dict[tuple[int, frozenset[str]], list[str]] = {}
        self._missed_at = -1
        self.news = feed.overview_news if names is None else feed.figures_news

    def whole_list(self) -> tuple[frozenset[str], str]:
        """The names of the cameras, and the message that tells of them, in the engine's order."""
        present = self._look()
        # Of those that are known, the engine may have lost one already.
        listed = {name: facts for name, facts in self._feed.facts_in_order() if name in present}
        message = f'{{"type":"cameras","cameras":[{",".join(listed.values())}]}}'
        return present if listed.keys() == present else frozenset(listed), message

    def since(self, version: int, told: frozenset[str]) -> tuple[frozenset[str], Sequence[str]]:
        """What a socket at `version` that knows of `told` has missed: what it knows of then, and the messages."""
        present = self._look()
        if self._missed_at != self._feed.version:
            self._missed_at = self._feed.version
            self._missed = {}
        messages = self._missed.get((version, told))
        if messages is None:
            removed = [_encode({"type": "camera-removed", "name": name}) for name in sorted(told - present)]
            is_overview = self._names is None
            messages = removed + self._feed.news(present, told, version, is_overview=is_overview)
            self._missed[version, told] = messages
        return present, messages

    def _look(self) -> frozenset[str]:
        if self._present_at != self._feed.names_version:
            self._present_at = self._feed.names_version
            names, sight = self._names, self._sight
            self._present = frozenset(
                name
                for name in self._feed.names
                if (names is None or name in names) and (sight is None or name in sight)
            )
        return self._present


_AudienceKey: TypeAlias = tuple[frozenset[str] | None, Container[object] | None]


class Cursor:
    """How far one socket has read."""

    def __init__(self, feed: CameraFeed, audience: _Audience) -> None:
        self._feed = feed
        self._audience = audience
        self._version = -1
        self._told: frozenset[str] = frozenset()

    async def next(self) -> Sequence[str]:
        """Wait for news; give them as messages, oldest first, one a camera at most."""
        audience = self._audience
        if self._version < 0:
            self._version = self._feed.version
            self._told, message = audience.whole_list()
            return [message]
        while True:
            revision = audience.news.revision
            version, self._version = self._version, self._feed.version
            self._told, messages = audience.since(version, self._told)
            if messages:
                return messages
            await audience.news.wait_changed(revision)


def _visible(camera: dict[str, object]) -> tuple[object, ...]:
    """What a person would see change: the state, and figures without the last digits, which never stand still."""
    fps, bitrate_bps, loss = (camera.get(key) or 0 for key in ("fps", "bitrate_bps", "loss"))
    figures = (f"{fps:.0f}", f"{bitrate_bps:.1g}", f"{loss:.2f}")
    facts = (camera.get("viewers"), camera.get("reconnects"), camera.get("gop_outgrows_cache"))
    return (*_state_of(camera), *figures, *facts, bool(camera.get("cache_frames")))


def _state_of(camera: dict[str, object]) -> tuple[object, ...]:
    sub = camera.get("sub")
    own = tuple(camera.get(key) for key in STATE_KEYS)
    return own + tuple(sub.get(key) for key in STATE_KEYS) if isinstance(sub, dict) else own
