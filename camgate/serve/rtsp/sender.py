"""Numbers, timestamps and sender reports of one track for one client. Does no I/O."""

from camgate.serve.rtsp.layout import FrameLayout
from camgate.serve.rtsp.timing import SessionClock, Timeline
from camgate.wire.codec.frame import Frame
from camgate.wire.rtp.rtcp import build_bye, build_sender_report


class RtpSender:
    """Numbers one client's packets.

    ssrc, sequence: random (RFC 3550 section 5.1); `sequence` is that of the first packet. clock_hz: of the track's
    timestamps. cname: one for all tracks of a camera, which so share a clock.
    """

    def __init__(
        self, *, ssrc: int, sequence: int, timeline: Timeline, clock: SessionClock, clock_hz: int, cname: str
    ) -> None:
        self.ssrc = ssrc
        self._sequence = sequence
        self._timeline = timeline
        self._clock = clock
        self._clock_hz = clock_hz
        self._cname = cname
        self._newest: Frame | None = None
        self.packet_count = 0
        self.octet_count = 0

    def number(self, frame: Frame, layout: FrameLayout, *, reorders: bool) -> tuple[int, int]:
        """Return the sequence number of a frame's first packet, and its timestamp.

        reorders: whether the stream may have B-frames. Elsewhere a camera whose time steps back is no matter of order,
        and the time that always rises is better.
        """
        sequence = self._sequence
        self._sequence = sequence + layout.count & 0xFFFF
        self.packet_count += layout.count
        self.octet_count += layout.payload_bytes
        self._newest = frame
        return sequence, self._timeline.timestamp(frame.display_time if reorders else frame.rtp_time)

    def report(self, now: float, *, skew_s: float = 0.0) -> bytes:
        """Return a sender report: what the media clock and the wall clock show at the monotonic time `now`.

        skew_s: by how much this track belongs later beside the others.
        """
        if self._newest is not None:
            self._clock.follow(self._newest, self._clock_hz)
        timestamp = self._timeline.timestamp(self._clock.media_time(now - skew_s, self._clock_hz))
        unix_s = self._clock.unix_time_s(now)
        return build_sender_report(self.ssrc, unix_s, timestamp, self.packet_count, self.octet_count, self._cname)

    def goodbye(self) -> bytes:
        """Return the BYE that ends the stream."""
        return build_bye(self.ssrc)
