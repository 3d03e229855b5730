"""Ends what was given when the right to it ends: at its time, or when what it stands on is gone.

Whoever serves something for longer than an answer (a viewer, a WebSocket, an RTSP client) holds a lease for it. One
task, `Leases.run`, waits for the next end.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import trio

from camgate.auth.identity import Identity, Way

OVER = "the permission has ended"
"""The reason for whoever was cut at their time."""


class Lease:
    """What somebody holds; `end` is called once, with the reason in words, unless it was given back before.

    identity: as of now: the end of a session moves when it is renewed. camera: what it is of; None for what is about
    all that its holder may see.
    """

    __slots__ = ("camera", "end", "identity")

    def __init__(self, identity: Identity, end: Callable[[str], None], camera: str | None) -> None:
        self.identity = identity
        self.end = end
        self.camera = camera


class Leases:
    """All that is held at present.

    clock: tells Unix time in seconds. why_over: says why a lease does not hold, None where it does; asked when it is
    taken, as seconds may have passed since somebody looked who asks.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        why_over: Callable[[Lease], str | None] = lambda _lease: None,
    ) -> None:
        self._clock = clock
        self._why_over = why_over
        self._held: set[Lease] = set()
        self._changed = trio.Event()
        self._next_s = math.inf

    def take(self, identity: Identity, end: Callable[[str], None], camera: str | None = None) -> Lease:
        """Hold something for `identity`. end: must not wait, nor raise; is called in the event loop, maybe at once."""
        lease = Lease(identity, end, camera)
        if (reason := self._why_over(lease)) is not None:
            end(reason)
            return lease
        self._held.add(lease)
        now_s = self._clock()
        if identity.has_ended(now_s) or identity.next_end_s(now_s) < self._next_s:
            self._changed.set()
        return lease

    def give_back(self, lease: Lease) -> None:
        """Hold it no longer; does nothing when it has ended."""
        self._held.discard(lease)

    @contextmanager
    def holding(self, identity: Identity, end: Callable[[str], None], camera: str | None = None) -> Iterator[Lease]:
        """Hold something for as long as the block runs."""
        lease = self.take(identity, end, camera)
        try:
            yield lease
        finally:
            self.give_back(lease)

    def prolong(self, session_id: str, ends_s: float) -> None:
        """Have nothing that is held by a session end before the session does (Unix time)."""
        for lease in self._held:
            was = lease.identity
            if was.way is Way.SESSION and f"id:{session_id}" in was.stands_on and was.has_ended(ends_s):
                lease.identity = replace(was, expires_at=ends_s)

    def end_all(self, is_gone: Callable[[Identity], bool], reason: str) -> int:
        """End what identities hold for which `is_gone`; returns how many that were."""
        ended = [lease for lease in self._held if is_gone(lease.identity)]
        self._end_those(ended, reason)
        return len(ended)

    def end_of_camera(self, camera: str, reason: str) -> int:
        """End what is held of a camera; returns how many that were."""
        ended = [lease for lease in self._held if lease.camera == camera]
        self._end_those(ended, reason)
        return len(ended)

    def end_over_links(self, reason: str) -> None:
        """End what of a camera was held by a share link that holds no more, whoever its holder is besides.

        Of what is about all cameras only `why_over` knows what becomes of it.
        """
        for lease in self.held():
            if lease.identity.links and (why := self._why_over(lease)) is not None:
                self.end(lease, why if lease.camera is None else reason)

    def end(self, lease: Lease, reason: str) -> None:
        """End one; does nothing when it has ended, or was given back."""
        if lease in self._held:
            self._end_those([lease], reason)

    def held(self) -> list[Lease]:
        """Return all that is held."""
        return list(self._held)

    def __len__(self) -> int:
        """How many are held."""
        return len(self._held)

    async def run(self) -> None:
        """End each lease at its time, until cancelled. Looks again each minute, as clocks are set."""
        while True:
            self._changed = trio.Event()
            now_s = self._clock()
            self._end_those([lease for lease in self._held if lease.identity.has_ended(now_s)], OVER)
            self.end_over_links(OVER)
            self._next_s = min((lease.identity.next_end_s(now_s) for lease in self._held), default=math.inf)
            with trio.move_on_after(min(60.0, self._next_s - now_s)):
                await self._changed.wait()

    def _end_those(self, leases: list[Lease], reason: str) -> None:
        for lease in leases:
            self._held.discard(lease)
            lease.end(reason)
