"""One derived stream: a camera's video in another codec, made by a worker process for as long as it is wanted.

`Transcoder.run` is its only task, started and ended by `transcode.pool`. The camera's stream never waits: the queue in
front of the worker is bounded in bytes and in age, and drops to the next key frame.
"""

import json
import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from random import Random

import trio

from camgate.base.log import get_logger
from camgate.config.model import TranscodeSettings
from camgate.relay.stream import Stream
from camgate.relay.subscription import Subscription
from camgate.transcode.messages import Counts, Kind, Media, WorkerTalksNonsense
from camgate.transcode.process import Worker, WorkerEnded, open_worker
from camgate.transcode.threads import encoder_threads
from camgate.wire.codec.format import VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264_nal import NAL_PPS, NAL_SPS, NAL_TYPE_MASK

NICE = 2
"""Packets of those who watch without transcoding come first."""
MAX_WAITING = 8
"""Frames that the worker has and has not taken: a third of a second of most cameras."""
MAX_QUEUE_AGE_S = 1.0
"""Of what waits for the worker: longer than other readers', since it begins with all pictures since the key frame."""
READY_TIMEOUT_S = 20.0
"""Of a worker's start, which tries the hardware. A fifth of a second on a quiet machine."""
HANG_S = 10.0
"""A worker that has frames and takes none for so long is lost in one, and killed."""
STABLE_S = 60.0
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 30.0
"""Waits between a worker's end and the next one: doubled each time, until one has worked for STABLE_S."""
WORDS_INTERVAL_S = 10.0
"""That the encoder is too slow is said so often."""

log = get_logger("transcode")

OpenWorker = Callable[[dict[str, object]], AbstractAsyncContextManager[Worker]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscoderStatistics:
    """A derived stream's figures at one moment: plain values only."""

    codec: str
    """What it is in, such as `H264`."""
    source_codec: str
    """What the camera sends."""
    encoder: str | None
    """FFmpeg's name of it; None before the worker is ready."""
    is_hardware: bool
    width: int | None
    height: int | None
    viewers: int
    fps: float
    bitrate_bps: float
    delay_s: float
    """From a frame's arrival to that of what is made of it, lately."""
    frames_dropped: int
    """Of the camera's, since the worker was far too slow; each time up to a key frame."""
    pictures_skipped: int
    """Decoded but not encoded, since the worker was a little too slow."""
    frames_broken: int
    """Refused by the decoder."""
    restarts: int
    last_error: str | None
    """Why the worker ended the last time, in words."""


class Transcoder:
    """Makes `stream` of `source`. See `run`."""

    def __init__(
        self,
        source: Stream,
        target: str,
        settings: TranscodeSettings,
        open_worker: OpenWorker = open_worker,
    ) -> None:
        """target: `H264` or `VP8`."""
        self.source = source
        self.target = target
        self.stream = Stream(source.name)
        self._settings = settings
        self._open_worker = open_worker
        self._hardware = settings.hardware
        self._worker: Worker | None = None
        self._wants_key = False
        self._waiting: deque[float] = deque()
        self._room = trio.Event()
        self._moved_s = 0.0
        self._encoder: str | None = None
        self._size: tuple[int, int] | None = None
        self._codec = ""
        self._last_time = -1
        self._counts = Counts()
        self._earlier = Counts()
        self._delay_s = 0.0
        self._dropped = 0
        self._subscription: Subscription | None = None
        self._next_words_s = -math.inf
        self._said_dropped = 0
        self._restarts = 0
        self._last_error: str | None = None

    async def run(self) -> None:
        """Transcode until cancelled or until the camera's stream ends; a worker that ends is started again."""
        first = True
        delay_s = FIRST_RETRY_S
        # Two streams of one camera must not come back in step.
        random = Random(f"{self.source.name} {self.target}")
        self.stream.set_key_frame_requester(self._ask_for_key)
        while not self.source.closed:
            began_s = trio.current_time()
            if not first:
                self._restarts += 1
            first = False
            try:
                with self.source.wants.hold():
                    await self._run_worker()
                continue  # the camera's codec has changed, or its stream has ended
            except WorkerEnded as exc:
                self._note_end(exc)
            if trio.current_time() - began_s > STABLE_S:
                delay_s = FIRST_RETRY_S
            await trio.sleep(delay_s * random.uniform(0.8, 1.2))
            delay_s = min(2 * delay_s, RETRY_CAP_S)

    def _note_end(self, exc: WorkerEnded) -> None:
        self._last_error = str(exc)
        log.warning("a transcoder ended and is started again", camera=self.source.name, codec=self.target, error=exc)
        if self._encoder is not None and self._is_hardware:
            # Hardware that passed the probe and failed on this stream may do so for ever.
            self._hardware = "off"

    async def _run_worker(self) -> None:
        """Run one worker. Returns when the camera's codec changes or its stream ends. Raises WorkerEnded."""
        self._codec = await self._wait_codec()
        if not self._codec:
            return
        async with self._open_worker(self._setup()) as worker:
            with trio.move_on_after(READY_TIMEOUT_S) as starting:
                await self._receive(worker)
            if starting.cancelled_caught:
                raise WorkerEnded("was not ready in time")
            self._begin()
            ended: WorkerEnded | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._feed, worker, nursery.cancel_scope)
                nursery.start_soon(self._watch, worker)
                try:
                    while True:
                        await self._receive(worker)
                except WorkerEnded as exc:
                    ended = exc
                    nursery.cancel_scope.cancel()
            if ended is not None:
                raise ended

    async def _wait_codec(self) -> str:
        if self.source.format is None:
            with self.source.subscribe() as subscription:
                try:
                    await subscription.receive()
                except trio.EndOfChannel:
                    return ""
        return self.source.format.codec if self.source.format else ""

    def _setup(self) -> dict[str, object]:
        return {
            "task": "video",
            "nice": NICE,
            "codec": self._codec,
            "target": self.target,
            "max_width": self._settings.max_width,
            "max_kbps": self._settings.max_kbps,
            "hardware": self._hardware,
            "threads": encoder_threads(),
        }

    def _begin(self) -> None:
        self._waiting.clear()
        self._room = trio.Event()
        self._moved_s = trio.current_time()
        for name, count in asdict(self._counts).items():
            setattr(self._earlier, name, getattr(self._earlier, name) + count)
        self._counts = Counts()

    async def _feed(self, worker: Worker, over: trio.CancelScope) -> None:
        """Give the worker every frame, those since the last key frame first, so that there is a picture at once."""
        try:
            with self.source.subscribe(max_age_s=MAX_QUEUE_AGE_S) as subscription:
                self._subscription = subscription
                cached = self.source.gop()
                for frame in cached:
                    await self._give(worker, frame, is_unseen=frame is not cached[-1])
                async for frame in subscription:
                    if self.source.format is not None and self.source.format.codec != self._codec:
                        break
                    await self._give(worker, frame)
                    self._say_what_is_lost()
        except WorkerEnded:
            return  # whoever receives from it hears so, too
        finally:
            if self._subscription is not None:
                self._dropped += self._subscription.dropped_frames
            self._subscription = None
        over.cancel()

    async def _give(self, worker: Worker, frame: Frame, *, is_unseen: bool = False) -> None:
        while len(self._waiting) >= MAX_WAITING:
            self._room = trio.Event()
            await self._room.wait()
        if self._wants_key:
            self._wants_key = False
            await worker.send(Kind.KEY)
        if not self._waiting:
            self._moved_s = trio.current_time()
        self._waiting.append(frame.arrival_s)
        media = Media(frame.display_time, frame.arrival_s, frame.is_key, frame.nals, is_unseen)
        await worker.send_packed(media.pack())

    async def _watch(self, worker: Worker) -> None:
        while True:
            await trio.sleep(HANG_S / 4)
            if self._waiting and trio.current_time() - self._moved_s > HANG_S:
                log.warning("a transcoder hangs and is killed", camera=self.source.name, codec=self.target)
                worker.kill()

    def _ask_for_key(self) -> None:
        self._wants_key = True

    async def _receive(self, worker: Worker) -> None:
        kind, body = await worker.receive()
        try:
            self._take_message(kind, body)
        except WorkerTalksNonsense as exc:
            raise WorkerEnded("sent what is no message") from exc

    def _take_message(self, kind: Kind, body: bytes) -> None:
        if kind is Kind.MEDIA:
            self._publish(Media.unpack(body))
        elif kind is Kind.TAKEN:
            self._counts = Counts.unpack(body)
            if self._waiting:
                self._waiting.popleft()
            self._moved_s = trio.current_time()
            self._room.set()
        elif kind is Kind.READY:
            self._note_ready(json.loads(body))
        elif kind is Kind.FAILED:
            raise WorkerEnded(f"gave up: {body.decode(errors='replace')}")

    def _note_ready(self, facts: dict[str, object]) -> None:
        encoder, size = str(facts["encoder"]), facts["size"]
        if size is None:
            log.info("a transcoder begins", camera=self.source.name, codec=self.target, encoder=encoder)
            for refusal in facts["refused"]:  # type: ignore[attr-defined]
                # Most machines have none, and nobody asked for it.
                say = log.debug if self._settings.hardware == "auto" else log.warning
                say("hardware does not encode here, software does", reason=refusal)
        self._encoder = encoder
        self._size = (size[0], size[1]) if isinstance(size, list) else self._size

    def _publish(self, media: Media) -> None:
        now = trio.current_time()
        # A worker that was started again may begin with pictures that the last one had made already.
        self._last_time = max(self._last_time + 1, media.rtp_time)
        self._delay_s += (now - media.arrival_s - self._delay_s) / 16
        if media.is_key:
            self._note_format(media)
        self.stream.publish(Frame(tuple(media.nals), self._last_time, now, media.is_key))

    def _note_format(self, media: Media) -> None:
        width, height = self._size or (None, None)
        sets = {nal[0] & NAL_TYPE_MASK: nal for nal in media.nals} if self.target == "H264" else {}
        sps = sets.get(NAL_SPS, b"")
        source = self.source.format
        video_format = VideoFormat(
            codec=self.target,
            sps=sps,
            pps=sets.get(NAL_PPS, b""),
            profile_level_id=sps[1:4].hex(),
            width=width,
            height=height,
            fps=source.fps if source else None,
        )
        if video_format != self.stream.format:
            self.stream.set_format(video_format)

    def _say_what_is_lost(self) -> None:
        lost, now = self._frames_dropped(), trio.current_time()
        if lost > self._said_dropped and now >= self._next_words_s:
            log.warning(
                "this machine is too slow to transcode a camera, which skips to its next key frame",
                camera=self.source.name,
                lost=lost - self._said_dropped,
            )
            self._said_dropped, self._next_words_s = lost, now + WORDS_INTERVAL_S

    def _frames_dropped(self) -> int:
        return self._dropped + (self._subscription.dropped_frames if self._subscription else 0)

    @property
    def _is_hardware(self) -> bool:
        return self._encoder is not None and not self._encoder.startswith("lib")

    def statistics(self) -> TranscoderStatistics:
        """Take a snapshot."""
        made = self.stream.statistics()
        width, height = self._size or (None, None)
        return TranscoderStatistics(
            codec=self.target,
            source_codec=self.source.format.codec if self.source.format else self._codec,
            encoder=self._encoder,
            is_hardware=self._is_hardware,
            width=width,
            height=height,
            viewers=made.viewers,
            fps=made.fps,
            bitrate_bps=made.bitrate_bps,
            delay_s=self._delay_s,
            frames_dropped=self._frames_dropped(),
            pictures_skipped=self._earlier.skipped + self._counts.skipped,
            frames_broken=self._earlier.broken + self._counts.broken,
            restarts=self._restarts,
            last_error=self._last_error,
        )
