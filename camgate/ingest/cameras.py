"""`Cameras`: the supervisors of all cameras of a registry, which come, go and change while others stay as they are.

    cameras = Cameras(registry, intake)
    nursery.start_soon(cameras.run)
    cameras.add(settings)

`run` owns a task for each stream that is kept supplied, and one for each that is asked for key frames. A camera that
changes ends its session and begins another in the same task, so that never two of them are open: some cameras take one.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Never

import trio

from camgate.config.diff import CameraChange, Diff
from camgate.config.model import CameraSettings
from camgate.ingest.intake import Intake
from camgate.ingest.onvif_keyframes import ask_for_key_frames
from camgate.ingest.supervisor import keep_supplied
from camgate.ingest.vitals import Vitals
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source


class Cameras:
    """Everything that is dialled."""

    def __init__(self, registry: Registry, intake: Intake) -> None:
        self._registry = registry
        self._intake = intake
        self._feeds: dict[str, _Feed] = {}
        # Unbounded on purpose: a reload must not wait between its steps.
        self._starting, self._to_start = trio.open_memory_channel[_Slot](float("inf"))

    async def run(self) -> Never:
        """Run all supervisors until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                nursery.start_soon((await self._to_start.receive()).run)

    def apply(self, diff: Diff) -> None:
        """Let cameras go, change and come, at once; what has to hang up first does so in the background."""
        gone = [event for name in diff.removed for event in self.remove(name)]
        for change in diff.changed:
            self.change(change)
        for camera in diff.added:
            # One of them may be a camera that was removed, by another name.
            self.add(camera, after=gone)
        if diff.order is not None:
            self._registry.sort(diff.order)

    def add(self, camera: CameraSettings, *, after: Sequence[trio.Event] = ()) -> None:
        """Register a camera and dial it, once what is in `after` has happened."""
        source = Source(camera.name, title=camera.title, expected_fps=camera.expected_fps)
        feed = self._feeds[camera.name] = _Feed(source)
        feed.main = self._supply(camera, source, after)
        if camera.sub is not None:
            self._add_sub(feed, camera.sub, after)
        self._registry.add(source)

    def remove(self, name: str) -> list[trio.Event]:
        """Forget a camera and end its streams; returns what happens when it is hung up. Raises UnknownCamera."""
        self._registry.remove(name)
        feed = self._feeds.pop(name)
        return [slot.ended for supply in feed.supplies() for slot in supply.stop()]

    def change(self, change: CameraChange) -> None:
        """Take other settings of a camera; it is connected to anew where they ask for it. Its readers stay."""
        camera, feed = change.after, self._feeds[change.name]
        feed.source.set_title(camera.title)
        feed.source.expected_fps = camera.expected_fps
        assert feed.main is not None
        feed.main.change(change)
        if not change.restarts_sub:
            return
        if change.of_sub is not None and feed.sub is not None:
            feed.sub.change(change.of_sub)
            return
        ended = [slot.ended for slot in feed.sub.stop()] if feed.sub is not None else []
        feed.source.detach_sub()
        feed.sub = None
        if camera.sub is not None:
            self._add_sub(feed, camera.sub, ended)

    def ailing(self, now: float) -> str | None:
        """Say which supervisor has ended or hangs, if one does. None of them ever should: it is an error of ours."""
        for name, feed in self._feeds.items():
            for supply in feed.supplies():
                if supply.session.ended.is_set() or supply.asker.ended.is_set():
                    return f"the supervisor of {name} has ended"
                if supply.vitals.due_s < now:
                    return f"the supervisor of {name} hangs"
        return None

    def _add_sub(self, feed: "_Feed", settings: CameraSettings, after: Sequence[trio.Event]) -> None:
        sub = Source(settings.name)
        feed.source.attach_sub(sub)
        feed.sub = self._supply(settings, sub, after)

    def _supply(self, settings: CameraSettings, source: Source, after: Sequence[trio.Event]) -> "_Supply":
        supply = _Supply(settings, source, self._intake, after)
        self._starting.send_nowait(supply.session)
        self._starting.send_nowait(supply.asker)
        return supply


class _Feed:
    """A camera, and what supplies its one or two streams."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.main: _Supply | None = None
        self.sub: _Supply | None = None

    def supplies(self) -> list["_Supply"]:
        return [supply for supply in (self.main, self.sub) if supply is not None]


class _Supply:
    """What a stream comes from. session: dials and reads the camera; asker: asks it for key frames."""

    def __init__(self, settings: CameraSettings, source: Source, intake: Intake, after: Sequence[trio.Event]) -> None:
        async def supply(settings: CameraSettings) -> None:
            # Whoever supplied it before is gone only now.
            source.begin_anew()
            await keep_supplied(settings, source, intake, vitals=self.vitals)

        self.vitals = Vitals()
        self._source = source
        self.session = _Slot(supply, settings, after, at_end=lambda: source.set_state(CameraState.STOPPED))
        self.asker = _Slot(lambda settings: ask_for_key_frames(settings, source.stream), settings, after)

    def change(self, change: CameraChange) -> None:
        if change.restarts:
            # While the last session says goodbye, nobody is to take its pictures for the new one's.
            self._source.set_state(CameraState.CONNECTING)
            self._source.stream.forget_pictures()
            self.session.restart(change.after)
        if change.asks_anew:
            self.asker.restart(change.after)

    def stop(self) -> tuple["_Slot", "_Slot"]:
        self.session.stop()
        self.asker.stop()
        return self.session, self.asker


class _Slot:
    """One task that works by settings until it is given others, and then works by those."""

    def __init__(
        self,
        work: Callable[[CameraSettings], Awaitable[None]],
        settings: CameraSettings,
        after: Sequence[trio.Event],
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """after: what it waits for before it begins. at_end: called when it works no more."""
        self._work = work
        self._settings: CameraSettings | None = settings
        self._after = after
        self._at_end = at_end
        self._scope = trio.CancelScope()
        self.ended = trio.Event()

    async def run(self) -> None:
        try:
            for event in self._after:
                await event.wait()
            while (settings := self._settings) is not None:
                with trio.CancelScope() as self._scope:
                    await self._work(settings)
                    # Nothing to do by these settings; there may be by others.
                    await trio.sleep_forever()
        finally:
            self._at_end()
            self.ended.set()

    def restart(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._scope.cancel()

    def stop(self) -> None:
        self._settings = None
        self._scope.cancel()
