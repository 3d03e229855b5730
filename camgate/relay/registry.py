"""All cameras by name, and one counter that rises whenever one of them changes."""

from collections.abc import Sequence
from functools import partial

from camgate.base.errors import LocalError
from camgate.relay.changes import Changes
from camgate.relay.errors import UnknownCamera
from camgate.relay.source import Source


class Registry:
    """The cameras that exist now, in the order in which they were added or `sort` put them.

    `revision` rises when a camera is added or removed, and at each change of a camera's state, error or format.
    """

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._changed_at: dict[str, int] = {}
        self._changes = Changes()

    @property
    def revision(self) -> int:
        return self._changes.revision

    def add(self, source: Source) -> None:
        """Make a camera known. Raises LocalError when its name is taken."""
        if source.name in self._sources:
            raise LocalError(f"a camera named {source.name!r} is already registered")
        self._sources[source.name] = source
        source.on_change = partial(self._note_change, source.name)
        source.on_change()

    def remove(self, name: str) -> None:
        """Forget a camera and end its stream. Raises UnknownCamera."""
        source = self.get(name)
        del self._sources[name], self._changed_at[name]
        source.on_change = None
        source.close()
        self._changes.announce()

    def sort(self, names: Sequence[str]) -> None:
        """Put the cameras, whose names these are, in this order."""
        self._sources = {name: self._sources[name] for name in names}

    def has(self, name: str) -> bool:
        """Say whether there is a camera of that name."""
        return name in self._sources

    def get(self, name: str) -> Source:
        """Return a camera. Raises UnknownCamera."""
        try:
            return self._sources[name]
        except KeyError:
            raise UnknownCamera(name) from None

    def sources(self) -> list[Source]:
        """Return all cameras, in their order."""
        return list(self._sources.values())

    def changed_since(self, revision: int) -> list[str]:
        """Return the names of the cameras that were added or changed after `revision`, and still exist."""
        return [name for name, changed_at in self._changed_at.items() if changed_at > revision]

    def _note_change(self, name: str) -> None:
        self._changes.announce()
        self._changed_at[name] = self._changes.revision

    async def wait_changed(self, revision: int) -> int:
        """Return the present revision as soon as it is not `revision`."""
        return await self._changes.wait_changed(revision)
