"""`TrackReceiver`: the RTP and RTCP packets of one track in, frames and receiver reports out.

Owned by the session's task. Knows no socket; the time comes in as an argument.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from camgate.base.errors import RemoteError
from camgate.ingest.errors import CameraHungUp
from camgate.relay.source import Reception
from camgate.wire.codec.audio import AudioDepacketizer
from camgate.wire.codec.audio_codecs import audio_of_track_untrusted
from camgate.wire.codec.errors import AudioMalformed
from camgate.wire.codec.format import AudioFormat, VideoFormat
from camgate.wire.codec.frame import Frame
from camgate.wire.codec.video_codecs import video_depacketizer
from camgate.wire.rtp.rtcp import Bye, ReportBlock, SenderReport, build_receiver_report, parse_rtcp_untrusted
from camgate.wire.rtp.sequence import sequence_delta
from camgate.wire.rtsp.track import Track

CNAME = "camgate"

FormatT_co = TypeVar("FormatT_co", VideoFormat, AudioFormat, covariant=True)


class TrackStatistics(Protocol):
    """What receiver reports are drawn from; every depacketiser counts it."""

    @property
    def ssrc(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def packets_lost(self) -> int: ...


class Depacketizer(Protocol[FormatT_co]):
    """RTP packets of one track in, frames out; see `wire.codec`."""

    @property
    def format(self) -> FormatT_co | None: ...
    @property
    def last_access_unit_s(self) -> float | None: ...
    def receive_packet_untrusted(self, packet: bytes | memoryview, now: float) -> Sequence[Frame]: ...
    def own_fragments(self) -> None: ...
    def statistics(self) -> TrackStatistics: ...


OnReport = Callable[[SenderReport], None]


def receive_audio(track: Track, now: float, on_report: OnReport | None = None) -> "TrackReceiver[AudioFormat]":
    """Receive the audio track beside it; nothing that comes on it ends the session. Raises AudioMalformed."""
    audio, reader = audio_of_track_untrusted(track.codec, track.clock_rate, track.audio_channels, track.fmtp)
    depacketizer = AudioDepacketizer(audio, reader, payload_type=track.payload_type)
    return TrackReceiver(track, depacketizer, now, on_report=on_report)


def audio_format(track: Track) -> AudioFormat:
    """Return what the session description says of an audio track, be it usable or not."""
    return AudioFormat(codec=track.codec, clock_hz=track.clock_rate, channels=track.audio_channels)


def is_decoded(track: Track) -> bool:
    """Say whether the sound of an audio track can be used, be it that it must be transcoded."""
    try:
        audio_of_track_untrusted(track.codec, track.clock_rate, track.audio_channels, track.fmtp)
    except AudioMalformed:
        return False
    return True


def _end_session() -> None:
    raise CameraHungUp("the camera has ended the stream (RTCP BYE)")


class TrackReceiver(Generic[FormatT_co]):
    """Receives one track, and keeps the account that receiver reports give (RFC 3550, 6.4).

    channels: the track's own, RTP and RTCP.
    last_frame_s: when the latest whole frame came; before the first one, when receiving began.
    """

    def __init__(
        self,
        track: Track,
        depacketizer: Depacketizer[FormatT_co],
        now: float,
        *,
        on_report: OnReport | None = None,
        on_bye: Callable[[], None] | None = None,
    ) -> None:
        """on_report: told of the camera's sender reports. on_bye: called when it says that this track has ended."""
        assert track.rtp_channel is not None
        self._rtp_channel = track.rtp_channel
        # A response that names one channel only means that one and the next (RFC 2326, 12.39).
        self.rtcp_channel = track.rtp_channel + 1 if track.rtcp_channel is None else track.rtcp_channel
        self.channels = frozenset({self._rtp_channel, self.rtcp_channel})
        self.last_frame_s = now
        self._began_s = now
        self._depacketizer: Depacketizer[FormatT_co] = depacketizer
        self._on_report = on_report
        self._on_bye = on_bye
        self._account = ReceptionAccount()

    @property
    def format(self) -> FormatT_co | None:
        """The format of the latest key frame; before the first one, that of the session description."""
        return self._depacketizer.format

    @property
    def last_picture_s(self) -> float:
        """When the latest picture came, be it whole or not: the camera is alive as long as this moves."""
        return self._depacketizer.last_access_unit_s or self._began_s

    def receive_packets(self, packets: Iterable[tuple[int, bytes | memoryview]], now: float) -> list[Frame]:
        """Take what arrived at `now` and return the frames that it completed."""
        frames: list[Frame] = []
        receive_packet = self._depacketizer.receive_packet_untrusted
        for channel, packet in packets:
            if channel == self._rtp_channel:
                frames += receive_packet(packet, now)
            else:
                self._receive_rtcp(bytes(packet), now)
        self._depacketizer.own_fragments()
        if frames:
            self.last_frame_s = now
        return frames

    def build_report(self, now: float) -> bytes | None:
        """Return a compound RTCP packet that says what was received so far; None before the first packet."""
        statistics = self._depacketizer.statistics()
        return self._account.build_report(statistics, now) if statistics.packets else None

    def _receive_rtcp(self, packet: bytes, now: float) -> None:
        try:
            reports = parse_rtcp_untrusted(packet)
        except RemoteError:
            # Hanwha leaves its SDES open (MediaMTX#5355): RTCP that cannot be read is no reason to stop the pictures.
            return
        for report in reports:
            if isinstance(report, SenderReport):
                self._account.note_sender_report(report, now)
                if self._on_report is not None:
                    self._on_report(report)
            elif isinstance(report, Bye) and self._on_bye is not None:
                self._on_bye()


class VideoReceiver(TrackReceiver[VideoFormat]):
    """Receives the video track that the session plays; the camera's goodbye on it ends the session."""

    def __init__(self, track: Track, now: float, on_report: OnReport | None = None) -> None:
        self._video = video_depacketizer(track.codec, track.parameter_sets, track.payload_type, track.fmtp)
        super().__init__(track, self._video, now, on_report=on_report, on_bye=_end_session)

    def reception(self) -> Reception:
        """Return what came of the packets so far."""
        statistics = self._video.statistics()
        return Reception(
            packets=statistics.packets,
            packets_lost=statistics.packets_lost,
            packets_late=statistics.packets_late,
            frames_damaged=statistics.frames_damaged,
            frames_skipped=statistics.frames_skipped,
        )


class ReceptionAccount:
    """What receiver reports tell about one source, drawn from the depacketiser's counters when a report is due.

    Jitter is reported as 0: on TCP it would tell the kernel's batching, not the network.
    """

    def __init__(self) -> None:
        self._own_ssrc = secrets.randbits(32)
        self._highest_sequence: int | None = None
        self._reported = (0, 0)
        self._sender_report: SenderReport | None = None
        self._sender_report_s = 0.0

    def note_sender_report(self, report: SenderReport, now: float) -> None:
        """Remember a sender report, whose time the next receiver report repeats."""
        # Tapo C320WS sends reports under another SSRC than its media, so they are taken by channel (retina).
        self._sender_report = report
        self._sender_report_s = now

    def build_report(self, statistics: TrackStatistics, now: float) -> bytes:
        """Return a compound RTCP packet."""
        expected = statistics.packets + statistics.packets_lost
        expected_before, lost_before = self._reported
        expected_since, lost_since = expected - expected_before, statistics.packets_lost - lost_before
        self._reported = (expected, statistics.packets_lost)
        block = ReportBlock(
            ssrc=statistics.ssrc,
            # RFC 3550, 6.4.1: the fraction lost since the last report, in 256ths.
            fraction_lost=min(255, (lost_since << 8) // expected_since) if expected_since else 0,
            cumulative_lost=min(statistics.packets_lost, 0x7FFFFF),
            highest_sequence=self._extend(statistics.sequence, expected_since) & 0xFFFFFFFF,
            jitter=0,
            last_sr=0,
            delay_since_last_sr=0,
        )
        if self._sender_report is not None:
            # RFC 3550, 6.4.1: LSR is the middle 32 bits of the NTP time, DLSR counts 1/65536 seconds.
            block.last_sr = self._sender_report.ntp_time >> 16 & 0xFFFFFFFF
            block.delay_since_last_sr = int((now - self._sender_report_s) * 65536) & 0xFFFFFFFF
        return build_receiver_report(self._own_ssrc, (block,), cname=CNAME)

    def _extend(self, sequence: int, ahead: int) -> int:
        """Return `sequence` with its rollover count: it is about `ahead` after the last reported number."""
        if self._highest_sequence is None:
            self._highest_sequence = sequence - ahead & 0xFFFF
        estimate = self._highest_sequence + ahead
        self._highest_sequence = estimate + sequence_delta(sequence, estimate & 0xFFFF)
        return self._highest_sequence
