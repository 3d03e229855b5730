"""A worker process that is none: it gives each frame back, or does what the test tells it to."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from camgate.transcode.messages import Counts, Kind, Media
from camgate.transcode.process import WorkerEnded


class FakeWorkers:
    """Opened as `open_worker` is. `slow_s`: what a frame takes; `hangs`: takes none; `kill`: ends the present one."""

    def __init__(self) -> None:
        self.setups: list[dict[str, object]] = []
        self.open = 0
        self.slow_s = 0.0
        self.hangs = False
        self.refuses_to_start = False
        self.encoder = "libx264"
        self.last: FakeWorker | None = None

    @asynccontextmanager
    async def __call__(self, setup: dict[str, object]) -> AsyncIterator["FakeWorker"]:
        self.setups.append(setup)
        self.open += 1
        self.last = worker = FakeWorker(self)
        ended: WorkerEnded | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker.work)
                try:
                    yield worker
                except WorkerEnded as exc:
                    ended = exc
                nursery.cancel_scope.cancel()
        finally:
            self.open -= 1
        if ended is not None:
            raise ended


class FakeWorker:
    """One of them. seen: the frames that were given to it."""

    def __init__(self, workers: FakeWorkers) -> None:
        self._workers = workers
        self._to_do, self._work = trio.open_memory_channel[bytes](0)
        self._out, self._in = trio.open_memory_channel[tuple[Kind, bytes]](1000)
        self._counts = Counts()
        self.seen: list[Media] = []
        self.keys_asked = 0
        self._has_begun = False
        self._dead = trio.Event()

    async def work(self) -> None:
        if self._workers.refuses_to_start:
            self.kill()
            return
        self.tell(Kind.READY, json.dumps({"encoder": self._workers.encoder, "refused": [], "size": None}).encode())
        while True:
            message = await self._work.receive()
            if self._workers.hangs:
                await trio.sleep_forever()
            await trio.sleep(self._workers.slow_s)
            media = Media.unpack(message[5:])
            self.seen.append(media)
            self._counts.frames += 1
            if not media.is_unseen:
                # As of every encoder, its first picture is a key frame.
                made = replace(media, is_key=media.is_key or not self._has_begun)
                self._has_begun = True
                self.tell(Kind.MEDIA, made.pack()[5:])
            self.tell(Kind.TAKEN, self._counts.pack())

    def tell(self, kind: Kind, body: bytes = b"") -> None:
        """Send camgate a message."""
        self._out.send_nowait((kind, body))

    async def send(self, kind: Kind, *parts: bytes) -> None:
        assert kind is Kind.KEY
        self.keys_asked += 1

    async def send_packed(self, message: bytes) -> None:
        if self._dead.is_set():
            raise WorkerEnded("was ended by SIGSEGV")
        await self._to_do.send(message)

    async def receive(self) -> tuple[Kind, bytes]:
        try:
            return await self._in.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise WorkerEnded("was ended by SIGSEGV") from None

    def kill(self) -> None:
        """End it as a crash does."""
        self._dead.set()
        self._out.close()
