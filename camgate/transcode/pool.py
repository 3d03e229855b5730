"""All derived streams of this process: one a camera and codec, made while somebody wants it, no more than the limit.

`run` owns a task for each. Who wants a derived stream holds its `wants`, as for any other stream.
"""

import trio

from camgate.base.log import get_logger
from camgate.config.model import TranscodeSettings
from camgate.relay.errors import TooManyTranscoders
from camgate.relay.stream import Stream
from camgate.transcode.process import open_worker
from camgate.transcode.transcoder import OpenWorker, Transcoder, TranscoderStatistics

FULL_RETRY_S = 10.0

log = get_logger("transcode")


class TranscoderPool:
    """Finds and makes derived streams."""

    def __init__(self, settings: TranscodeSettings, open_worker: OpenWorker = open_worker) -> None:
        self._settings = settings
        self._open_worker = open_worker
        self._running: dict[tuple[Stream, str], Transcoder] = {}
        # Unbounded on purpose: `derive` must not wait, and the number of transcoders is bounded.
        self._starting, self._to_start = trio.open_memory_channel[Transcoder](float("inf"))
        self._evicted = trio.Event()
        self.refused = 0

    def apply(self, settings: TranscodeSettings) -> None:
        """Take other settings; what is being made goes on as it is."""
        self._settings = settings

    @property
    def is_on(self) -> bool:
        """Whether anything may be transcoded at all."""
        return self._settings.max_streams > 0

    def derive(self, source: Stream, target: str) -> Stream:
        """Return the stream that is `source` in another codec, `H264` or `VP8`; hold its `wants` at once.

        Raises TooManyTranscoders.
        """
        transcoder = self._running.get((source, target))
        if transcoder is None:
            self._make_room()
            transcoder = Transcoder(source, target, self._settings, self._open_worker)
            self._running[source, target] = transcoder
            self._starting.send_nowait(transcoder)
        return transcoder.stream

    def _make_room(self) -> None:
        limit = self._settings.max_streams
        if len(self._running) < limit:
            return
        for transcoder in list(self._running.values()):
            if not transcoder.stream.wants.count:
                # It only lingers.
                self._forget(transcoder)
                self._evicted.set()
                self._evicted = trio.Event()
                return
        self.refused += 1
        raise TooManyTranscoders(limit, retry_after_s=FULL_RETRY_S)

    async def run(self) -> None:
        """Run all transcoders until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                nursery.start_soon(self._serve, await self._to_start.receive())

    async def _serve(self, transcoder: Transcoder) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run, transcoder, nursery.cancel_scope)
                await self._wait_unwanted(transcoder)
                # From here on it is no longer found; whoever comes now gets a new one.
                self._forget(transcoder)
                nursery.cancel_scope.cancel()
        finally:
            self._forget(transcoder)
            transcoder.stream.close()
        log.info("a transcoder ends", camera=transcoder.source.name, codec=transcoder.target)

    async def _run(self, transcoder: Transcoder, over: trio.CancelScope) -> None:
        try:
            await transcoder.run()
        except Exception:
            log.exception("internal error: a transcoder failed", camera=transcoder.source.name)
        over.cancel()

    async def _wait_unwanted(self, transcoder: Transcoder) -> None:
        """Return when nobody has wanted the stream for `linger_s`, or when another takes its place."""
        wants = transcoder.stream.wants
        while True:
            await wants.wait_unwanted()
            if not self._is_running(transcoder):
                return
            is_over = False
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when, self._evicted, nursery.cancel_scope)
                is_over = await wants.stays_unwanted(self._settings.linger_s)
                nursery.cancel_scope.cancel()
            if is_over or not self._is_running(transcoder):
                return

    def _is_running(self, transcoder: Transcoder) -> bool:
        return self._running.get((transcoder.source, transcoder.target)) is transcoder

    def _forget(self, transcoder: Transcoder) -> None:
        if self._is_running(transcoder):
            del self._running[transcoder.source, transcoder.target]

    @property
    def running(self) -> int:
        """How many processes make another codec now."""
        return len(self._running)

    def statistics(self, source: Stream) -> list[TranscoderStatistics]:
        """Take a snapshot of what is made of a camera's stream now."""
        return [each.statistics() for each in self._running.values() if each.source is source]


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
