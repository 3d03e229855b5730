"""Derived streams of sound: a camera's AAC, G.726 and the like as Opus, while somebody listens.

One worker process makes all of them, since one takes a hundredth of a processor and a process 50 MB. `run` owns it and
a task a stream. The camera's stream never waits: what the worker cannot take is dropped.
"""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count

import trio

from camgate.base.log import get_logger
from camgate.relay.audio import AudioStream
from camgate.relay.wants import Wants
from camgate.transcode.messages import SOUND_ID, Kind, Media, WorkerTalksNonsense
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from camgate.wire.codec.format import AudioFormat
from camgate.wire.codec.frame import Frame

OPUS = AudioFormat(codec="OPUS", clock_hz=48_000, channels=2)
"""RFC 7587 section 7: always two channels in SDP, whatever is in the packets."""

NICE = 1
"""Late sound is heard at once; late pictures are not."""
LINGER_S = 5.0
"""How long a stream is still made when its last listener has left, and the worker runs without streams."""
MAX_UNHEARD = 32
"""Frames of one stream that the worker has and has not taken: half a second of most cameras."""
READY_TIMEOUT_S = 20.0
HANG_S = 10.0
"""A worker that has frames and answers nothing for so long is lost in one, and killed."""
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 30.0
STABLE_S = 60.0

log = get_logger("transcode.sound")

OpenWorker = Callable[[dict[str, object]], AbstractAsyncContextManager[Worker]]


@dataclass(slots=True, eq=False)
class _Sound:
    """One derived stream. opened_in: the worker that knows of it. unheard: frames that it has not taken."""

    number: int
    source: AudioStream
    stream: AudioStream
    opened_in: Worker | None = None
    unheard: int = 0
    last_time: int = -1


class SoundPool:
    """Finds and makes derived streams of sound."""

    def __init__(self, open_worker: OpenWorker = open_worker) -> None:
        self._open_worker = open_worker
        self._sounds: dict[AudioStream, _Sound] = {}
        self._by_number: dict[int, _Sound] = {}
        self._numbers = count()
        # Unbounded on purpose: `derive` must not wait, and cameras are not many.
        self._starting, self._to_start = trio.open_memory_channel[_Sound](float("inf"))
        self._wanted = trio.Event()
        self._worker: Worker | None = None
        self._ready = trio.Event()
        self._sending = trio.Lock()
        self.restarts = 0

    def derive(self, source: AudioStream) -> AudioStream:
        """Return the stream that is `source` in Opus; hold its `wants` within LINGER_S."""
        sound = self._sounds.get(source)
        if sound is None:
            stream = AudioStream(source.name, OPUS, lip_sync=source.lip_sync)
            sound = _Sound(next(self._numbers), source, stream)
            self._sounds[source] = self._by_number[sound.number] = sound
            self._starting.send_nowait(sound)
            self._wanted.set()
        with sound.stream.wants.hold():
            # One that was about to end lingers anew.
            return sound.stream

    def is_making(self, source: AudioStream) -> bool:
        """Say whether a stream is made into another one now."""
        return source in self._sounds

    async def run(self) -> None:
        """Run all streams, and the worker while there are any, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_worker)
            while True:
                nursery.start_soon(self._serve, await self._to_start.receive())

    async def _serve(self, sound: _Sound) -> None:
        try:
            await self._run(sound)
        except Exception:
            log.exception("internal error: sound is no longer made", camera=sound.source.name)

    async def _run(self, sound: _Sound) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed, sound, nursery.cancel_scope)
                await _wait_unwanted(sound.stream.wants)
                # From here on it is no longer found; whoever comes now gets a new one.
                self._forget(sound)
                nursery.cancel_scope.cancel()
        finally:
            self._forget(sound)
            sound.stream.close()
        if sound.opened_in is not None and sound.opened_in is self._worker:
            await self._send(sound.opened_in, Kind.CLOSE, sound)

    def _forget(self, sound: _Sound) -> None:
        if self._by_number.pop(sound.number, None) is not None:
            del self._sounds[sound.source]
        if not self._sounds:
            self._wanted = trio.Event()

    async def _feed(self, sound: _Sound, over: trio.CancelScope) -> None:
        with sound.source.wants.hold():
            while not sound.source.closed:
                while (worker := self._worker) is None:
                    await self._ready.wait()
                await self._feed_worker(sound, worker)
        # The camera has no sound any more, or another.
        over.cancel()

    async def _feed_worker(self, sound: _Sound, worker: Worker) -> None:
        """Give a worker what the camera sends, until either of them is gone."""
        sound.opened_in, sound.unheard = worker, 0
        await self._send(worker, Kind.OPEN, sound, _describe(sound.source.format))
        with sound.source.subscribe() as subscription:
            async for frame in subscription:
                if self._worker is not worker:
                    return
                if sound.unheard < MAX_UNHEARD:
                    sound.unheard += 1
                    media = Media(frame.rtp_time, frame.arrival_s, is_key=True, nals=frame.nals)
                    await self._send(worker, Kind.SOUND, sound, media.pack_body())

    async def _send(self, worker: Worker, kind: Kind, sound: _Sound, body: bytes = b"") -> None:
        async with self._sending:
            try:
                await worker.send(kind, SOUND_ID.pack(sound.number), body)
            except WorkerEnded:
                return  # whoever receives from it hears so, too

    async def _keep_worker(self) -> None:
        delay_s = FIRST_RETRY_S
        while True:
            await self._wanted.wait()
            began_s = trio.current_time()
            try:
                await self._run_worker()
            except WorkerEnded as exc:
                self.restarts += 1
                log.warning("the sound worker ended and is started again", error=str(exc))
                if trio.current_time() - began_s > STABLE_S:
                    delay_s = FIRST_RETRY_S
                await trio.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_CAP_S)

    async def _run_worker(self) -> None:
        """Run one worker while there are streams. Raises WorkerEnded."""
        async with self._open_worker({"task": "sound", "nice": NICE}) as worker:
            with trio.move_on_after(READY_TIMEOUT_S) as starting:
                await worker.receive()
            if starting.cancelled_caught:
                raise WorkerEnded("was not ready in time")
            self._worker = worker
            self._ready.set()
            try:
                await self._receive_all(worker)
            finally:
                self._worker, self._ready = None, trio.Event()

    async def _receive_all(self, worker: Worker) -> None:
        while True:
            with trio.move_on_after(HANG_S if self._sounds else LINGER_S) as waiting:
                self._take_message(*await worker.receive())
            if not waiting.cancelled_caught:
                continue
            if not self._sounds:
                return
            if any(sound.unheard for sound in self._sounds.values()):
                worker.kill()
                raise WorkerEnded("took nothing any more, and was killed")

    def _take_message(self, kind: Kind, body: bytes) -> None:
        sound = self._by_number.get(SOUND_ID.unpack_from(body)[0]) if len(body) >= SOUND_ID.size else None
        if sound is None:
            return  # it has just ended
        if kind is Kind.HEARD:
            sound.unheard -= 1
        elif kind is Kind.UNUSABLE:
            reason = body[SOUND_ID.size :].decode(errors="replace")
            log.warning("a camera's sound cannot be decoded", camera=sound.source.name, reason=reason)
        elif kind is Kind.SOUND:
            try:
                media = Media.unpack(body[SOUND_ID.size :])
            except WorkerTalksNonsense as exc:
                raise WorkerEnded("sent what is no message") from exc
            # A worker that was started again may begin with what the last one had made already.
            sound.last_time = max(sound.last_time + 1, media.rtp_time)
            sound.stream.publish(Frame(tuple(media.nals), sound.last_time, trio.current_time(), is_key=True))


def _describe(audio: AudioFormat) -> bytes:
    facts = {"codec": audio.codec, "clock_hz": audio.clock_hz, "channels": audio.channels, "config": audio.config.hex()}
    return json.dumps(facts).encode()


async def _wait_unwanted(wants: Wants) -> None:
    """Return when nobody has wanted a stream for LINGER_S."""
    while True:
        await wants.wait_unwanted()
        if await wants.stays_unwanted(LINGER_S):
            return
