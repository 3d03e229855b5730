"""`run_camera`: the supervisor task of one camera, from start to shutdown.

Dials, runs a session, says in words why it ended, and decides when to try again. It owns the camera's state; losing
the camera ends the session, never the stream, so viewers see a pause and then pictures.

While a camera is away (refused, unreachable, silent) its state is BACKOFF with the reason, and it is knocked at by bare
TCP connects. A camera that answers and refuses gets exponential backoff, and one that refuses the login at least a
minute, because cameras lock accounts. STALLED lasts until the next connection gives pictures or fails.

A camera on demand is tried only while somebody wants it (`on_demand`), but never sooner than its backoff allows.
"""

import math
import socket
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Never

import trio

from camgate.base.backoff import Backoff
from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.secrets import mask
from camgate.config.model import CameraSettings
from camgate.ingest.backoff import (
    DENIED_CAP_S,
    DENIED_FIRST_S,
    KNOCK_FAST_S,
    KNOCK_SLOW_S,
    REFUSED_CAP_S,
    REFUSED_FIRST_S,
    UNSTEADY_CAP_S,
    UNSTEADY_FIRST_S,
)
from camgate.ingest.errors import (
    CameraAway,
    CameraMute,
    CameraStalled,
    CredentialsNoLongerTaken,
    UnsupportedVideo,
    attention_for,
)
from camgate.ingest.intake import Intake
from camgate.ingest.knock import KNOCK_TIMEOUT_S, wait_open
from camgate.ingest.links import port_of
from camgate.ingest.on_demand import run_on_demand
from camgate.ingest.play import play_camera
from camgate.ingest.session import KEY_FRAME_PATIENCE_S
from camgate.ingest.transports import Transports
from camgate.ingest.vitals import Vitals
from camgate.relay.lip_sync import Kind
from camgate.relay.source import Attention, CameraState, Reception, Source
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtsp.errors import AuthenticationFailed, AuthenticationProblem, NoUsableTrack
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.track import Track
from camgate.wire.rtsp.url import split_url_untrusted

log = get_logger("ingest.supervisor")

REFUSED = AuthenticationProblem.REFUSED

STABLE_S = 60.0
"""Pictures for so long make all earlier failures forgotten."""

ANSWERS = 40
"""Waits of `connect_timeout_s` before the first picture at most: four addresses by redirects, and at each a connection,
TLS and up to eight answers."""

EARNED_S = 10.0
"""Pictures for so long earn one more try at once: a camera that restarts is back before its viewers look away."""


async def run_camera(
    settings: CameraSettings, source: Source, intake: Intake, *, random: Random | None = None
) -> Never:
    """Keep `source` supplied with the camera's frames until cancelled; then hang up and leave it STOPPED.

    random: where the jitter of delays comes from; by default seeded by the camera's name, so that cameras differ and
    runs repeat.
    """
    try:
        await keep_supplied(settings, source, intake, random=random)
    finally:
        source.set_state(CameraState.STOPPED)


async def keep_supplied(
    settings: CameraSettings,
    source: Source,
    intake: Intake,
    *,
    random: Random | None = None,
    vitals: Vitals | None = None,
) -> Never:
    """As `run_camera`, but leave the state as it is in the end: somebody goes on from there.

    vitals: where it notes that it gets on.
    """
    supervisor = _Supervisor(settings, source, intake, random or Random(settings.name), vitals or Vitals())
    if settings.on_demand:
        await run_on_demand(supervisor, source, settings.linger_s)
    while True:
        await supervisor.try_once()


class _Supervisor:
    """What outlives a single try: the backoffs, and what was learnt about the camera."""

    def __init__(
        self, settings: CameraSettings, source: Source, intake: Intake, random: Random, vitals: Vitals
    ) -> None:
        self._settings = settings
        self._vitals = vitals
        self._source = source
        self._intake = intake
        self._random = random
        self._transports = Transports(settings.transport)
        self._refused = Backoff(random, REFUSED_FIRST_S, REFUSED_CAP_S)
        self._denied = Backoff(random, DENIED_FIRST_S, DENIED_CAP_S)
        self._unsteady = Backoff(random, UNSTEADY_FIRST_S, UNSTEADY_CAP_S)
        self._has_logged_in = False
        self._is_known = False
        self._last_words: str | None = None
        self._away_words: set[str] = set()
        self._leaves_audio = False

    async def try_once(self) -> None:
        """Connect and play until it ends, once the delay after the last failure is over; note why it ended."""
        try:
            await self._wait_turn()
            await self._try_now()
        finally:
            self._vitals.at_rest()

    async def _try_now(self) -> None:
        attempt = _Attempt(self._settings, self._source, self._vitals)
        if self._source.state is not CameraState.STALLED:
            self._source.set_state(CameraState.CONNECTING, self._last_words)
        try:
            connection = await self._reach()
            attempt.was_reached = True
            self._vitals.expect_within(ANSWERS * self._settings.connect_timeout_s)
            await play_camera(self._session_settings(), connection, attempt, self._intake, self._transports)
        except RemoteError as error:
            delay_s = self._after_remote_error(error, attempt)
        except trio.Cancelled:
            self._after_hang_up(attempt)
            raise
        except Exception:
            log.exception("internal error, the camera is started again", camera=self._settings.name)
            self._note(CameraState.BACKOFF, "internal error of camgate; the log tells more")
            delay_s = self._refused.next_delay_s()
        self._source.next_try_s = trio.current_time() + delay_s

    async def _wait_turn(self) -> None:
        if trio.current_time() < self._source.next_try_s:
            if self._source.state is not CameraState.STALLED:
                # A camera on demand was idle in the meantime, and is as far away as it was before.
                self._source.set_state(CameraState.BACKOFF)
            self._vitals.expect_within(self._source.next_try_s - trio.current_time())
            await trio.sleep_until(self._source.next_try_s)

    def _session_settings(self) -> CameraSettings:
        return replace(self._settings, audio=False) if self._leaves_audio else self._settings

    async def _reach(self) -> socket.socket:
        """Return a connection to the camera, however long it takes to come back."""
        url = split_url_untrusted(self._settings.url)
        port = port_of(url, self._settings.transport)
        self._vitals.expect_within(self._settings.connect_timeout_s)
        await self._intake.pace.turn()
        # One that is known is knocked at soon: it may be back before the kernel repeats its SYN for the third time.
        longest_s = KNOCK_TIMEOUT_S if self._is_known else math.inf
        try:
            return await self._intake.dial(url.host, port, min(longest_s, self._settings.connect_timeout_s))
        except CameraAway as error:
            self._note_away(error)
            return await wait_open(self._intake, url.host, port, self._note_away, self._random)

    def _after_hang_up(self, attempt: "_Attempt") -> None:
        """Note how far a try came that we ended ourselves."""
        self._learn(attempt)
        if attempt.was_reached and not attempt.was_let_in:
            # In the middle of a login, which the camera may count as a failed one.
            self._source.next_try_s = trio.current_time() + self._refused.next_delay_s()

    def _learn(self, attempt: "_Attempt") -> None:
        self._source.end_session()
        if attempt.was_live:
            # The same trouble as before is news again once pictures came in between.
            self._last_words = None
        self._has_logged_in |= attempt.was_let_in
        self._is_known |= attempt.was_reached
        if attempt.lived_s >= STABLE_S:
            for backoff in (self._refused, self._denied, self._unsteady):
                backoff.reset()

    def _after_remote_error(self, error: RemoteError, attempt: "_Attempt") -> float:
        if not isinstance(error, CameraAway):
            # It was reached: what keeps us from it after this is news again.
            self._away_words.clear()
        self._learn(attempt)
        # What breaks off between DESCRIBE and PLAY may do so for the sound's sake: the next try does without, and the
        # one after a session that played has it again.
        self._leaves_audio = attempt.was_let_in and not attempt.was_playing and not self._leaves_audio
        if isinstance(error, AuthenticationFailed) and error.problem is REFUSED and self._has_logged_in:
            error = CredentialsNoLongerTaken()
        state = CameraState.STALLED if isinstance(error, CameraStalled) else CameraState.BACKOFF
        self._note(state, str(error), attention_for(error))
        return self._delay_after(error, attempt.lived_s)

    def _delay_after(self, error: RemoteError, lived_s: float) -> float:
        match error:
            case AuthenticationFailed() | CredentialsNoLongerTaken() | UnsupportedVideo() | NoUsableTrack():
                return self._denied.next_delay_s()
            case CameraMute(is_silent=True):
                # A process that was stopped goes on with the connections that it finds waiting: let one always wait.
                return KNOCK_FAST_S
            case CameraAway() | CameraMute():
                return KNOCK_SLOW_S
            case _ if lived_s >= EARNED_S:
                return 0.0
            case _ if lived_s > 0:
                is_first = self._unsteady.is_fresh
                delay_s = self._unsteady.next_delay_s()
                return 0.0 if is_first else delay_s
            case _:
                return self._refused.next_delay_s()

    def _note_away(self, error: CameraAway) -> None:
        self._vitals.expect_within(2 * KNOCK_SLOW_S + KNOCK_TIMEOUT_S)
        # A host that is switched off is unreachable to one knock and silent to the next, once a second, for days: each
        # reason is news once an outage.
        words = str(error)
        if words not in self._away_words:
            self._note(CameraState.BACKOFF, words)
            self._away_words.add(words)

    def _note(self, state: CameraState, words: str, needs_attention: Attention | None = None) -> None:
        """Set the camera's state, and log its trouble when that is news."""
        # Pages show these words, and a camera may repeat in its answer whatever it was sent.
        words = mask(words)
        if self._source.state is not state or self._source.last_error != words:
            self._source.set_state(state, words, needs_attention=needs_attention)
        if words != self._last_words:
            log.warning("camera gives no pictures", camera=self._settings.name, reason=words)
            self._last_words = words


class _Attempt:
    """One try, as its session reports it: publishes the frames, and remembers how far it came."""

    def __init__(self, settings: CameraSettings, source: Source, vitals: Vitals) -> None:
        self._name = settings.name
        self._vitals = vitals
        self._patience_s = settings.stall_timeout_s + KEY_FRAME_PATIENCE_S
        self._address = split_url_untrusted(settings.url).authority
        self._source = source
        self._live_since_s: float | None = None
        self._last_frame_s = 0.0
        self.was_reached = self.was_let_in = self.was_playing = False

    @property
    def was_live(self) -> bool:
        """At least one picture came."""
        return self._live_since_s is not None

    @property
    def lived_s(self) -> float:
        """From the first to the last picture, in seconds; 0 when none came."""
        return 0.0 if self._live_since_s is None else self._last_frame_s - self._live_since_s

    def on_described(self, camera: Described) -> None:
        self.was_let_in = True
        tracks = ", ".join(track.label for track in camera.tracks)
        log.info("camera connected", camera=self._name, address=self._address, server=camera.server, tracks=tracks)

    def on_playing(self, track: Track, audio: AudioFormat | None) -> None:
        self.was_playing = True
        self._vitals.expect_within(self._patience_s)
        self._source.begin_session()
        self._source.begin_audio(audio)
        # Viewers who were there before wait for it; not every camera begins with one.
        self._source.stream.request_key_frame()

    def on_reception(self, read: Callable[[], Reception]) -> None:
        self._source.follow_reception(read)

    def on_format(self, video: VideoFormat) -> None:
        self._source.set_format(video)

    def on_frames(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._source.publish(frame)
        self._last_frame_s = frames[-1].arrival_s
        self._vitals.expect_within(self._patience_s, since_s=self._last_frame_s)
        if self._live_since_s is None:
            self._live_since_s = frames[0].arrival_s
            self._source.set_state(CameraState.LIVE)
            log.info("camera live", camera=self._name)

    def on_audio_frames(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._source.publish_audio(frame)

    def on_video_report(self, report: SenderReport) -> None:
        self._source.note_report(Kind.VIDEO, report)

    def on_audio_report(self, report: SenderReport) -> None:
        self._source.note_report(Kind.AUDIO, report)
