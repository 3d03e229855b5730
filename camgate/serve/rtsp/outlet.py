"""The two ways to a client: through its connection, or by UDP. A frame's packets go out by one call a run."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from camgate.serve.datagrams import Route
from camgate.serve.rtsp.layout import FrameLayout
from camgate.wire.rtp.packet import HEADER_BYTES
from camgate.wire.rtsp.interleaved import interleave
from camgate.wire.rtsp.server_events import Interleaved

PACE_PACKETS = 44
"""About 60 kB, one call's worth. A client's socket has room for 90 packets by Linux's default, and must be given the
time to read them: large key frames and joins would overflow it."""

PACE_S = 0.002
"""Between so many packets: 240 Mbit/s, enough for any camera."""

Send = Callable[[bytes | bytearray, int], Awaitable[None]]
"""Sends interleaved packets, so many of them; waits as long as the connection takes no more."""


class Outlet(Protocol):
    """Takes one track's packets to one client."""

    is_interleaved: bool
    """Which layout of a frame it needs."""

    async def send_frame(self, layout: FrameLayout, sequence: int, timestamp: int, ssrc: int) -> int:
        """Send a frame; returns how many bytes left, RTP headers included."""

    async def send_report(self, packet: bytes) -> None:
        """Send an RTCP packet."""


class InterleavedOutlet:
    """Through the RTSP connection: nothing is lost, and a slow client makes `send` wait."""

    is_interleaved = True

    def __init__(self, send: Send, way: Interleaved) -> None:
        self._send = send
        self._way = way

    async def send_frame(self, layout: FrameLayout, sequence: int, timestamp: int, ssrc: int) -> int:
        data = layout.stamped_copy(self._way.rtp_channel, sequence, timestamp, ssrc)
        await self._send(data, layout.count)
        return layout.payload_bytes + HEADER_BYTES * layout.count

    async def send_report(self, packet: bytes) -> None:
        await self._send(interleave(self._way.rtcp_channel, packet), 1)


class UdpOutlet:
    """By UDP: what the socket or the network does not take is lost, and nobody waits for it."""

    is_interleaved = False

    def __init__(self, rtp: Route, rtcp: Route) -> None:
        self._rtp = rtp
        self._rtcp = rtcp
        self._at_once = 0
        self._since_s = 0.0

    async def send_frame(self, layout: FrameLayout, sequence: int, timestamp: int, ssrc: int) -> int:
        sent = 0
        for packets, segment_bytes, count in layout.runs:
            await self._pace(count)
            # Others stamp the same layout while we pause. Nobody does between here and the call.
            layout.stamp(sequence, timestamp, ssrc)
            if self._rtp.socket.send([packets], segment_bytes, self._rtp):
                sent += len(packets)
        return sent

    async def send_report(self, packet: bytes) -> None:
        self._rtcp.send(packet)

    async def _pace(self, count: int) -> None:
        now = trio.current_time()
        if now - self._since_s > PACE_S:
            self._at_once = 0
            self._since_s = now
        elif self._at_once + count > PACE_PACKETS:
            await trio.sleep(PACE_S)
            self._at_once = 0
            self._since_s = trio.current_time()
        self._at_once += count
