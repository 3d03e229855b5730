"""One reader's place in a stream: a queue that is bounded in bytes and in age, and never holds up the stream."""

from collections import deque
from typing import Self

import trio

from camgate.wire.codec.frame import Frame

MAX_QUEUE_BYTES = 4 << 20
"""The largest key-frame cache: a reader may be as far behind as that, never further."""

MAX_QUEUE_AGE_S = 0.25
"""A quarter of a second: beyond it a live picture is not live, and catching up is worth a skip."""

MAX_QUEUE_FRAMES = 1024
"""Only bounds the channel itself; a reader that far behind has long passed the bounds in bytes or age."""


class Subscription:
    """Frames of one stream for one reader, in order, until the stream closes or the reader's `with` block ends.

    A reader that falls behind loses its whole backlog and continues at the next key frame, so what it receives
    can always be decoded. Made by `Stream.subscribe`; the stream calls `offer` and `close`, the reader the rest.
    """

    def __init__(self, *, max_bytes: int, max_age_s: float, at_key_frame: bool) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._send: trio.MemorySendChannel[Frame]
        self._receive: trio.MemoryReceiveChannel[Frame]
        self._send, self._receive = trio.open_memory_channel(MAX_QUEUE_FRAMES)
        # The channel cannot be looked into, so this says how old and how big its content is.
        self._backlog: deque[Frame] = deque()
        self._backlog_bytes = 0
        self._waits_for_key = at_key_frame
        self._fell_behind = False
        self._is_shed = False
        self._begins_anew = False
        self._viewers = 1
        self.dropped_frames = 0
        self.shed_frames = 0
        self.closed = False

    @property
    def queued_frames(self) -> int:
        return len(self._backlog)

    @property
    def queued_bytes(self) -> int:
        return self._backlog_bytes

    def queue_age_s(self, now: float) -> float:
        """How long the oldest frame has waited since it arrived; 0 when none waits."""
        return max(0.0, now - self._backlog[0].arrival_s) if self._backlog else 0.0

    @property
    def viewers(self) -> int:
        """How many people watch through this reader; a sender that serves many says so by `set_viewers`."""
        return self._viewers

    def set_viewers(self, count: int) -> None:
        self._viewers = count

    async def receive(self) -> Frame:
        """Return the next frame. Raises trio.EndOfChannel once the stream is closed and the queue is empty."""
        frame = await self._receive.receive()
        while not self._taken(frame):
            frame = await self._receive.receive()
        return frame

    def receive_nowait(self) -> Frame:
        """Return the next frame. Raises trio.WouldBlock when there is none yet, trio.EndOfChannel as `receive`."""
        frame = self._receive.receive_nowait()
        self._taken(frame)
        return frame

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def offer(self, frame: Frame) -> int:
        """Queue a frame, or drop what a reader that is too slow cannot use; returns how many frames it lost."""
        if self._waits_for_key and not frame.is_key:
            # A reader that only just began has lost nothing by waiting.
            lost = int(self._fell_behind)
            self.shed_frames += self._is_shed
        else:
            lost = self._discard_backlog() if self._is_behind(frame) else 0
            if lost and not frame.is_key:
                self._waits_for_key = self._fell_behind = True
                lost += 1
            else:
                self._waits_for_key = self._fell_behind = self._is_shed = False
                self._backlog.append(frame)
                self._backlog_bytes += frame.size_bytes
                self._send.send_nowait(frame)
        self.dropped_frames += lost
        return lost

    def shed(self) -> int:
        """Drop what waits, and all that comes before the next key frame; returns how many frames that is so far.

        These count as `shed_frames`, not as `dropped_frames`: the reader did not choose to be late.
        """
        lost = self._discard_backlog()
        self.shed_frames += lost
        if not self._waits_for_key:
            self._waits_for_key = self._is_shed = True
        return lost

    def begin_anew(self) -> None:
        """Drop what waits, and go on at the next key frame: it is of another codec, as is all that follows."""
        self._discard_backlog()
        self._waits_for_key = self._begins_anew = True

    def close(self) -> None:
        """End the queue: the reader gets what is in it, then trio.EndOfChannel."""
        self.closed = True
        self._send.close()

    def abandon(self) -> None:
        """Drop the queue: the reader is gone."""
        self.close()
        self._receive.close()
        self._backlog.clear()
        self._backlog_bytes = 0

    def _is_behind(self, frame: Frame) -> bool:
        backlog = self._backlog
        return bool(backlog) and (
            self._backlog_bytes + frame.size_bytes > self._max_bytes
            or frame.arrival_s - backlog[0].arrival_s > self._max_age_s
            or len(backlog) >= MAX_QUEUE_FRAMES
        )

    def _discard_backlog(self) -> int:
        lost = 0
        try:
            while True:
                self._receive.receive_nowait()
                lost += 1
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            pass  # empty, and perhaps the stream has ended or the reader is gone
        self._backlog.clear()
        self._backlog_bytes = 0
        return lost

    def _taken(self, frame: Frame) -> bool:
        """Take a frame out of the account; False where it is one from before `begin_anew`."""
        # A frame handed to a waiting reader just before the backlog was discarded is no longer in it.
        if self._backlog and self._backlog[0] is frame:
            self._backlog.popleft()
            self._backlog_bytes -= frame.size_bytes
            self._begins_anew = False
        return not self._begins_anew
