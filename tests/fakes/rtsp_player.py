"""`RtspPlayer`: camgate's own RTSP client and depacketiser over any trio stream, for tests of RTSP servers."""

import trio
from trio.abc import Stream

from camgate.wire.codec.frame import Frame
from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.rtp.packet import RtpPacket, parse_rtp_untrusted
from camgate.wire.rtp.rtcp import RtcpPacket, parse_rtcp_untrusted
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.events import Described, Event, Playing, ServerClosed
from camgate.wire.rtsp.track import Track, first_video_track

SOUND_CHANNEL = 2
"""The client proposes channels 2 and 3 for the second track."""


class RtspPlayer:
    """Plays the first video track. `frames` and `reports` grow while `run` runs, not between `pause` and `go_on`.

    with_sound: plays all tracks; what comes on the second one is in `sound` and `sound_reports`.
    """

    def __init__(
        self,
        stream: Stream,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        with_sound: bool = False,
    ) -> None:
        self.client = RtspClient(url, username=username, password=password)
        self.described: Described | None = None
        self.track: Track | None = None
        self.frames: list[Frame] = []
        self.reports: list[RtcpPacket] = []
        self.sound: list[RtpPacket] = []
        self.sound_reports: list[RtcpPacket] = []
        self._with_sound = with_sound
        self.depacketizer = H264Depacketizer()
        self._may_read = trio.Event()
        self._may_read.set()
        self._stream = stream
        self._changed = trio.Condition()

    async def run(self) -> None:
        """Play until the server hangs up. Raises what the client raises."""
        self.client.start(trio.current_time())
        is_open = True
        while is_open:
            await self._stream.send_all(self.client.data_to_send())
            await self._receive()
            await self._may_read.wait()
            is_open = not any(self._handle(event) for event in self.client.events())
            self._take_packets()
            async with self._changed:
                self._changed.notify_all()

    def pause(self) -> None:
        """Read nothing but what is just being read."""
        self._may_read = trio.Event()

    def go_on(self) -> None:
        self._may_read.set()

    async def wait_frames(self, count: int) -> list[Frame]:
        """Return the first `count` frames as soon as they are there."""
        async with self._changed:
            while len(self.frames) < count:
                await self._changed.wait()
        return self.frames[:count]

    async def teardown(self) -> None:
        """Hang up as a client should, when `run` no longer runs."""
        self.client.teardown(trio.current_time())
        await self._stream.send_all(self.client.data_to_send())

    async def _receive(self) -> None:
        with trio.move_on_at(self.client.next_deadline() or float("inf")):
            if data := await self._stream.receive_some(65_536):
                self.client.receive_data(data, trio.current_time())
            else:
                self.client.receive_eof()
            return
        self.client.handle_deadline(trio.current_time())

    def _handle(self, event: Event) -> bool:
        """React to an event; True when the conversation is over."""
        if isinstance(event, Described):
            self.described = event
            tracks = list(event.tracks) if self._with_sound else [first_video_track(event.tracks)]
            self.client.play(tracks, trio.current_time())
        elif isinstance(event, Playing):
            self.track = event.tracks[0]
        return isinstance(event, ServerClosed)

    def _take_packets(self) -> None:
        for channel, packet in self.client.take_packets():
            if channel == SOUND_CHANNEL:
                self.sound.append(parse_rtp_untrusted(bytes(packet)))
            elif channel == SOUND_CHANNEL + 1:
                self.sound_reports += parse_rtcp_untrusted(bytes(packet))
            elif channel % 2:
                self.reports += parse_rtcp_untrusted(packet)
            else:
                self.frames += self.depacketizer.receive_packet_untrusted(packet, trio.current_time())
