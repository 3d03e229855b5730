"""`Session`: one RTSP connection to one camera, the shell around `wire.rtsp.client`.

One task runs a session: it sleeps until a deadline, or until reading fails. In between `Arrivals` calls `_read_now`
when there is something to read. What it reads goes to a `SessionSink`; it knows neither streams nor states, nor what
happens after its end.
"""

import math
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Never, Protocol

import trio

from camgate.ingest.arrivals import Arrivals
from camgate.ingest.errors import (
    CameraHungUp,
    CameraMoved,
    CameraMute,
    CameraStalled,
    NoKeyFrame,
    UnsupportedVideo,
)
from camgate.ingest.link import Link
from camgate.ingest.receive import TrackReceiver, VideoReceiver, audio_format, is_decoded, receive_audio
from camgate.ingest.udp import UdpMedia
from camgate.relay.source import Reception
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.video import PACKET_COST_BYTES
from camgate.wire.codec.video_codecs import VIDEO_CODECS
from camgate.wire.rtp.rtcp import SenderReport
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.errors import ResponseTimeout, RtspRemoteError
from camgate.wire.rtsp.events import Described, Event, Playing, Redirected, ServerClosed, UdpSetUp
from camgate.wire.rtsp.track import NO_PAYLOAD_TYPE, Track, first_video_track

READ_BYTES = 256 * 1024
"""One read takes a whole key frame of most cameras."""

_read_buffer = memoryview(bytearray(READ_BYTES))
"""Shared by all sessions: what is read is copied before the next task runs, and a buffer each would cost memory."""

READS_PER_TURN = 8
"""A camera that sends faster than we read must still let the other tasks run."""

MAX_UNSENT_BYTES = 64 * 1024
"""Requests and reports are small; a camera that leaves so much unread has hung."""

UNSENT_RETRY_S = 0.1

HANG_UP_S = 1.0
"""Deadline of the whole goodbye: a camera that streams on and answers nothing must not hold up a shutdown."""

GOODBYE_SILENCE_S = 0.25
"""A camera that is silent for so long after TEARDOWN sends nothing any more, so nothing can be left unread."""

MAX_EARLY_BYTES = 8 << 20
"""Kept from before the answer to PLAY: room for any key frame that the depacketiser takes."""

KEY_FRAME_PATIENCE_S = 30.0
"""Pictures that are no use without a key frame. Smart codecs stretch its interval to 10 s and more; a new session makes
most cameras send one."""

REPORT_INTERVAL_S = 5.0
"""RTCP receiver reports: Arlo cameras stop after 10 s without one (MediaMTX#1403)."""


class SessionSink(Protocol):
    """Who listens to a session: the supervisor, which publishes the frames, or a probe, which measures them."""

    def on_described(self, camera: Described) -> None:
        """The camera accepted us and says what it offers."""

    def on_playing(self, track: Track, audio: AudioFormat | None) -> None:
        """Frames of the video `track` will follow, and frames of sound where the camera has any that can be used."""

    def on_reception(self, read: Callable[[], Reception]) -> None:
        """`read` tells, whenever it is asked, what came of the video track's packets."""

    def on_format(self, video: VideoFormat) -> None:
        """The frames from now on look like this."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Whole pictures, at least one."""

    def on_audio_frames(self, frames: list[Frame]) -> None:
        """Sound, at least one frame."""

    def on_video_report(self, report: SenderReport) -> None:
        """What the camera says of the time of its pictures; only told where there is sound to compare with."""

    def on_audio_report(self, report: SenderReport) -> None:
        """The same of its sound."""


class Session:
    """Plays the first H.264 or H.265 track of the camera at the other end of `link`, which the session closes.

    Beside it the first audio track that can be used; whatever is wrong with that one costs no picture.

    arrivals: who says when there is something to read. stall_timeout_s: longest time without a picture while playing.
    with_audio: False leaves sound alone. udp: where media is to come; None to have it over the link.
    transport: what statistics call the way of the media.
    """

    def __init__(
        self,
        link: Link,
        client: RtspClient,
        sink: SessionSink,
        *,
        arrivals: Arrivals,
        stall_timeout_s: float,
        with_audio: bool = True,
        udp: UdpMedia | None = None,
        transport: str = "tcp",
    ) -> None:
        self._link = link
        self._udp = udp
        self._transport = transport
        self._arrivals = arrivals
        self._client = client
        self._sink = sink
        self._stall_timeout_s = stall_timeout_s
        self._with_audio = with_audio
        self._unsent = b""
        self._receiver: TrackReceiver[VideoFormat] | None = None
        self._audio: TrackReceiver[AudioFormat] | None = None
        self._format: VideoFormat | None = None
        self._packets: list[tuple[int, bytes | memoryview]] = []
        self._report_at_s = self._watch_at_s = self._unsent_at_s = math.inf
        self._deadline_s = math.inf
        self._sleep = trio.CancelScope()
        self._failure: Exception | None = None

    async def run(self) -> Never:
        """Play until the session ends, which it always does by an error of the RemoteError family."""
        try:
            await self._run()
        except (CameraHungUp, ResponseTimeout) as error:
            if self._client.statistics().responses_received:
                raise
            raise CameraMute(str(error), is_silent=isinstance(error, ResponseTimeout)) from error
        finally:
            # Its traceback knows us: with us knowing it, all of this stays until the collector looks.
            self._failure = None
            if self._udp is not None:
                self._udp.close()
            await self._hang_up()

    async def _run(self) -> Never:
        now = trio.current_time()
        self._client.start(now)
        try:
            self._turn(now)
            with self._arrivals.watch(self._link, self._read_now):
                while True:
                    with trio.CancelScope(deadline=self._deadline_s) as self._sleep:
                        await trio.sleep_forever()
                    if self._failure is not None:
                        raise self._failure
                    self._turn(trio.current_time())
        except OSError as error:
            raise CameraHungUp(f"the connection to the camera broke: {error.strerror}") from error

    def _read_now(self, now: float) -> None:
        """Read what has arrived, on behalf of the session's task, which is woken only by what ends the session."""
        if self._failure is None:
            try:
                self._receive(now)
                # A picture moves no deadline and has nothing sent: it needs no whole turn.
                if self._receiver is not None and not self._client.has_news:
                    self._pass_on_packets(self._receiver, now)
                else:
                    self._turn(now)
            except Exception as error:
                self._fail(error)

    def _take_datagrams(self, packets: list[tuple[int, bytes | memoryview]], now: float) -> None:
        """Take packets that came over UDP, in the same way."""
        if self._failure is None:
            try:
                self._packets += packets
                if self._receiver is not None and self._udp is not None and not self._udp.is_holding:
                    self._pass_on_packets(self._receiver, now)
                else:
                    self._turn(now)
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._sleep.cancel()

    def _turn(self, now: float) -> None:
        """Obey the clock, dispatch events, pass on pictures, flush, find the next deadline: all in this one place."""
        if now >= self._deadline_s:
            self._handle_deadlines(now)
        for event in self._client.events():
            self._dispatch(event, now)
        if self._receiver is not None:
            self._pass_on_packets(self._receiver, now)
        else:
            self._keep_early_packets()
        self._unsent += self._client.data_to_send()
        if self._unsent:
            self._flush(now)
        deadline_s = min(
            self._client.next_deadline() or math.inf,
            self._report_at_s,
            self._watch_at_s,
            self._unsent_at_s,
            self._udp.next_deadline() if self._udp is not None else math.inf,
        )
        if deadline_s != self._deadline_s:
            self._deadline_s = self._sleep.deadline = deadline_s

    def _receive(self, now: float) -> None:
        """Read what has arrived. The hot path: no task switch, no object a packet."""
        for _ in range(READS_PER_TURN):
            try:
                count = self._link.recv_into(_read_buffer)
            except BlockingIOError:
                break
            if not count:
                self._client.receive_eof()
                break
            self._client.receive_data(_read_buffer[:count], now)
            if count < READ_BYTES:
                break
        self._packets += self._client.take_packets()

    def _keep_early_packets(self) -> None:
        # Media may come before the answer to PLAY (Reolink), and its first packets are a key frame: they wait for it.
        self._packets = [(channel, bytes(packet)) for channel, packet in self._packets]
        drop_oldest(self._packets, MAX_EARLY_BYTES)

    def _pass_on_packets(self, receiver: TrackReceiver[VideoFormat], now: float) -> None:
        packets, self._packets = self._packets, []
        if self._audio is not None:
            packets = self._pass_on_audio(self._audio, packets, now)
        frames = receiver.receive_packets(packets, now)
        if frames:
            video = receiver.format
            if video is not None and video is not self._format:
                self._format = video
                self._sink.on_format(video)
            self._sink.on_frames(frames)

    def _pass_on_audio(
        self, audio: TrackReceiver[AudioFormat], packets: list[tuple[int, bytes | memoryview]], now: float
    ) -> list[tuple[int, bytes | memoryview]]:
        """Pass on the sound that is among `packets`; returns the others."""
        channels = audio.channels
        others = [packet for packet in packets if packet[0] not in channels]
        if len(others) < len(packets):
            frames = audio.receive_packets((packet for packet in packets if packet[0] in channels), now)
            if frames:
                self._sink.on_audio_frames(frames)
        return others

    def _handle_deadlines(self, now: float) -> None:
        self._client.handle_deadline(now)
        if self._udp is not None:
            self._packets += self._udp.handle_deadline(now)
        if self._receiver is not None:
            if now >= self._watch_at_s:
                self._watch_pictures(self._receiver, now)
            if now >= self._report_at_s:
                self._send_reports(self._receiver, now)

    def _watch_pictures(self, receiver: TrackReceiver[VideoFormat], now: float) -> None:
        """Raise an error when the last picture is too old. Pictures do not move this deadline; it is moved here."""
        self._watch_at_s = receiver.last_picture_s + self._stall_timeout_s
        if now >= self._watch_at_s:
            raise CameraStalled(self._stall_timeout_s)
        if now - receiver.last_frame_s >= KEY_FRAME_PATIENCE_S:
            raise NoKeyFrame(KEY_FRAME_PATIENCE_S)

    def _send_reports(self, receiver: TrackReceiver[VideoFormat], now: float) -> None:
        self._report_at_s = now + REPORT_INTERVAL_S
        for track in (receiver, self._audio):
            report = track and track.build_report(now)
            if track and report:
                send = self._client.send_packet if self._udp is None else self._udp.send_report
                send(track.rtcp_channel, report)

    def _dispatch(self, event: Event, now: float) -> None:
        match event:
            case Described():
                self._sink.on_described(event)
                tracks = [choose_track(event.tracks)]
                audio = choose_audio(event.tracks) if self._with_audio else None
                self._play([*tracks, audio] if audio else tracks, now)
            case UdpSetUp(index, transport):
                assert self._udp is not None
                self._udp.set_up(index, transport)
            case Playing():
                self._start_receiving(event.tracks, now)
            case Redirected(url):
                raise CameraMoved(url)
            case ServerClosed():
                raise CameraHungUp(str(event))

    def _play(self, tracks: list[Track], now: float) -> None:
        ports = None
        if self._udp is not None:
            types = [None if track.payload_type == NO_PAYLOAD_TYPE else track.payload_type for track in tracks]
            ports = self._udp.open(types, self._arrivals, self._take_datagrams)
        self._client.play(tracks, now, client_ports=ports)

    def _start_receiving(self, tracks: tuple[Track, ...], now: float) -> None:
        video, *others = tracks
        self._receiver = VideoReceiver(video, now, self._sink.on_video_report if others else None)
        self._audio = receive_audio(others[0], now, self._sink.on_audio_report) if others else None
        self._watch_at_s = now + self._stall_timeout_s
        self._report_at_s = now + REPORT_INTERVAL_S
        if self._udp is not None:
            self._udp.start(now)
        self._sink.on_playing(video, self._audio.format if self._audio else None)
        self._sink.on_reception(partial(self._reception, self._receiver))

    def _reception(self, receiver: VideoReceiver) -> Reception:
        reception = replace(receiver.reception(), transport=self._transport)
        if self._udp is None:
            return reception
        udp = self._udp.statistics()
        return replace(
            reception,
            packets_late=reception.packets_late + udp.late,
            packets_reordered=udp.reordered,
            packets_foreign=udp.foreign,
        )

    def _flush(self, now: float) -> None:
        """Send without waiting: a camera that does not read must not keep us from reading."""
        with suppress(BlockingIOError):
            self._unsent = self._unsent[self._link.send(self._unsent) :]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise CameraHungUp("the camera does not read what it is sent")
        self._unsent_at_s = now + UNSENT_RETRY_S if self._unsent else math.inf

    async def _hang_up(self) -> None:
        """Send TEARDOWN and close, within HANG_UP_S, whatever cancels us.

        Old live555 servers, which many cameras have, go on writing into a connection that just goes away, and into the
        next one that gets its number (retina#17).
        """
        with trio.move_on_after(HANG_UP_S, shield=True), suppress(OSError, RtspRemoteError):
            self._client.teardown(trio.current_time())
            await self._send_goodbye(self._unsent + self._client.data_to_send())
        trio.lowlevel.notify_closing(self._link)
        self._link.close()

    async def _send_goodbye(self, data: bytes) -> None:
        if not data:
            return
        while data:
            await trio.lowlevel.wait_writable(self._link)
            try:
                data = data[self._link.send(data) :]
            except BlockingIOError:
                # What blocks is another socket than the one to wait for: a tunnel's.
                await trio.sleep(UNSENT_RETRY_S)
        # To close with bytes unread would send a reset, which can overtake the TEARDOWN (RFC 1122, 4.2.2.13).
        self._link.shutdown(socket.SHUT_WR)
        while True:
            with trio.move_on_after(GOODBYE_SILENCE_S) as silence:
                await trio.lowlevel.wait_readable(self._link)
            if silence.cancelled_caught:
                return
            with suppress(BlockingIOError):
                if not self._link.recv_into(_read_buffer):
                    return


def drop_oldest(packets: list[tuple[int, bytes | memoryview]], max_bytes: int) -> None:
    """Drop the oldest of `packets`, to keep no more than `max_bytes`; each counts its bytes and a few more."""
    room = max_bytes
    for at in range(len(packets) - 1, -1, -1):
        room -= len(packets[at][1]) + PACKET_COST_BYTES
        if room < 0:
            del packets[: at + 1]
            return


def choose_track(tracks: tuple[Track, ...]) -> Track:
    """Return the track to play; raise UnsupportedVideo or NoUsableTrack where the camera offers none."""
    videos = tuple(track.codec for track in tracks if track.media == "video" and track.codec)
    if videos and not set(videos) & set(VIDEO_CODECS):
        raise UnsupportedVideo(videos)
    return first_video_track(tracks, VIDEO_CODECS)


def choose_audio(tracks: tuple[Track, ...]) -> Track | None:
    """Return the first audio track that browsers play as it is, else the first that can be decoded, else None.

    Tracks towards the camera are none, and unknown ones are left alone: a second reader of a backchannel fails on
    Dahua, and an Amcrest doorbell's button goes dead (go2rtc).
    """
    usable = [track for track in tracks if track.media == "audio" and not track.is_backchannel and is_decoded(track)]
    return next((track for track in usable if audio_format(track).is_for_browsers), next(iter(usable), None))
