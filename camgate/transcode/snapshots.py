"""Snapshots: the last key frame of a camera as JPEG, decoded by one worker process, however many ask.

`run` is the only task and owns the worker, which lives while snapshots are asked for. Who asks at the same time for
the same picture gets the same JPEG, and who goes away meanwhile does not disturb the others.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from weakref import ref

import trio

from camgate.base.log import get_logger
from camgate.relay.errors import NoSnapshot, TooManySnapshots
from camgate.relay.stream import Stream
from camgate.transcode.messages import SNAPSHOT_HEAD, Kind
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from camgate.wire.codec.frame import Frame

FRESH_S = 1.0
"""A picture is made at most so often of one camera and width."""
MAX_WAITING = 64
"""Different pictures at a time; some seconds of work for the one worker."""
MAX_KEPT_BYTES = 32 << 20
"""JPEGs that are kept: the posters of a wall of hundreds."""
MAX_KEPT = 1_000
MAX_ATTEMPTS = 2
"""With one key frame: a worker that is gone may have been killed by somebody else."""
DECODE_TIMEOUT_S = 5.0
"""For one picture. The largest takes a tenth of it; a decoder that is lost in a broken one is killed."""
KEY_FRAME_WAIT_S = 5.0
"""For a camera of which no key frame is kept; most send one each second or two."""
IDLE_S = 30.0
"""The worker ends when nobody has asked for so long."""
RETRY_S = 2.0

START_CODE = b"\x00\x00\x00\x01"
SETUP = {"task": "snapshots", "nice": 10}
"""Of lower priority than everything that is live."""

log = get_logger("transcode.snapshots")

OpenWorker = Callable[[dict[str, object]], AbstractAsyncContextManager[Worker]]
Key = tuple[str, int]
"""Camera and width."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture as it goes out. etag: names this very picture in this size, without quotes."""

    jpeg: bytes
    etag: str


@dataclass(slots=True, eq=False)
class _Job:
    key: Key
    codec: str
    frame: Frame
    attempts: int = 0
    outcome: Snapshot | str | None = None
    done: trio.Event = field(default_factory=trio.Event)


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of a key frame: a picture, or why there is none. The frame itself is the camera's alone to keep."""

    frame: ref[Frame]
    made_s: float
    outcome: Snapshot | str

    @property
    def size_bytes(self) -> int:
        return len(self.outcome.jpeg) if isinstance(self.outcome, Snapshot) else 0

    def serves(self, frame: Frame, now: float) -> bool:
        """Whether it stands for `frame` as well."""
        return self._is_fresh(now) or (self.frame() is frame and isinstance(self.outcome, Snapshot))

    def is_over(self, now: float) -> bool:
        """Whether it can stand for no frame any more, as that of a camera that is gone."""
        return not self._is_fresh(now) and (self.frame() is None or not isinstance(self.outcome, Snapshot))

    def _is_fresh(self, now: float) -> bool:
        return now - self.made_s < FRESH_S


class Snapshots:
    """Makes and keeps snapshots."""

    def __init__(self, open_worker: OpenWorker = open_worker) -> None:
        self._open_worker = open_worker
        self._jobs: dict[Key, _Job] = {}
        self._to_do, self._work = trio.open_memory_channel[_Job](MAX_WAITING)
        self._made: OrderedDict[Key, _Made] = OrderedDict()
        self._kept_bytes = 0
        self._numbers = count()
        self.decoded = 0
        """How many pictures were decoded since the start."""

    async def take(self, stream: Stream, width: int) -> Snapshot:
        """Return the last key frame of a stream, at most `width` pixels wide (0 = as it is).

        Raises NoSnapshot, TooManySnapshots.
        """
        frame = await self._key_frame(stream)
        key = (stream.name, width)
        made = self._made.get(key)
        if made is not None and made.serves(frame, trio.current_time()):
            return _result(stream.name, made.outcome)
        job = self._jobs.get(key)
        if job is None:
            job = self._ask(key, stream.format.codec if stream.format else "", frame)
        await job.done.wait()
        return _result(stream.name, job.outcome)

    async def decode(self, what: str, codec: str, frame: Frame, width: int) -> Snapshot:
        """Return a key frame that is of no stream, and is not kept. what: what it is of, for errors and the log.

        Raises NoSnapshot, TooManySnapshots.
        """
        key = (f"{what} {next(self._numbers)}", width)
        job = self._ask(key, codec, frame)
        await job.done.wait()
        self._forget(key)
        return _result(what, job.outcome)

    async def _key_frame(self, stream: Stream) -> Frame:
        cached = stream.gop()
        if cached:
            return cached[0]
        stream.request_key_frame()
        with trio.move_on_after(KEY_FRAME_WAIT_S), stream.subscribe() as subscription:
            try:
                return await subscription.receive()
            except trio.EndOfChannel:
                pass
        reason = "it sent no key frame in time; set a shorter key frame interval in the camera, two seconds say"
        raise NoSnapshot(stream.name, reason, retry_after_s=RETRY_S)

    def _ask(self, key: Key, codec: str, frame: Frame) -> _Job:
        job = _Job(key, codec, frame)
        try:
            self._to_do.send_nowait(job)
        except trio.WouldBlock:
            raise TooManySnapshots(MAX_WAITING, retry_after_s=RETRY_S) from None
        self._jobs[key] = job
        return job

    async def run(self) -> None:
        """Work until cancelled."""
        job: _Job | None = None
        while True:
            job = job or await self._work.receive()
            has_begun = False
            try:
                async with self._open_worker(SETUP) as worker:
                    has_begun = True
                    while job is not None:
                        await self._do(worker, job)
                        job = None
                        job = await self._next_job()
                    self._forget_what_is_over()
            except WorkerEnded as exc:
                if job is not None:
                    job = self._blame(job, exc) if has_begun else await self._try_later(job, exc)

    async def _next_job(self) -> _Job | None:
        with trio.move_on_after(IDLE_S):
            return await self._work.receive()
        return None

    async def _do(self, worker: Worker, job: _Job) -> None:
        job.attempts += 1
        with trio.move_on_after(DECODE_TIMEOUT_S):
            head = SNAPSHOT_HEAD.pack(job.codec.encode(), job.key[1])
            await worker.send(Kind.SNAPSHOT, head, b"".join(START_CODE + nal for nal in job.frame.nals))
            kind, body = await worker.receive()
            if kind is Kind.PICTURE:
                self._finish(job, Snapshot(body, hashlib.sha256(body).hexdigest()[:16]))
            else:
                self._fail(job, body.decode(errors="replace"))
            return
        worker.kill()
        self._fail(job, "decoding its key frame took too long")

    def _blame(self, job: _Job, exc: WorkerEnded) -> _Job | None:
        """Return the job if it shall be tried again: the worker may have ended for another reason."""
        log.warning("the snapshot worker ended", camera=job.key[0], error=str(exc), attempt=job.attempts)
        if job.attempts < MAX_ATTEMPTS:
            return job
        self._fail(job, "its key frame broke the decoder")
        return None

    async def _try_later(self, job: _Job, exc: WorkerEnded) -> _Job | None:
        """Return the job, after a while, if it shall be tried again: no worker could be started for it."""
        job.attempts += 1
        log.warning("the snapshot worker did not start", error=str(exc))
        if job.attempts >= MAX_ATTEMPTS:
            self._fail(job, "no process to decode it could be started; the log tells more")
            return None
        await trio.sleep(RETRY_S)
        return job

    def _fail(self, job: _Job, reason: str) -> None:
        self._finish(job, reason)

    def _finish(self, job: _Job, outcome: Snapshot | str) -> None:
        self.decoded += 1
        job.outcome = outcome
        del self._jobs[job.key]
        self._keep(job.key, _Made(ref(job.frame), trio.current_time(), outcome))
        job.done.set()

    def _keep(self, key: Key, made: _Made) -> None:
        """Remember a result, and forget those that are of no use, and the oldest ones beyond the bounds."""
        self._forget(key)
        self._forget_what_is_over()
        self._made[key] = made
        self._kept_bytes += made.size_bytes
        while self._kept_bytes > MAX_KEPT_BYTES or len(self._made) > MAX_KEPT:
            self._forget(next(iter(self._made)))

    def _forget_what_is_over(self) -> None:
        now = trio.current_time()
        for key in [key for key, made in self._made.items() if made.is_over(now)]:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        made = self._made.pop(key, None)
        if made is not None:
            self._kept_bytes -= made.size_bytes


def _result(camera: str, outcome: Snapshot | str | None) -> Snapshot:
    assert outcome is not None
    if isinstance(outcome, str):
        raise NoSnapshot(camera, outcome, retry_after_s=RETRY_S)
    return outcome
