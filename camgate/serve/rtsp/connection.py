"""One RTSP client's connection: the shell of `wire.rtsp.server`.

Tasks: the reader, which owns the conversation, and while a stream plays the player, which waits for frames. Both end
with the connection. Media that the client does not take in time is dropped up to a key frame by the subscription.
"""

import secrets
import time

import trio
from trio.abc import Stream as ByteStream

from camgate.base.log import get_logger
from camgate.relay.errors import CameraOffline, UnknownCamera
from camgate.relay.registry import Registry
from camgate.relay.stream import Stream
from camgate.serve.rtsp.description import VIDEO_CONTROL, describe_stream
from camgate.serve.rtsp.sender import RtpSender
from camgate.wire.rtsp.errors import printable
from camgate.wire.rtsp.server import RtspServer
from camgate.wire.rtsp.server_events import (
    ConnectionEnded,
    Description,
    DescriptionWanted,
    PlayedTrack,
    PlayRequested,
    ServedTrack,
    ServerEvent,
    TrackStart,
)
from camgate.wire.rtsp.server_states import ServerState

DESCRIBE_WAIT_S = 5.0
"""How long DESCRIBE waits for a camera that is not live: less than the 10 s that clients wait for an answer."""

MAX_BEHIND_S = 2.0
"""How far a client may fall behind before it loses frames. Recorders would rather be late than miss something."""

WRITE_TIMEOUT_S = 10.0
"""A client that takes nothing for so long is gone, though its TCP connection may stand for ever."""

REPORT_INTERVAL_S = 5.0
"""Between sender reports (RFC 3550 section 6.2)."""

GOODBYE_S = 1.0
"""What saying goodbye may cost a shutdown."""

RECEIVE_BYTES = 4096
"""Requests have some hundred bytes, receiver reports less."""

log = get_logger("serve.rtsp")


class Connection:
    """Serves one client until one of both hangs up. Made for one call of `run`.

    address: the client's, for the log.
    """

    def __init__(self, stream: ByteStream, server: RtspServer, registry: Registry, *, address: str) -> None:
        self._stream = stream
        self._server = server
        self._registry = registry
        self._address = address
        self._ssrc = secrets.randbits(32)
        self._sending = trio.Lock()
        self._was_cut = False

    async def run(self) -> None:
        """Converse until the end; cancelled, say goodbye first."""
        try:
            async with trio.open_nursery() as nursery:
                await self._converse(nursery)
                nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            log.info("RTSP client is gone", address=self._address)
        except* trio.TooSlowError:
            log.warning("RTSP client takes nothing any more, closed", address=self._address, after_s=WRITE_TIMEOUT_S)

    async def _converse(self, nursery: trio.Nursery) -> None:
        while self._server.state is not ServerState.CLOSED:
            await self._receive()
            while events := self._server.events():
                for event in events:
                    await self._handle(event, nursery)
            await self._flush()

    async def _receive(self) -> None:
        deadline = self._server.next_deadline()
        assert deadline is not None
        with trio.move_on_at(deadline):
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if data:
                self._server.receive_data(data, trio.current_time())
            else:
                self._server.receive_eof()
        self._server.handle_deadline(trio.current_time())

    async def _handle(self, event: ServerEvent, nursery: trio.Nursery) -> None:
        match event:
            case DescriptionWanted(path):
                await self._describe(path)
            case PlayRequested(path, tracks):
                self._start_playing(path, tracks[0], nursery)
            case ConnectionEnded(reason, is_fault):
                write = log.warning if is_fault else log.info
                write("RTSP connection ended", address=self._address, reason=reason)

    async def _describe(self, path: str) -> None:
        try:
            video = await self._registry.get(path).wait_live(DESCRIBE_WAIT_S)
        except (UnknownCamera, CameraOffline) as error:
            log.info("RTSP client refused", address=self._address, path=printable(path), reason=str(error))
            self._server.refuse(error.status, trio.current_time())
        else:
            description = Description(str(describe_stream(path, video)), (ServedTrack(VIDEO_CONTROL, self._ssrc),))
            self._server.describe(description, trio.current_time())

    def _start_playing(self, path: str, track: PlayedTrack, nursery: trio.Nursery) -> None:
        try:
            stream = self._registry.get(path).stream
        except UnknownCamera as error:
            self._server.refuse(error.status, trio.current_time())
            return
        sequence, timestamp = secrets.randbits(16), secrets.randbits(32)
        sender = RtpSender(ssrc=self._ssrc, sequence=sequence, timestamp=timestamp)
        self._server.accept_play([TrackStart(track.track.control, sequence, timestamp)], trio.current_time())
        log.info("RTSP client plays", camera=path, address=self._address)
        nursery.start_soon(self._play, stream, sender, track, nursery.cancel_scope)

    async def _play(self, stream: Stream, sender: RtpSender, track: PlayedTrack, scope: trio.CancelScope) -> None:
        """Send frames until the stream closes, which ends the connection."""
        server = self._server
        report_at_s = trio.current_time()
        with stream.subscribe(max_age_s=MAX_BEHIND_S) as subscription:
            try:
                server.send_packets(track.rtp_channel, sender.join_packets(stream.gop()))
                await self._flush()
                async for frame in subscription:
                    server.send_packets(track.rtp_channel, sender.packets(frame))
                    if (now := trio.current_time()) >= report_at_s:
                        server.send_packets(track.rtcp_channel, [sender.report(now, time.time())])
                        report_at_s = now + REPORT_INTERVAL_S
                    await self._flush()
            finally:
                await self._say_goodbye(sender, track)
        scope.cancel()

    async def _say_goodbye(self, sender: RtpSender, track: PlayedTrack) -> None:
        # Behind half a packet the client could not read it.
        if not self._was_cut:
            with trio.move_on_after(GOODBYE_S, shield=True):
                self._server.send_packets(track.rtcp_channel, [sender.goodbye()])
                await self._flush()

    async def _flush(self) -> None:
        """Send what there is to send. Nothing else writes to the stream."""
        async with self._sending:
            if data := self._server.data_to_send():
                self._was_cut = True
                with trio.fail_after(WRITE_TIMEOUT_S):
                    await self._stream.send_all(data)
                self._was_cut = False
