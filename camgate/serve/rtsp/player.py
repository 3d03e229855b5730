"""`Player`: one track on its way to one client, a task from PLAY until the stream, the client or the codec ends."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from camgate.relay.subscription import Subscription
from camgate.serve.rtsp.description import StreamTrack
from camgate.serve.rtsp.guests import Guest
from camgate.serve.rtsp.layout import LayoutCache
from camgate.serve.rtsp.outlet import Outlet
from camgate.serve.rtsp.sender import RtpSender
from camgate.serve.rtsp.timing import SessionClock, Timeline
from camgate.wire.codec.frame import Frame
from camgate.wire.rtsp.server_events import TrackStart

MAX_BEHIND_S = 2.0
"""How far a client may fall behind before it loses frames. Recorders would rather be late than miss something."""

REPORT_INTERVAL_S = 5.0
"""Between sender reports (RFC 3550 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a track begins: what RTP-Info tells, and how long before the live picture that is, in seconds."""

    start: TrackStart
    lead_s: float


class Player:
    """Sends one track to one client. Made for one call of `run`.

    from_key: begin with the next key frame, not with what is cached.
    """

    def __init__(
        self,
        track: StreamTrack,
        ssrc: int,
        outlet: Outlet,
        layouts: LayoutCache,
        guest: Guest,
        clock: SessionClock,
        *,
        from_key: bool,
    ) -> None:
        self._track = track
        self._ssrc = ssrc
        self._outlet = outlet
        self._layouts = layouts
        self._guest = guest
        self._clock = clock
        self._from_key = from_key
        self._dropped = 0
        self._report_at_s = 0.0
        self.go = trio.Event()
        """Set when PLAY has been answered: nothing is sent before."""

    async def run(
        self, lead_s: float, goodbye_s: float, *, task_status: trio.TaskStatus[Beginning] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Send frames until the stream closes or its codec changes; then, or when cancelled, say goodbye.

        lead_s: how long before the live picture the session begins by its other tracks' cached frames.
        """
        stream = self._track.stream
        with self._layouts.in_use(), stream.subscribe(max_age_s=MAX_BEHIND_S) as subscription:
            cached = () if self._from_key else self._track.cached()
            sender, beginning = self._open_sender(cached, lead_s)
            task_status.started(beginning)
            await self.go.wait()
            try:
                # How the tracks belong together a client knows only by reports: one goes first.
                await self._report(sender)
                for frame in cached:
                    await self._send(sender, frame)
                await self._play(sender, subscription)
            finally:
                with trio.move_on_after(goodbye_s, shield=True):
                    await self._outlet.send_report(sender.goodbye())

    def _open_sender(self, cached: Sequence[Frame], lead_s: float) -> tuple[RtpSender, Beginning]:
        clock_hz = self._track.clock_hz
        sequence, announced = secrets.randbits(16), secrets.randbits(32)
        if cached:
            timeline = Timeline(announced, clock_hz, cached=cached)
            self._clock.follow(cached[-1], clock_hz)
        else:
            # RTP-Info tells timestamps of one moment for all tracks: that of the session's first picture.
            at = self._clock.media_time(trio.current_time(), clock_hz)
            timeline = Timeline(announced + round(lead_s * clock_hz), clock_hz, at=at)
        sender = RtpSender(
            ssrc=self._ssrc,
            sequence=sequence,
            timeline=timeline,
            clock=self._clock,
            clock_hz=clock_hz,
            cname=self._track.stream.name,
        )
        start = TrackStart(self._track.control, sequence, announced)
        return sender, Beginning(start, timeline.lead / clock_hz)

    async def _play(self, sender: RtpSender, subscription: Subscription) -> None:
        waits_for_key = self._from_key
        async for frame in subscription:
            if waits_for_key and not frame.is_key:
                continue
            waits_for_key = False
            if frame.is_key and self._track.has_changed():
                return
            await self._send(sender, frame)
            if trio.current_time() >= self._report_at_s:
                await self._report(sender)
            self._guest.dropped_frames += subscription.dropped_frames - self._dropped
            self._dropped = subscription.dropped_frames

    async def _send(self, sender: RtpSender, frame: Frame) -> None:
        layout = self._layouts.lay_out(frame, is_interleaved=self._outlet.is_interleaved)
        sequence, timestamp = sender.number(frame, layout, reorders=self._track.may_reorder())
        self._guest.packets_sent += layout.count
        self._guest.bytes_sent += await self._outlet.send_frame(layout, sequence, timestamp, self._ssrc)

    async def _report(self, sender: RtpSender) -> None:
        now = trio.current_time()
        self._report_at_s = now + REPORT_INTERVAL_S
        await self._outlet.send_report(sender.report(now, skew_s=self._track.skew_s(now)))
