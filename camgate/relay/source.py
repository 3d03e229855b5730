"""One camera as the rest of camgate sees it: its streams, its state in words, its sessions joined into one time.

The camera's supervisor task writes it, everybody else reads it. Runs no task.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum

import trio

from camgate.base.shallow import shallow
from camgate.relay.audio import AudioStatistics, AudioStream
from camgate.relay.changes import Changes
from camgate.relay.demand import DemandState
from camgate.relay.errors import CameraOffline
from camgate.relay.health import Health, Observation
from camgate.relay.lip_sync import Kind, LipSync
from camgate.relay.splice import HOUR_S, Splice
from camgate.relay.stream import VIDEO_CLOCK_HZ, Stream, StreamStatistics
from camgate.relay.wants import Wants
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtp.sequence import timestamp_delta

AUDIO_CORRECTION_S = 0.02
"""Sound is passed on as it came: its time is moved seldom, by a usual packet's length, not a little with each one."""

OFFLINE_RETRY_AFTER_S = 2.0
"""When a viewer refused for a camera that is away should ask again: about what a dial takes."""
MOST_RETRY_AFTER_S = 60.0
"""A camera that refused a login is tried again later than this; but its owner may put it right."""


class CameraState(StrEnum):
    """What a camera is doing; the values are the API's words."""

    IDLE = "idle"
    """On demand, and nobody watches."""
    CONNECTING = "connecting"
    """Being dialled, or about to send its first picture."""
    LIVE = "live"
    """Frames arrive."""
    STALLED = "stalled"
    """The session stands, but no frame has come for the stall timeout."""
    BACKOFF = "backoff"
    """Away, or it refused: tried again by itself, the last error says why."""
    STOPPED = "stopped"
    """Removed, or camgate is shutting down."""


class Attention(StrEnum):
    """What a person must put right, because waiting does not; the values are the API's words."""

    REFUSED = "refused"
    """The camera does not let us in, or has nothing at this path."""
    VIDEO = "video"
    """It offers no video that browsers can be shown."""
    NO_RTSP = "no-rtsp"
    """Something accepts connections, but speaks no RTSP."""
    CERTIFICATE = "certificate"
    """It shows a certificate that is not trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What came of a camera's packets, since a session began or over several."""

    transport: str | None = None
    """How they came: `tcp`, `udp`, `tls`, `http` or `https`; of the latest session."""
    packets: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    """Dropped: duplicates, and what came when its place had been given up."""
    packets_reordered: int = 0
    """Put into their place: only UDP changes the order."""
    packets_foreign: int = 0
    """UDP packets that came from elsewhere than the camera, dropped."""
    frames_damaged: int = 0
    """Dropped because a part of them is missing or they are too big."""
    frames_skipped: int = 0
    """Dropped whole, because they build on one that was."""

    def __add__(self, other: "Reception") -> "Reception":
        return Reception(
            transport=other.transport or self.transport,
            packets=self.packets + other.packets,
            packets_lost=self.packets_lost + other.packets_lost,
            packets_late=self.packets_late + other.packets_late,
            packets_reordered=self.packets_reordered + other.packets_reordered,
            packets_foreign=self.packets_foreign + other.packets_foreign,
            frames_damaged=self.frames_damaged + other.frames_damaged,
            frames_skipped=self.frames_skipped + other.frames_skipped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatistics(StreamStatistics):
    """A camera's state and its stream's figures at one moment: plain values only, so `asdict` of it makes JSON."""

    name: str
    title: str
    state: CameraState
    last_error: str | None
    """Why it is not live, in words; None while it is."""
    needs_attention: Attention | None
    """Whether the last error is one that waiting does not mend; None where it does."""
    demand: DemandState | None
    """What a camera on demand is connected for; None for one that is always connected."""
    since_s: float
    """How long it has been in this state."""
    uptime_s: float
    """How long it has been live without a break; 0 when it is not."""
    reconnects: int
    """Camera sessions begun because one was lost; a camera on demand that is dialled for a viewer does not count."""
    transport: str | None
    """How media comes: `tcp`, `udp`, `tls`, `http` or `https`; None before the first session."""
    packets: int
    """From the camera, over all its sessions, like those below."""
    packets_lost: int
    packets_late: int
    packets_reordered: int
    packets_foreign: int
    """See `Reception`."""
    frames_damaged: int
    frames_skipped: int
    healthy: bool
    """False after several bad looks in a row; see `relay.health`."""
    health_reason: str | None
    """Why it is not healthy, in words; None while it is."""
    expected_fps: float | None
    """What `fps` is held against; None before that is known."""
    loss: float
    """Share of its packets that were lost between the latest two looks."""
    clock_jumps: int
    """Times that the camera's clock was set while it was sending."""
    audio: AudioStatistics | None
    """Of its sound; None where it has none that can be used."""


class Source:
    """A camera's streams and state. Readers keep their subscriptions while sessions come and go.

    audio: the sound of the present session, or of the last one; None where it has none.
    sub: another stream of the same camera, smaller or in another codec; None where none is configured.
    """

    def __init__(self, name: str, *, title: str | None = None, expected_fps: float | None = None) -> None:
        """title: the name where not given. expected_fps: as its owner expects it; see `relay.health`."""
        self.name = name
        self.title = title or name
        self.expected_fps = expected_fps
        self.wants = Wants()
        """Who wants this camera's pictures: its readers, and those who hold a lease (`want`)."""
        self.stream = Stream(name, self.wants)
        self.audio: AudioStream | None = None
        self.sub: Source | None = None
        self.state = CameraState.CONNECTING
        self.last_error: str | None = None
        self.needs_attention: Attention | None = None
        self.demand: DemandState | None = None
        self.next_try_s = -math.inf
        """When a camera that failed is tried again, at the earliest; it outlives hang-ups."""
        self.changed_at_s = trio.current_time()
        self.sessions = 0
        self.reconnects = 0
        self.health = Health()
        self.changes = Changes()
        self.on_change: Callable[[], None] | None = None
        """Called after each change of state, error or format; the registry listens here."""
        self._splice = Splice()
        self._sound: AudioStream | None = None
        self._lip_sync = LipSync()
        self._latest: dict[Kind, tuple[Frame, int]] = {}
        self._audio_splice = Splice()
        self._is_reconnecting = False
        self._past = Reception()
        self._present: Callable[[], Reception] | None = None

    def want(self) -> AbstractContextManager[None]:
        """Want pictures inside of a `with` block, before or without a subscription, which counts by itself.

        A camera on demand is dialled with the first who wants it, so hold this while you `wait_live`, until you have
        subscribed.
        """
        return self.wants.hold()

    def attach_sub(self, sub: "Source") -> None:
        """Take another stream of the same camera as its sub-stream, whose changes are this camera's."""
        self.sub = sub
        sub.on_change = self._announce

    def detach_sub(self) -> None:
        """Have no sub-stream any more: its readers' subscriptions end."""
        if self.sub is not None:
            sub, self.sub = self.sub, None
            sub.on_change = None
            sub.close()
            self._announce()

    def set_title(self, title: str | None) -> None:
        """Say what people call it; None for its name."""
        if self.title != (title or self.name):
            self.title = title or self.name
            self._announce()

    def begin_anew(self) -> None:
        """From now on it is another camera, or reached in another way: what was known of the last one counts no more.

        Readers keep their subscriptions. Nobody begins with the last one's pictures.
        """
        self.next_try_s = -math.inf
        self._is_reconnecting = False
        self.stream.forget_pictures()
        self.demand = self.last_error = self.needs_attention = None
        self.state = CameraState.CONNECTING
        self.changed_at_s = trio.current_time()
        self._announce()

    def begin_session(self) -> None:
        """A new camera session delivers from now on; call it before its first frame."""
        self.sessions += 1
        self.reconnects += self._is_reconnecting
        self._is_reconnecting = True
        self._splice.begin_session()

    def begin_audio(self, audio: AudioFormat | None) -> None:
        """Say what sound the new session has, after `begin_session`; None for none.

        Who listens goes on listening when the format is the one of before, also where sessions without sound came in
        between; else the old stream ends.
        """
        if self._sound is not None and audio is not None and self._sound.format != audio:
            self._sound.close()
            self._sound = None
        if self._sound is None and audio is not None:
            self._sound = AudioStream(self.name, audio, self.wants, self._lip_sync)
            self._audio_splice = Splice(audio.clock_hz, least_correction_s=AUDIO_CORRECTION_S)
        self._audio_splice.begin_session()
        self._lip_sync.begin_session()
        self._latest.clear()
        present = self._sound if audio is not None else None
        if present is not self.audio:
            self.audio = present
            self._announce()

    def publish_audio(self, frame: Frame) -> None:
        """Put a frame of sound on the continuous time of its clock and hand it to all readers."""
        if self.audio is not None:
            self.audio.publish(self._audio_splice.map(frame))
            self._latest[Kind.AUDIO] = frame, self.audio.format.clock_hz

    def note_report(self, kind: Kind, report: SenderReport) -> None:
        """Take what the camera says of a track's time, for the sound's place beside the pictures."""
        latest = self._latest.get(kind)
        if latest is None or not report.ntp_time:
            return
        frame, clock_hz = latest
        media_time = frame.display_time + timestamp_delta(report.rtp_timestamp, frame.camera_time)
        now = trio.current_time()
        media_s = media_time / clock_hz
        # Whole hours may have been left out of it (`splice`), in one track more than in the other.
        media_s += round((now - media_s) / HOUR_S) * HOUR_S
        self._lip_sync.note_report(kind, report.unix_time_s, media_s, now)

    def follow_reception(self, present: Callable[[], Reception]) -> None:
        """Read what came of the present session's packets from here, when asked; see `end_session`."""
        self.end_session()
        self._present = present

    def end_session(self) -> None:
        """Keep the counts of the session that has ended, and nothing else of it."""
        if self._present is not None:
            self._past += self._present()
            self._present = None

    def reception(self) -> Reception:
        """Return what came of the camera's packets, over all its sessions."""
        return self._past if self._present is None else self._past + self._present()

    def publish(self, frame: Frame) -> None:
        """Put a frame of the present session on the continuous time and hand it to all readers."""
        self.stream.publish(self._splice.map(frame))
        if self.audio is not None:
            self._latest[Kind.VIDEO] = frame, VIDEO_CLOCK_HZ

    def set_format(self, video_format: VideoFormat) -> None:
        """Say what the frames from now on look like.

        A new session knows only what parameter sets say of B-frames. What an earlier one has disproved of the same sets
        stays so until B-frames are seen, or viewers would be sent away each time that the camera comes back.
        """
        known = self.stream.format
        is_only_claimed = video_format.may_reorder and not video_format.reorders
        if is_only_claimed and known == replace(video_format, may_reorder=False):
            return
        if video_format != self.stream.format:
            self.stream.set_format(video_format)
            self._announce()

    def set_state(
        self, state: CameraState, error: str | None = None, *, needs_attention: Attention | None = None
    ) -> None:
        """Change the state. The last error stays until another one, or until the camera is live again.

        needs_attention: what the error asks of a person; it stays as long as the error does.
        """
        shown_error = None if state is CameraState.LIVE else error or self.last_error
        if state is self.state and shown_error == self.last_error:
            return
        if shown_error != self.last_error:
            self.needs_attention = needs_attention
        if state is not self.state:
            self.state = state
            self.changed_at_s = trio.current_time()
        self.last_error = shown_error
        self._announce()

    def set_demand(self, demand: DemandState) -> None:
        """Say what a camera on demand is connected for."""
        if demand is not self.demand:
            self.demand = demand
            self._announce()

    def set_idle(self) -> None:
        """A camera on demand is hung up, and nobody wants it: who comes next begins with new pictures."""
        self.set_demand(DemandState.IDLE)
        self.set_state(CameraState.IDLE)
        self._is_reconnecting = False
        self.stream.forget_pictures()

    def set_health(self, health: Health) -> None:
        """Take the verdict of a look; only another verdict or another reason is told to who waits for changes."""
        before, self.health = self.health, health
        if (health.healthy, health.reason) != (before.healthy, before.reason):
            self._announce()

    def observe(self) -> Observation:
        """Return what health is judged by."""
        now = trio.current_time()
        stream, reception = self.stream, self.reception()
        return Observation(
            is_idle=self.state in (CameraState.IDLE, CameraState.STOPPED),
            is_live=self.state is CameraState.LIVE,
            trouble=self.last_error,
            sessions=self.sessions,
            frames=stream.frames,
            frame_age_s=stream.frame_age_s(now),
            key_frame_age_s=stream.key_frame_age_s(now),
            packets=reception.packets,
            packets_lost=reception.packets_lost,
            claimed_fps=stream.format.fps if stream.format else None,
        )

    async def wait_live(self, timeout_s: float = math.inf) -> VideoFormat:
        """Return the format as soon as the camera is live. Raises CameraOffline when that takes too long."""
        with trio.move_on_after(timeout_s):
            while True:
                if self.state is CameraState.LIVE and self.stream.format is not None:
                    return self.stream.format
                if self.state is CameraState.STOPPED:
                    break
                await self.changes.wait_changed(self.changes.revision)
        is_dialled = self.state is CameraState.CONNECTING
        reason = self.last_error or ("it is being connected, and has sent no picture yet" if is_dialled else None)
        raise CameraOffline(self.name, reason, retry_after_s=self._retry_after_s())

    def _retry_after_s(self) -> float:
        wait_s = self.next_try_s - trio.current_time()
        return math.ceil(min(max(OFFLINE_RETRY_AFTER_S, wait_s), MOST_RETRY_AFTER_S))

    def close(self) -> None:
        """Stop for good: readers' subscriptions end."""
        self.set_state(CameraState.STOPPED)
        self.stream.close()
        if self.sub is not None:
            self.sub.close()
        if self._sound is not None:
            self._sound.close()

    def statistics(self) -> SourceStatistics:
        since_s = trio.current_time() - self.changed_at_s
        return SourceStatistics(
            name=self.name,
            title=self.title,
            state=self.state,
            last_error=self.last_error,
            needs_attention=self.needs_attention,
            demand=self.demand,
            since_s=since_s,
            uptime_s=since_s if self.state is CameraState.LIVE else 0.0,
            reconnects=self.reconnects,
            healthy=self.health.healthy,
            health_reason=self.health.reason,
            expected_fps=self.health.expected_fps,
            loss=self.health.loss,
            **shallow(self.reception()),
            clock_jumps=self._splice.jumps,
            audio=self.audio.statistics() if self.audio is not None else None,
            **shallow(self.stream.statistics()),
        )

    def _announce(self) -> None:
        self.changes.announce()
        if self.on_change is not None:
            self.on_change()
