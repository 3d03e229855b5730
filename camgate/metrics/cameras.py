"""The metrics of cameras: one sample a camera, or one for each of its states."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from camgate.relay.source import CameraState, SourceStatistics
from camgate.serve.webrtc.tally import Sent

Read = Callable[[SourceStatistics], float | None]

GAUGES: Sequence[tuple[str, str, Read]] = (
    ("up", "1 while frames arrive from the camera, else 0.", lambda of: of.state is CameraState.LIVE),
    ("healthy", "1 while the periodic health check finds nothing wrong, else 0.", lambda of: of.healthy),
    (
        "needs_attention",
        "1 where waiting mends nothing: a wrong password, no usable video, a certificate that is not trusted.",
        lambda of: of.needs_attention is not None,
    ),
    ("frame_age_seconds", "Since the latest frame arrived.", lambda of: of.frame_age_s),
    ("frames_per_second", "Over the last seconds.", lambda of: of.fps),
    ("expected_frames_per_second", "What frames_per_second is held against.", lambda of: of.expected_fps),
    ("bytes_per_second", "Video from the camera, over the last seconds.", lambda of: of.bitrate_bps / 8),
    ("gop_seconds", "Media time between the latest two key frames.", lambda of: of.gop_s),
    ("loss_ratio", "Share of the camera's packets lost between the latest two health checks.", lambda of: of.loss),
    ("uptime_seconds", "How long it has been live without a break.", lambda of: of.uptime_s),
    ("queue_bytes", "Frames that wait in the readers' queues.", lambda of: of.queued_bytes),
    ("queue_age_seconds", "How long the oldest of them has waited.", lambda of: of.queue_age_s),
    ("cache_bytes", "Frames since the latest key frame, kept for the next viewer.", lambda of: of.cache_bytes),
)
COUNTERS: Sequence[tuple[str, str, Read]] = (
    ("reconnects", "Sessions begun because one was lost.", lambda of: of.reconnects),
    ("frames", "Video frames from the camera.", lambda of: of.frames),
    ("key_frames", "Key frames from the camera.", lambda of: of.key_frames),
    ("bytes", "Bytes of video from the camera.", lambda of: of.bytes),
    ("packets", "RTP packets from the camera.", lambda of: of.packets),
    ("packets_lost", "RTP packets that never came from the camera.", lambda of: of.packets_lost),
    ("packets_foreign", "UDP packets that came from elsewhere than the camera.", lambda of: of.packets_foreign),
    ("frames_damaged", "Frames dropped as a part of them was missing.", lambda of: of.frames_damaged),
    ("frames_skipped", "Frames dropped as they build on one that was.", lambda of: of.frames_skipped),
    ("frames_dropped", "Frames lost by readers that fell behind.", lambda of: of.dropped_frames),
    ("frames_shed", "Frames left out as this machine had too much to send.", lambda of: of.shed_frames),
    ("cache_overflows", "Groups of pictures too long or too big to cache.", lambda of: of.cache_overflows),
    ("clock_jumps", "Times that the camera's clock was set while it was sending.", lambda of: of.clock_jumps),
)
SENT: Sequence[tuple[str, str, Callable[[Sent], float]]] = (
    ("packets", "RTP packets sent to WebRTC viewers.", lambda of: of.packets_sent),
    ("bytes", "Bytes of RTP payload sent to WebRTC viewers.", lambda of: of.bytes_sent),
    ("frames", "Frames sent, each counted once a viewer.", lambda of: of.frames_sent),
    ("frames_dropped", "Frames that a viewer did not get as it took too little.", lambda of: of.frames_dropped),
    ("retransmitted_packets", "Packets sent again.", lambda of: of.packets_retransmitted),
    ("nacks", "Reports of lost packets (RTCP NACK).", lambda of: of.nacks_received),
    ("key_frame_requests", "Requests for a key frame (RTCP PLI, FIR).", lambda of: of.key_frame_requests),
)


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera at one moment."""

    source: SourceStatistics
    rtsp_clients: int
    sent: Sent
    viewers: Mapping[tuple[str, str], int]
    """By codec and transport."""
    round_trip_s: tuple[float, float] | None
    """Of its viewers, as they report: the median, and the worst."""
    loss: tuple[float, float] | None


def camera_families(cameras: Sequence[Camera]) -> Iterator[Metric]:
    """Return the families of all cameras."""
    for name, words, read in GAUGES:
        gauge = GaugeMetricFamily(f"camgate_camera_{name}", words, labels=["camera"])
        _fill(gauge, cameras, read)
        yield gauge
    for name, words, read in COUNTERS:
        counter = CounterMetricFamily(f"camgate_camera_{name}", words, labels=["camera"])
        _fill(counter, cameras, read)
        yield counter
    for name, words, take in SENT:
        counter = CounterMetricFamily(f"camgate_sent_{name}", words, labels=["camera"])
        for camera in cameras:
            counter.add_metric([camera.source.name], take(camera.sent))
        yield counter
    yield _states(cameras)
    yield _info(cameras)
    yield from _viewers(cameras)


def _fill(family: GaugeMetricFamily | CounterMetricFamily, cameras: Sequence[Camera], read: Read) -> None:
    for camera in cameras:
        value = read(camera.source)
        if value is not None:
            family.add_metric([camera.source.name], float(value))


def _states(cameras: Sequence[Camera]) -> Metric:
    words = "1 for the state that the camera is in, 0 for the others."
    states = GaugeMetricFamily("camgate_camera_state", words, labels=["camera", "state"])
    for camera in cameras:
        for state in CameraState:
            states.add_metric([camera.source.name, state.value], float(camera.source.state is state))
    return states


def _info(cameras: Sequence[Camera]) -> Metric:
    words = "1, with what the camera sends and how."
    labels = ["camera", "codec", "width", "height", "transport"]
    info = GaugeMetricFamily("camgate_camera_info", words, labels=labels)
    for camera in cameras:
        of = camera.source
        sent = [of.codec, of.width, of.height, of.transport]
        info.add_metric([of.name, *("" if value is None else str(value) for value in sent)], 1.0)
    return info


def _viewers(cameras: Sequence[Camera]) -> Iterator[Metric]:
    viewers = GaugeMetricFamily(
        "camgate_viewers", "WebRTC viewers, connected or about to be.", labels=["camera", "codec", "transport"]
    )
    clients = GaugeMetricFamily("camgate_rtsp_clients", "RTSP clients that play.", labels=["camera"])
    round_trip = GaugeMetricFamily(
        "camgate_viewer_round_trip_seconds",
        "To a camera's viewers, from their RTCP reports: the median of them, and the worst.",
        labels=["camera", "of"],
    )
    loss = GaugeMetricFamily(
        "camgate_viewer_loss_ratio",
        "Share of packets that a camera's viewers lost, from their RTCP reports: the median of them, and the worst.",
        labels=["camera", "of"],
    )
    for camera in cameras:
        name = camera.source.name
        for (codec, transport), count in camera.viewers.items():
            viewers.add_metric([name, codec, transport], count)
        clients.add_metric([name], camera.rtsp_clients)
        for family, pair in ((round_trip, camera.round_trip_s), (loss, camera.loss)):
            for of, value in zip(("median", "worst"), pair or (), strict=False):
                family.add_metric([name, of], value)
    yield from (viewers, clients, round_trip, loss)
