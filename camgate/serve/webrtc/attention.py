"""How soon viewers' datagrams are read: at once while someone needs an answer, else with the next frame.

A wake-up from idle costs more than to read a datagram. Two hundred viewers send about 280 reports and consent checks a
second, at any time; a camera's frames wake us 25 times a second anyway. So while frames flow and nobody connects or
misses packets, the readers rest and the senders look at the sockets after a frame. The kernel keeps what comes
meanwhile.
"""

from collections.abc import Callable

import trio

ATTENTIVE_S = 3.0
"""So long after somebody came, or missed something, each datagram is read as it comes: a connection takes less than a
second, and who loses packets asks for them again and again."""
LOOK_INTERVAL_S = 0.004
"""Frames of many cameras follow each other faster than there is something to read."""
REST_S = 0.1
"""How often a resting reader sees to it that frames still flow."""
FRAMES_FLOW_S = 0.06
"""Without a frame for so long they do not. A datagram waits this and REST_S at the longest, when frames stop."""


class Attention:
    """Shared by the endpoint's readers, who rest, and the senders, who look in their place."""

    def __init__(self) -> None:
        self._looks: list[Callable[[], None]] = []
        self._looked_s = self._frame_s = self._attentive_until_s = float("-inf")
        self._called = trio.Event()

    def call(self) -> None:
        """Ask for attention: somebody will send what cannot wait for a frame."""
        self._attentive_until_s = trio.current_time() + ATTENTIVE_S
        self._called.set()

    def note_frame(self) -> None:
        """Take note that a frame was sent, and look at the sockets of the readers that rest."""
        now = self._frame_s = trio.current_time()
        if now - self._looked_s >= LOOK_INTERVAL_S:
            self._looked_s = now
            for look in self._looks:
                look()

    async def rest(self, look: Callable[[], None]) -> None:
        """Let the senders `look` for as long as that is enough; never waits when it is not."""
        self._looks.append(look)
        try:
            while self._is_at_rest():
                self._called = trio.Event() if self._called.is_set() else self._called
                with trio.move_on_after(REST_S):
                    await self._called.wait()
        finally:
            self._looks.remove(look)

    def _is_at_rest(self) -> bool:
        now = trio.current_time()
        return now >= self._attentive_until_s and now - self._frame_s <= FRAMES_FLOW_S
